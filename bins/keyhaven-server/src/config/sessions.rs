//! How long a sign-in holds, and the tokens that tell of it.

use std::time::Duration;

use anyhow::ensure;
use keyhaven_service::{AccessTokenSettings, SessionSettings};

use super::raw::{Raw, Switch};

pub(super) fn sessions(raw: &Raw) -> anyhow::Result<SessionSettings> {
    let sessions = &raw.sessions;
    ensure!(
        (60..=30 * 24 * 3600).contains(&sessions.absolute_seconds),
        "sessions.absolute_seconds: 60 to 2592000 (30 days)"
    );
    ensure!(
        (60..=sessions.absolute_seconds).contains(&sessions.idle_seconds),
        "sessions.idle_seconds: 60 to sessions.absolute_seconds"
    );
    ensure!(
        sessions.fresh_seconds <= 300,
        "sessions.fresh_seconds: at most 300: an old sign-in is no proof of presence"
    );
    Ok(SessionSettings {
        absolute: Duration::from_secs(sessions.absolute_seconds),
        idle: Duration::from_secs(sessions.idle_seconds),
        fresh: Duration::from_secs(sessions.fresh_seconds),
    })
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
