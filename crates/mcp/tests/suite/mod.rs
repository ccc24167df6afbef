//! One module a property.

mod ending;
mod hostile;
mod peer;
mod registry;
mod remote;
mod room;
mod world;
