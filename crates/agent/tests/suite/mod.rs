mod architecture;
mod audit;
mod crashes;
mod errors;
mod scenarios;
mod support;
