//! Keyhaven stores in the memory of one process.
//!
//! * [`MemoryCeremonyStore`]: the default for pending ceremonies on one machine. Bounded; payloads are wiped.
//! * [`MemoryStore`]: everything else, for tests and measurements; it forgets all when the process ends.
//!
//! Both keep the promises of `keyhaven-storage`'s contract suite. Absent on purpose: files, clocks, and background tasks.

mod ceremonies;
mod durable;

pub use ceremonies::MemoryCeremonyStore;
pub use durable::MemoryStore;
