mod identify;
mod observe;
mod operate;
mod support;
