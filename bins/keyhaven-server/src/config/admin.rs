//! What administrators can do.

use std::time::Duration;

use anyhow::ensure;
use keyhaven_service::AdministrationSettings;

use super::raw::{self, Switch};

pub(super) fn administration(raw: &raw::Admin) -> anyhow::Result<AdministrationSettings> {
    ensure!(
        (1..=7 * 24).contains(&raw.enrolment_hours),
        "admin.enrolment_hours: 1 to 168, not {}",
        raw.enrolment_hours
    );
    Ok(AdministrationSettings {
        client_key_check: raw.client_key_check == Switch::On,
        enrolment_lifetime: Duration::from_secs(raw.enrolment_hours.saturating_mul(3600)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_key_check_is_off_unless_enabled() {
        let settings = administration(&raw::Admin::default()).unwrap();
        assert!(!settings.client_key_check);
        assert_eq!(settings.enrolment_lifetime, Duration::from_secs(24 * 60 * 60));
    }

    #[test]
    fn a_link_lives_an_hour_to_a_week() {
        for (hours, fine) in [
            (0, false),
            (1, true),
            (168, true),
            (169, false),
            (u64::MAX, false),
        ] {
            let raw = raw::Admin {
                enrolment_hours: hours,
                ..raw::Admin::default()
            };
            assert_eq!(administration(&raw).is_ok(), fine, "{hours}");
        }
    }
}
