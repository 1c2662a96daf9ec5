//! Keyhaven stores in the memory of one process.
//!
//! * [`MemoryCeremonyStore`]: the default for pending ceremonies on one machine. Bounded; payloads are wiped.
//! * [`MemoryLimitStore`]: bounds on attempts, on one machine. A table of fixed size.
//! * [`MemoryStore`]: everything else, for tests and measurements; it forgets all when the process ends.
//!
//! They keep the promises of `keyhaven-storage`'s contract suite. Absent on purpose: files, clocks, and background tasks.

mod ceremonies;
mod durable;
mod limits;

pub use ceremonies::MemoryCeremonyStore;
pub use durable::MemoryStore;
pub use limits::MemoryLimitStore;
