//! How mails leave, and what they say of whom they come from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use keyhaven_mail::{Address, Language, SmtpOptions};
use keyhaven_service::{OldPasskeys, RecoverySettings};
use keyhaven_types::{Origin, RpId};
use url::Url;

use super::{MailConfig, raw};

/// Where mails are kept when nothing else is said, in the working directory.
const FOLDER: &str = "keyhaven-mails";

/// What was written about mails, checked.
pub(super) struct Checked {
    pub(super) transport: Option<MailConfig>,
    pub(super) from: Address,
    pub(super) language: Language,
    pub(super) page: String,
}

/// `page` is where links lead when nothing else is said.
pub(super) fn mail(raw: &raw::Mail, rp_id: &RpId, origins: &[Origin], page: &str) -> anyhow::Result<Checked> {
    let local = rp_id.as_str() == "localhost";
    let transport = match raw.url.as_deref() {
        // Without a word only a developer's machine has a place for them.
        None if local => Some(MailConfig::Folder(PathBuf::from(FOLDER))),
        None | Some("off") => None,
        Some(url) => Some(transport(raw, url)?),
    };
    if !matches!(transport, Some(MailConfig::Smtp(_))) {
        ensure!(
            raw.credentials_file.is_none() && raw.authority_file.is_none(),
            "mail.credentials_file, mail.authority_file: only where mail.url is a mail server"
        );
    }
    let from = match &raw.from {
        Some(text) => text.clone(),
        None if local => "no-reply@localhost.localdomain".to_owned(),
        None => format!("no-reply@{rp_id}"),
    };
    Ok(Checked {
        transport,
        from: from
            .parse()
            .with_context(|| format!("mail.from: an address such as no-reply@{rp_id}, not {from:?}"))?,
        language: match &raw.language {
            None => Language::default(),
            Some(tag) => tag.parse().with_context(|| format!("mail.language: {tag:?}"))?,
        },
        page: match &raw.page_url {
            None => page.to_owned(),
            Some(url) => page_url(url, origins)?,
        },
    })
}

/// How accounts are recovered.
pub(super) fn recovery(raw: &raw::Recovery) -> anyhow::Result<RecoverySettings> {
    ensure!(
        raw.wait_hours <= 30 * 24,
        "recovery.wait_hours: at most 720, not {}",
        raw.wait_hours
    );
    ensure!(
        raw.alarm_failures_per_hour > 0,
        "recovery.alarm_failures_per_hour: at least 1"
    );
    Ok(RecoverySettings {
        wait: Duration::from_secs(raw.wait_hours.saturating_mul(3600)),
        old_passkeys: match raw.old_passkeys {
            raw::OldPasskeys::Review => OldPasskeys::Review,
            raw::OldPasskeys::Revoke => OldPasskeys::Revoke,
        },
        alarm: raw.alarm_failures_per_hour,
    })
}

fn transport(raw: &raw::Mail, url: &str) -> anyhow::Result<MailConfig> {
    match url.split_once(':') {
        Some(("folder", path)) if !path.is_empty() => Ok(MailConfig::Folder(PathBuf::from(path))),
        Some(("smtp" | "smtps", _)) => {
            let credentials = raw.credentials_file.as_deref().map(credentials).transpose()?;
            let authority = raw.authority_file.as_deref().map(|path| {
                std::fs::read(path).with_context(|| format!("mail.authority_file: {}", path.display()))
            });
            let authority = authority.transpose()?;
            let options = SmtpOptions::new(url, credentials, authority.as_deref()).context("mail.url")?;
            Ok(MailConfig::Smtp(options))
        }
        _ => bail!("mail.url: smtp://, smtps://, folder:PATH or off"),
    }
}

/// Two lines: user, password.
fn credentials(path: &Path) -> anyhow::Result<(String, String)> {
    let named = || format!("mail.credentials_file: {}", path.display());
    let text = std::fs::read_to_string(path).with_context(named)?;
    let mut lines = text.lines();
    match (lines.next(), lines.next(), lines.next()) {
        (Some(user), Some(password), None) if !user.is_empty() && !password.is_empty() => {
            Ok((user.to_owned(), password.to_owned()))
        }
        _ => bail!("{}: two lines, the user and the password", named()),
    }
}

