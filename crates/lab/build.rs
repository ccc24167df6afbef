//! Builds the crate anew when a scenario is added or changed: they are part of the program.

fn main() {
    println!("cargo::rerun-if-changed=../../scenarios");
}
