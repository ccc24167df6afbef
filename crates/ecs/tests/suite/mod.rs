mod identify;
mod inspect;
mod observe;
mod observe_policy;
mod operate;
mod policy_matrix;
mod support;
