//! Mails to a mail server.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use crate::{DeliveryError, Rendered, Transport};

/// How long a mail server may take for one step.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A mail server that takes submissions (RFC 6409).
#[derive(Clone)]
pub struct Smtp(AsyncSmtpTransport<Tokio1Executor>);

/// The URL names no mail server that may be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidSmtpUrl {
    /// Not a URL of that kind.
    #[error("expected smtps://[user:password@]host[:465] or smtp://[user:password@]host[:587]")]
    Malformed,
    /// Nobody may read along.
    #[error("smtp:// without TLS (?tls=off) is for servers on this machine only")]
    Unencrypted,
    /// The certificate authority's file.
    #[error("the certificate of the mail server's authority cannot be read")]
    Authority,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Smtp(..)")
    }
}

impl Smtp {
    /// The server at this URL: `smtps://` speaks TLS from the first byte (port 465), `smtp://` demands STARTTLS before
    /// anything else (port 587). The certificate must be valid for the host name; `authority` (PEM) is trusted beside
    /// the system's own. `smtp://…?tls=off` is taken for loopback addresses only. User and password are percent-encoded.
    ///
    /// # Errors
    /// [`InvalidSmtpUrl`]
    pub fn new(url: &str, authority: Option<&[u8]>) -> Result<Self, InvalidSmtpUrl> {
        let parsed = SmtpUrl::parse(url)?;
        let tls = || -> Result<TlsParameters, InvalidSmtpUrl> {
            let mut builder = TlsParameters::builder(parsed.host.clone());
            if let Some(pem) = authority {
                let certificate = Certificate::from_pem(pem).map_err(|_| InvalidSmtpUrl::Authority)?;
                builder = builder.add_root_certificate(certificate);
            }
            builder.build().map_err(|_| InvalidSmtpUrl::Authority)
        };
        let tls = match parsed.encryption {
            Encryption::None => Tls::None,
            Encryption::StartTls => Tls::Required(tls()?),
            Encryption::Tls => Tls::Wrapper(tls()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(parsed.host)
            .port(parsed.port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some((user, password)) = parsed.credentials {
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(Self(builder.build()))
    }
}

#[async_trait]
impl Transport for Smtp {
    async fn send(&self, mail: &Rendered) -> Result<(), DeliveryError> {
        match self.0.send(mail.message.clone()).await {
            Ok(_) => Ok(()),
            // 5xx (RFC 5321 §4.2.1): the same again gets the same answer. Wrong credentials answer 5xx, too, but are
            // the operator's to mend: those mails wait.
            Err(error) if error.is_permanent() && !is_about_authentication(&error) => {
                Err(DeliveryError::Permanent(error.to_string()))
            }
            Err(error) => Err(DeliveryError::Transient(error.to_string())),
        }
    }
}

/// 530, 534, 535, 538 (RFC 4954 §6).
fn is_about_authentication(error: &lettre::transport::smtp::Error) -> bool {
    error
        .status()
        .is_some_and(|code| ["530", "534", "535", "538"].contains(&code.to_string().as_str()))
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Encryption {
    None,
    StartTls,
    Tls,
}

/// What the URL says.
struct SmtpUrl {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<(String, String)>,
}

impl SmtpUrl {
    fn parse(text: &str) -> Result<Self, InvalidSmtpUrl> {
        let malformed = InvalidSmtpUrl::Malformed;
        let url = url::Url::parse(text).map_err(|_| malformed.clone())?;
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(malformed.clone())?;
        let encryption = match (url.scheme(), url.query()) {
            ("smtps", None) => Encryption::Tls,
            ("smtp", None) => Encryption::StartTls,
            ("smtp", Some("tls=off")) if is_loopback(host) => Encryption::None,
            ("smtp", Some("tls=off")) => return Err(InvalidSmtpUrl::Unencrypted),
            _ => return Err(malformed),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(malformed);
        }
        let decoded = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| InvalidSmtpUrl::Malformed)
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) => Some((decoded(user)?, decoded(password)?)),
            (_, None) => return Err(malformed),
        };
        Ok(Self {
            port: url.port().unwrap_or(match encryption {
                Encryption::Tls => 465,
                Encryption::StartTls => 587,
                Encryption::None => 25,
            }),
            host: host.trim_matches(['[', ']']).to_owned(),
            encryption,
            credentials,
        })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_server_that_nobody_can_listen_in_to() {
        let parsed = SmtpUrl::parse("smtps://us%40er:p%2Fw@mail.example.org").unwrap();
        assert_eq!(
            (parsed.host.as_str(), parsed.port, parsed.encryption),
            ("mail.example.org", 465, Encryption::Tls)
        );
        assert_eq!(parsed.credentials, Some(("us@er".to_owned(), "p/w".to_owned())));
        let parsed = SmtpUrl::parse("smtp://mail.example.org").unwrap();
        assert_eq!((parsed.port, parsed.encryption), (587, Encryption::StartTls));
        for local in [
            "smtp://127.0.0.1:2525?tls=off",
            "smtp://localhost?tls=off",
            "smtp://[::1]:25?tls=off",
        ] {
            assert_eq!(
                SmtpUrl::parse(local).unwrap().encryption,
                Encryption::None,
                "{local}"
            );
        }
        assert_eq!(
            SmtpUrl::parse("smtp://mail.example.org?tls=off").err(),
            Some(InvalidSmtpUrl::Unencrypted)
        );
        for bad in [
            "",
            "mail.example.org",
            "http://mail.example.org",
            "smtp://",
            "smtp://user@mail.example.org",
            "smtp://mail.example.org?tls=opportunistic",
            "smtps://mail.example.org?tls=off",
            "smtp://mail.example.org/x",
            "smtps://us%ffer:p@mail.example.org",
        ] {
            assert_eq!(
                SmtpUrl::parse(bad).err(),
                Some(InvalidSmtpUrl::Malformed),
                "{bad}"
            );
        }
    }
}
