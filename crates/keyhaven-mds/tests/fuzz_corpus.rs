//! The committed fuzz corpus of the BLOB goes through the same function as under the fuzzer, on any toolchain.

#[path = "../../../fuzz/src/mds.rs"]
mod mds;

use std::path::Path;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/mds_blob");

#[test]
#[ignore = "writes into fuzz/corpus: cargo xtask fuzz --seeds"]
fn write_seeds() {
    std::fs::create_dir_all(CORPUS).unwrap();
    for (name, bytes) in mds::seeds() {
        std::fs::write(Path::new(CORPUS).join(name), bytes).unwrap();
    }
}

#[test]
fn every_seed_and_input_of_the_corpus_is_judged_as_another_reader_would() {
    let mut inputs = 0_u32;
    for entry in std::fs::read_dir(CORPUS).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        mds::mds_blob(&std::fs::read(&path).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "no corpus");
    for (name, bytes) in mds::seeds() {
        println!("{name}");
        mds::mds_blob(&bytes);
    }
}
