mod architecture;
mod audit;
mod crashes;
mod errors;
mod no_fallback;
mod scenarios;
mod support;
mod tokens;
