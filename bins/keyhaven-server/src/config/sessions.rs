//! How long a sign-in holds, and the tokens that tell of it.

use std::time::Duration;

use anyhow::ensure;
use keyhaven_service::{AccessTokenSettings, SessionLimits, SessionSettings};

use super::raw::{self, Raw, Switch};

/// No session lives shorter: a client that has just signed in would be asked again.
const SHORTEST_SECONDS: u64 = 60;

pub(super) fn sessions(raw: &Raw) -> anyhow::Result<SessionSettings> {
    let sessions = &raw.sessions;
    ensure!(
        sessions.fresh_seconds <= 300,
        "sessions.fresh_seconds: at most 300: an old sign-in is no proof of presence"
    );
    Ok(SessionSettings {
        aal1: limits(1, sessions.aal1)?,
        aal2: limits(2, sessions.aal2)?,
        aal3: limits(3, sessions.aal3)?,
        fresh: Duration::from_secs(sessions.fresh_seconds),
    })
}

/// What is written may tighten the limits of NIST SP 800-63B-4, and never widen them.
fn limits(aal: u8, written: raw::SessionLimits) -> anyhow::Result<SessionLimits> {
    let longest = SessionLimits::longest(aal);
    let absolute = limit(
        &format!("sessions.aal{aal}.absolute_seconds"),
        written.absolute_seconds,
        longest.absolute,
    )?;
    let idle = limit(
        &format!("sessions.aal{aal}.idle_seconds"),
        written.idle_seconds,
        longest.idle,
    )?;
    // A shorter life leaves no time to be idle for longer.
    Ok(SessionLimits {
        absolute,
        idle: idle.min(absolute),
    })
}

fn limit(key: &str, written: Option<u64>, longest: Duration) -> anyhow::Result<Duration> {
    let Some(seconds) = written else {
        return Ok(longest);
    };
    let most = longest.as_secs();
    ensure!(
        (SHORTEST_SECONDS..=most).contains(&seconds),
        "{key}: {SHORTEST_SECONDS} to {most} (NIST SP 800-63B-4), not {seconds}"
    );
    Ok(Duration::from_secs(seconds))
}

pub(super) fn access_tokens(raw: &Raw) -> anyhow::Result<Option<AccessTokenSettings>> {
    let tokens = &raw.tokens;
    ensure!(
        (30..=3600).contains(&tokens.lifetime_seconds),
        "tokens.lifetime_seconds: 30 to 3600: a token cannot be revoked"
    );
    ensure!(
        (1..=365).contains(&tokens.rotation_days),
        "tokens.rotation_days: 1 to 365"
    );
    Ok((tokens.access_tokens == Switch::On).then(|| AccessTokenSettings {
        lifetime: Duration::from_secs(tokens.lifetime_seconds),
        rotation: Duration::from_secs(tokens.rotation_days.saturating_mul(24 * 3600)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(change: impl FnOnce(&mut Raw)) -> anyhow::Result<SessionSettings> {
        let mut raw = Raw::default();
        change(&mut raw);
        sessions(&raw)
    }

    #[test]
    fn limits_can_be_tightened_and_not_widened() {
        type Change = fn(&mut raw::Sessions);
        let settings = checked(|raw| {
            raw.sessions.aal1.absolute_seconds = Some(3_600);
            raw.sessions.aal2.idle_seconds = Some(600);
        })
        .unwrap();
        let minutes = |n: u64| Duration::from_secs(n * 60);
        assert_eq!(
            (settings.aal1.absolute, settings.aal1.idle),
            (minutes(60), minutes(60))
        );
        assert_eq!(
            (settings.aal2.absolute, settings.aal2.idle),
            (minutes(24 * 60), minutes(10))
        );
        assert_eq!(
            (settings.aal3.absolute, settings.aal3.idle),
            (minutes(12 * 60), minutes(15))
        );
        let wider: [(Change, &str); 6] = [
            (
                |s| s.aal1.absolute_seconds = Some(30 * 86_400 + 1),
                "aal1.absolute_seconds",
            ),
            (
                |s| s.aal2.absolute_seconds = Some(86_401),
                "aal2.absolute_seconds",
            ),
            (|s| s.aal2.idle_seconds = Some(3_601), "aal2.idle_seconds"),
            (
                |s| s.aal3.absolute_seconds = Some(43_201),
                "aal3.absolute_seconds",
            ),
            (|s| s.aal3.idle_seconds = Some(901), "aal3.idle_seconds"),
            (|s| s.aal3.idle_seconds = Some(59), "aal3.idle_seconds"),
        ];
        for (change, key) in wider {
            let sentence = checked(|raw| change(&mut raw.sessions)).unwrap_err().to_string();
            assert!(sentence.contains(key), "{sentence}");
        }
    }
}
