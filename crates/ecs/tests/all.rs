//! The edge of the ECS domain against the fault lab, over the wire.

mod suite;
