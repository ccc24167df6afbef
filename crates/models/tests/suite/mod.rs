//! One module a kind of trouble.

mod accounts;
mod cuts;
mod driver;
mod errors;
mod long;
mod talk;
mod world;
