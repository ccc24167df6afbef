//! Whole conversations with providers that the model lab plays: one integration binary.

#[cfg(test)]
mod suite;
