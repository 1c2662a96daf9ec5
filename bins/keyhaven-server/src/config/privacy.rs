//! What accounts are called by, and how long what is not needed any more is kept.

use std::time::Duration;

use anyhow::ensure;
use keyhaven_service::{Identifier, RetentionSettings};

use super::raw;

pub(super) fn identifier(raw: &raw::Accounts, sends_mail: bool) -> anyhow::Result<Identifier> {
    match raw.identifier {
        raw::Identifier::Email => {
            ensure!(
                sends_mail,
                "accounts.identifier: an address is proven by a mail, and this server sends none (mail.url)"
            );
            Ok(Identifier::Email)
        }
        raw::Identifier::Username => Ok(Identifier::Username),
    }
}

pub(super) fn retention(raw: &raw::Retention) -> anyhow::Result<RetentionSettings> {
    let days = |days: Option<u64>, key: &str| {
        ensure!(
            days.is_none_or(|days| (1..=36_500).contains(&days)),
            "retention.{key}: 1 to 36500, or nothing"
        );
        Ok(days.map(|days| Duration::from_secs(days.saturating_mul(24 * 3600))))
    };
    Ok(RetentionSettings {
        session_clients: days(raw.session_client_days, "session_client_days")?,
        unused_accounts: days(raw.unused_account_days, "unused_account_days")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_names_only_where_mails_are_sent() {
        let accounts = |identifier| raw::Accounts {
            identifier,
            ..raw::Accounts::default()
        };
        assert!(identifier(&accounts(raw::Identifier::Email), false).is_err());
        for sends_mail in [false, true] {
            let by_name = identifier(&accounts(raw::Identifier::Username), sends_mail);
            assert_eq!(by_name.unwrap(), Identifier::Username);
        }
        let by_address = identifier(&accounts(raw::Identifier::Email), true);
        assert_eq!(by_address.unwrap(), Identifier::Email);
    }

    #[test]
    fn nothing_is_forgotten_at_once() {
        let kept = |session_client_days, unused_account_days| {
            retention(&raw::Retention {
                session_client_days,
                unused_account_days,
            })
        };
        assert!(kept(None, None).unwrap().unused_accounts.is_none());
        let kept_30 = kept(Some(30), Some(365)).unwrap();
        assert_eq!(kept_30.session_clients, Some(Duration::from_secs(30 * 86_400)));
        assert!(format!("{:#}", kept(Some(0), None).unwrap_err()).contains("session_client_days"));
        assert!(format!("{:#}", kept(None, Some(0)).unwrap_err()).contains("unused_account_days"));
    }
}
