mod canaries;
mod house;
mod http;
mod runs;
