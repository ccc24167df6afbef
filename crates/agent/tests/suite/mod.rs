mod architecture;
mod crashes;
mod errors;
mod scenarios;
mod support;
