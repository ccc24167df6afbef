//! Builds the crate anew when a scenario is added or changed: they are part of the program.

#![expect(
    clippy::print_stdout,
    reason = "this is how a build script speaks to cargo"
)]

fn main() {
    println!("cargo::rerun-if-changed=../../scenarios");
}
