//! The store as its callers see it, in files and in memory.

#[cfg(test)]
mod suite;