fn page_url(text: &str, origins: &[Origin]) -> anyhow::Result<String> {
    let url = Url::parse(text).with_context(|| format!("mail.page_url: {text:?} is no URL"))?;
    let origin = url.origin().ascii_serialization();
    ensure!(
        origins.iter().any(|allowed| allowed.as_str() == origin),
        "mail.page_url: {origin} must be one of the origins: links carry tokens"
    );
    ensure!(
        url.fragment().is_none() && url.username().is_empty() && url.password().is_none(),
        "mail.page_url: without a fragment: that is where the tokens go"
    );
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(rp_id: &str, change: impl FnOnce(&mut raw::Mail)) -> anyhow::Result<Checked> {
        let mut written = raw::Mail::default();
        change(&mut written);
        let origin = format!("https://{rp_id}");
        let origins = [Origin::new(&origin).unwrap()];
        mail(
            &written,
            &RpId::new(rp_id).unwrap(),
            &origins,
            &format!("{origin}/"),
        )
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut raw::Mail), naming: &str) {
        let refusal = checked("example.org", change).err();
        let sentence = refusal.map(|error| format!("{error:#}")).unwrap();
        assert!(sentence.contains(naming), "{sentence}");
    }

    #[test]
    fn a_developer_has_a_folder_and_a_site_says_where_mails_go() {
        let local = checked("localhost", |_| {}).unwrap();
        assert!(matches!(local.transport, Some(MailConfig::Folder(_))));
        let site = checked("example.org", |_| {}).unwrap();
        assert!(site.transport.is_none());
        assert_eq!(site.from.as_str(), "no-reply@example.org");
        assert_eq!(site.page, "https://example.org/");
        let site = checked("example.org", |raw| {
            raw.url = Some("smtps://user:pass@mail.example.org".into());
            raw.language = Some("de".into());
            raw.page_url = Some("https://example.org/account".into());
        });
        let site = site.unwrap();
        let named = site.transport.map(|transport| transport.to_string());
        assert_eq!(named.as_deref(), Some("smtps://mail.example.org:465"));
        assert_eq!(site.language, Language::De);
        assert_eq!(site.page, "https://example.org/account");
        let off = checked("localhost", |raw| raw.url = Some("off".into())).unwrap();
        assert!(off.transport.is_none());
    }

    #[test]
    fn how_long_a_recovery_waits_is_bounded() {
        let mut written = raw::Recovery::default();
        assert_eq!(recovery(&written).unwrap().wait, Duration::from_secs(24 * 3600));
        written.wait_hours = 0;
        assert_eq!(recovery(&written).unwrap().wait, Duration::ZERO);
        written.wait_hours = 721;
        let sentence = format!("{:#}", recovery(&written).unwrap_err());
        assert!(sentence.contains("recovery.wait_hours"), "{sentence}");
        let written = raw::Recovery {
            alarm_failures_per_hour: 0,
            ..raw::Recovery::default()
        };
        assert!(recovery(&written).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        refused(|raw| raw.url = Some("mail.example.org".into()), "mail.url");
        refused(|raw| raw.url = Some("folder:".into()), "mail.url");
        refused(
            |raw| raw.url = Some("smtp://mail.example.org?tls=off".into()),
            "this machine",
        );
        refused(|raw| raw.from = Some("nobody".into()), "mail.from");
        refused(
            |raw| raw.from = Some("a@example.org\r\nBcc: b@example.org".into()),
            "mail.from",
        );
        refused(|raw| raw.language = Some("tlh".into()), "mail.language");
        refused(
            |raw| raw.page_url = Some("https://elsewhere.example/".into()),
            "mail.page_url",
        );
        refused(
            |raw| raw.page_url = Some("https://example.org/#x".into()),
            "mail.page_url",
        );
        refused(
            |raw| raw.credentials_file = Some("x".into()),
            "mail.credentials_file",
        );
        refused(
            |raw| {
                raw.url = Some("smtp://mail.example.org".into());
                raw.credentials_file = Some("/nowhere".into());
            },
            "mail.credentials_file",
        );
    }
}
