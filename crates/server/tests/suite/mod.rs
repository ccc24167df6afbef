mod authentication;
mod canaries;
mod house;
mod http;
mod runs;
mod scopes;
mod tenants;
