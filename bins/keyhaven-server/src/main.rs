//! The `keyhaven` command.

fn main() {}
