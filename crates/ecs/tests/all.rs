//! The edge of the ECS domain against the fault lab, over the wire.

#[cfg(test)]
mod suite;
