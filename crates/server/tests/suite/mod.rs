mod house;
mod http;
mod runs;
