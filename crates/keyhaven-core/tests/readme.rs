//! The example of the README is the one that is compiled and run on this crate's front page.

#[test]
fn the_readme_shows_the_tested_example() {
    let readme = include_str!("../../../README.md");
    let front_page = include_str!("../src/lib.rs");
    let (_, rest) = readme.split_once("```rust,ignore\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    assert!(example.lines().count() <= 15);
    for line in example.lines() {
        assert!(
            front_page.contains(&format!("//! {line}\n")),
            "not on the front page: {line}"
        );
    }
}
