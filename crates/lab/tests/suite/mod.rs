mod control;
mod identity;
mod isolation;
mod reads;
mod repair;
mod support;
