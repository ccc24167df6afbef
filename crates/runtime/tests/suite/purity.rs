/// The crate's invariant, that it has no I/O, clock or randomness, begins with what it may use.
#[test]
fn the_core_depends_on_nothing_that_waits_or_reads() {
    let manifest = include_str!("../../Cargo.toml");
    let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
    let (dependencies, _) = dependencies.split_once("[dev-dependencies]").unwrap();
    let names: Vec<&str> = dependencies
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(
        names,
        [
            "chrono",
            "globset",
            "serde",
            "serde_json",
            "thiserror",
            "uuid"
        ]
    );
}
