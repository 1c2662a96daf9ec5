//! What processes have used, from /proc.

use std::fs;
use std::time::Duration;

/// The processor time that a process has used, all its threads together, and, where `children` says so, that of the
/// processes it has started and that still run. Threads and children that have ended are not in it: the servers
/// measured here keep theirs.
pub(crate) fn used(process: u32, children: bool) -> Duration {
    let own = threads(process);
    if !children {
        return own;
    }
    children_of(process)
        .into_iter()
        .map(threads)
        .fold(own, Duration::saturating_add)
}

/// Resident memory, in bytes.
pub(crate) fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

fn threads(process: u32) -> Duration {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else {
        return Duration::ZERO;
    };
    let nanoseconds = tasks.flatten().filter_map(|task| {
        // Time on a processor, in nanoseconds, is the first number.
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

fn children_of(process: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|candidate| parent_of(*candidate) == Some(process))
        .collect()
}

fn parent_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // `pid (name) state parent …`, and a name may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows() {
        let own = std::process::id();
        let before = used(own, false);
        let mut n = 1_u64;
        for i in 0..20_000_000_u64 {
            n = n.wrapping_mul(i | 1);
        }
        assert_ne!(n, 7);
        assert!(used(own, false) > before);
        assert!(resident(own) > 100_000);
        assert_eq!(parent_of(own), Some(std::os::unix::process::parent_id()));
    }
}
