//! What passwords are good for.

use anyhow::ensure;
use keyhaven_service::{Demand, PasswordSettings};

use super::raw::{self, Switch};

/// Whether a sign-in asks for the client key.
pub(super) fn client_key(raw: &raw::Accounts, passwords: &PasswordSettings) -> anyhow::Result<Demand> {
    let client_key = demand(raw.client_key);
    ensure!(
        !(passwords.fallback && client_key == Demand::Required),
        "accounts.client_key: a password cannot be enough (passwords.fallback) where a client key is required"
    );
    Ok(client_key)
}

pub(super) fn passwords(raw: &raw::Passwords) -> anyhow::Result<PasswordSettings> {
    let fallback = raw.fallback == Switch::On;
    let with_passkey = demand(raw.with_passkey);
    ensure!(
        !(fallback && with_passkey == Demand::Required),
        "passwords: a password cannot be enough (fallback) where both are required (with_passkey)"
    );
    ensure!(
        (1..=64).contains(&raw.hashes_at_once),
        "passwords.hashes_at_once: 1 to 64, not {}",
        raw.hashes_at_once
    );
    Ok(PasswordSettings {
        fallback,
        with_passkey,
        hashes_at_once: raw.hashes_at_once,
    })
}

const fn demand(raw: raw::Demand) -> Demand {
    match raw {
        raw::Demand::ByAccount => Demand::ByAccount,
        raw::Demand::Off => Demand::Off,
        raw::Demand::Required => Demand::Required,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_off_unless_enabled() {
        let settings = passwords(&raw::Passwords::default()).unwrap();
        assert!(!settings.any());
    }

    #[test]
    fn a_required_client_key_leaves_no_way_around() {
        let accounts = raw::Accounts {
            client_key: raw::Demand::Required,
            ..raw::Accounts::default()
        };
        let fallback = PasswordSettings {
            fallback: true,
            ..PasswordSettings::default()
        };
        assert!(client_key(&accounts, &fallback).is_err());
        let without = client_key(&accounts, &PasswordSettings::default()).unwrap();
        assert_eq!(without, Demand::Required);
    }

    #[test]
    fn values_that_make_no_sense_are_named() {
        let refused = |change: fn(&mut raw::Passwords), naming: &str| {
            let mut written = raw::Passwords::default();
            change(&mut written);
            let sentence = format!("{:#}", passwords(&written).unwrap_err());
            assert!(sentence.contains(naming), "{sentence}");
        };
        refused(|raw| raw.hashes_at_once = 0, "passwords.hashes_at_once");
        refused(|raw| raw.hashes_at_once = 65, "passwords.hashes_at_once");
        refused(
            |raw| {
                raw.fallback = Switch::On;
                raw.with_passkey = raw::Demand::Required;
            },
            "with_passkey",
        );
    }
}
