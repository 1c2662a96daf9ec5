//! Writes the hostile corpus into a directory: `cargo run -p keyhaven-testkit --features corpus --example corpus DIRECTORY`.

use std::{env, fs, io, path::Path};

fn main() -> io::Result<()> {
    let directory = env::args_os()
        .nth(1)
        .ok_or_else(|| io::Error::other("which directory?"))?;
    for (name, cases) in keyhaven_testkit::corpus::files() {
        let lines: String = cases.iter().map(|case| case.to_json() + "\n").collect();
        fs::write(Path::new(&directory).join(format!("{name}.jsonl")), lines)?;
    }
    Ok(())
}
