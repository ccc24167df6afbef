//! One module a property.

mod ending;
mod peer;
mod registry;
mod room;
