//! What the operating system says of this process, under the names that Prometheus clients have in common. Linux only:
//! elsewhere there is nothing to read, and nothing is shown.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Times in `/proc` are in hundredths of a second on every architecture that Rust runs on (`USER_HZ`).
const TICKS: f64 = 100.0;

#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The second field is the program's name in parentheses, and may hold anything.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map_or(Vec::new(), |(_, rest)| rest.split_ascii_whitespace().collect());
        // Numbered from 3 on. Source: proc_pid_stat(5).
        let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<f64>().ok();
        if let (Some(user), Some(system)) = (field(14), field(15)) {
            let seconds = ConstCounter::new((user + system) / TICKS);
            seconds.encode(encoder.encode_descriptor(
                "process_cpu",
                "CPU time, in user and system mode",
                Some(&Unit::Seconds),
                MetricType::Counter,
            )?)?;
        }
        let born = fs::read_to_string("/proc/stat").ok();
        let booted = born.as_deref().and_then(|text| line(text, "btime "));
        if let (Some(since_boot), Some(booted)) = (field(22), booted) {
            let at = ConstGauge::new(since_boot / TICKS + booted);
            at.encode(encoder.encode_descriptor(
                "process_start_time",
                "When the process began, since 1970",
                Some(&Unit::Seconds),
                MetricType::Gauge,
            )?)?;
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (name, help, prefix) in [
            ("process_resident_memory", "Memory in use", "VmRSS:"),
            ("process_virtual_memory", "Memory mapped", "VmSize:"),
        ] {
            if let Some(kibibytes) = line(&status, prefix) {
                let bytes = ConstGauge::new(kibibytes * 1024.0);
                bytes.encode(encoder.encode_descriptor(
                    name,
                    help,
                    Some(&Unit::Bytes),
                    MetricType::Gauge,
                )?)?;
            }
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            // The one that reads them is one of them.
            let open = u64::try_from(files.count().saturating_sub(1)).unwrap_or(u64::MAX);
            let open = ConstGauge::new(open);
            open.encode(encoder.encode_descriptor(
                "process_open_fds",
                "Open files and connections",
                None,
                MetricType::Gauge,
            )?)?;
        }
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        if let Some(most) = line(&limits, "Max open files") {
            let most = ConstGauge::new(most);
            most.encode(encoder.encode_descriptor(
                "process_max_fds",
                "Open files and connections there may be",
                None,
                MetricType::Gauge,
            )?)?;
        }
        Ok(())
    }
}

/// The number that follows `prefix` at the beginning of a line.
fn line(text: &str, prefix: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(prefix))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}
