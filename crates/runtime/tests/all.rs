//! Laws of the machine over random and over all small histories.

#[cfg(test)]
mod suite;
