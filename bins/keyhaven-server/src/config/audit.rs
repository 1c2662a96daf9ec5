//! What becomes of the audit log.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use url::{Host, Url};

use super::{AuditConfig, raw};

const DAY: u64 = 24 * 3600;

pub(super) fn audit(raw: &raw::Audit) -> anyhow::Result<AuditConfig> {
    if let Some(text) = &raw.checkpoint_url {
        let url = Url::parse(text).with_context(|| format!("audit.checkpoint_url: {text:?} is no URL"))?;
        let near = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        ensure!(
            url.scheme() == "https" || url.scheme() == "http" && near,
            "audit.checkpoint_url: an https URL; http is only for this machine"
        );
    }
    ensure!(
        (1..=3600).contains(&raw.checkpoint_seconds),
        "audit.checkpoint_seconds: 1 to 3600"
    );
    ensure!(
        (1..=3650).contains(&raw.key_rotation_days),
        "audit.key_rotation_days: 1 to 3650"
    );
    ensure!(
        raw.retention_days.is_none_or(|days| (1..=36_500).contains(&days)),
        "audit.retention_days: 1 to 36500, or nothing to keep all events"
    );
    Ok(AuditConfig {
        checkpoint_file: raw.checkpoint_file.clone(),
        checkpoint_url: raw.checkpoint_url.clone(),
        checkpoint_interval: Duration::from_secs(raw.checkpoint_seconds),
        key_rotation: Duration::from_secs(raw.key_rotation_days.saturating_mul(DAY)),
        retention: raw
            .retention_days
            .map(|days| Duration::from_secs(days.saturating_mul(DAY))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_named() {
        let refused = |change: fn(&mut raw::Audit), naming: &str| {
            let mut written = raw::Audit::default();
            audit(&written).unwrap();
            change(&mut written);
            let sentence = format!("{:#}", audit(&written).unwrap_err());
            assert!(sentence.contains(naming), "{sentence}");
        };
        refused(|raw| raw.checkpoint_seconds = 0, "audit.checkpoint_seconds");
        refused(|raw| raw.key_rotation_days = 0, "audit.key_rotation_days");
        refused(|raw| raw.retention_days = Some(0), "audit.retention_days");
        for url in ["http://example.org/", "ftp://example.org/", "example.org"] {
            let written = raw::Audit {
                checkpoint_url: Some(url.to_owned()),
                ..raw::Audit::default()
            };
            assert!(audit(&written).is_err(), "{url}");
        }
        for url in [
            "https://example.org/a",
            "http://127.0.0.1:9/",
            "http://localhost/",
            "http://[::1]/",
        ] {
            let written = raw::Audit {
                checkpoint_url: Some(url.to_owned()),
                ..raw::Audit::default()
            };
            assert!(audit(&written).is_ok(), "{url}");
        }
    }
}
