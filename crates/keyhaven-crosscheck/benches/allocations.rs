//! Allocations per verification. A binary of its own: its counting allocator would falsify times.
//!
//! Prints lines of fields with tabs between them: `allocations`, name, count, bytes.

mod support;

use support::cases;

const REPETITIONS: u64 = 16;

fn main() {
    for mut case in cases() {
        // Once before it is counted, for what is set up at first use.
        (case.run)();
        let counted = allocation_counter::measure(|| {
            for _ in 0..REPETITIONS {
                (case.run)();
            }
        });
        println!(
            "allocations\t{}\t{}\t{}",
            case.name,
            counted.count_total / REPETITIONS,
            counted.bytes_total / REPETITIONS
        );
    }
}
