//! The committed fuzz corpus goes through the same functions as under the fuzzer, on any toolchain.

#[path = "../../../fuzz/src/seeds.rs"]
mod seeds;
mod support;
#[path = "../../../fuzz/src/targets/mod.rs"]
mod targets;

use std::path::Path;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");

#[test]
#[ignore = "writes into fuzz/corpus: cargo xtask fuzz --seeds"]
fn write_seeds() {
    for (target, name, bytes) in seeds::all() {
        let directory = Path::new(CORPUS).join(target);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(name), bytes).unwrap();
    }
}

#[test]
fn every_seed_is_judged_as_another_reader_would() {
    for (target, _, bytes) in seeds::all() {
        let (_, judge) = targets::ALL
            .iter()
            .find(|(name, _)| *name == target)
            .expect(target);
        judge(&bytes);
    }
}

#[test]
fn every_input_of_the_corpus_is_judged_as_another_reader_would() {
    let corpus = Path::new(CORPUS);
    for (name, target) in targets::ALL {
        let mut inputs = 0_u32;
        for entry in std::fs::read_dir(corpus.join(name)).expect(name) {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            if let Err(panic) = std::panic::catch_unwind(|| target(&bytes)) {
                println!("{}", path.display());
                std::panic::resume_unwind(panic);
            }
            inputs += 1;
        }
        assert!(inputs > 0, "{name} has no corpus");
    }
}
