//! The lab over the wire, driven by the AWS SDK for Rust.

#[cfg(test)]
mod suite;
