//! From what a mail is about to what is sent.

use askama::Template;
use fluent_bundle::FluentArgs;
use keyhaven_types::UnixTime;
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::catalogue::Catalogue;
use crate::{Address, CloneResponse, Content, Mail};

/// Who sends: the same for all mails.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The name of the service, as its users know it.
    pub service: String,
    /// The address mails come from.
    pub from: Address,
}

/// The parts of a mail, ready to be sent.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The addressee.
    pub to: Address,
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    pub(crate) message: Message,
}

impl Rendered {
    /// The whole message (RFC 5322, MIME).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.message.formatted()
    }
}

/// The mail could not be made: a text is missing in the catalogue, or a part does not fit into a header. Trying again
/// does not help.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the mail could not be made")]
pub struct NotRendered;

#[derive(Template)]
#[template(path = "mail.txt", escape = "none")]
struct TextPart<'a> {
    greeting: &'a str,
    paragraphs: &'a [&'a str],
    code: Option<&'a str>,
    link: Option<&'a str>,
    details: &'a [(String, String)],
    closing: &'a str,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct HtmlPart<'a> {
    language: &'a str,
    subject: &'a str,
    greeting: &'a str,
    paragraphs: &'a [&'a str],
    code: Option<&'a str>,
    link: Option<&'a str>,
    button: Option<&'a str>,
    link_hint: &'a str,
    details: &'a [(String, String)],
    closing: &'a str,
}

/// Makes a message of a mail. `id` makes its Message-ID, the same at every attempt, so that a reader who gets it twice
/// sees it once: letters, digits and `-`.
///
/// # Errors
/// [`NotRendered`]
pub fn render(mail: &Mail, sender: &Sender, id: &str) -> Result<Rendered, NotRendered> {
    try_render(mail, sender, id).ok_or(NotRendered)
}

fn try_render(mail: &Mail, sender: &Sender, id: &str) -> Option<Rendered> {
    let catalogue = Catalogue::of(mail.language)?;
    let parts = Parts::of(&mail.content);
    let mut arguments = parts.arguments;
    arguments.set("service", plain(&sender.service));
    let text = |key: &str, arguments: &FluentArgs<'_>| catalogue.text(key, arguments);

    let subject = text(parts.key, &arguments)?;
    let greeting = match &mail.username {
        None => text("greeting-unnamed", &arguments)?,
        Some(username) => {
            let mut arguments = FluentArgs::new();
            arguments.set("username", plain(username));
            text("greeting", &arguments)?
        }
    };
    let body = text(&format!("{}.body", parts.key), &arguments)?;
    let paragraphs: Vec<&str> = body.split("\n\n").map(str::trim).collect();
    let button = match parts.link {
        None => None,
        Some(_) => Some(text(&format!("{}.button", parts.key), &arguments)?),
    };
    let details = match &mail.occasion {
        None => Vec::new(),
        Some(occasion) => [
            ("detail-time", Some(utc(occasion.at)?)),
            ("detail-ip", occasion.ip.as_deref().map(plain)),
            ("detail-device", occasion.device.as_deref().map(plain)),
        ]
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| Some((text(key, &arguments)?, value))))
        .collect::<Option<Vec<_>>>()?,
    };
    let (link_hint, closing) = (text("link-hint", &arguments)?, text("closing", &arguments)?);

    let plain_text = TextPart {
        greeting: &greeting,
        paragraphs: &paragraphs,
        code: parts.code,
        link: parts.link,
        details: &details,
        closing: &closing,
    }
    .render()
    .ok()?;
    let html = HtmlPart {
        language: mail.language.tag(),
        subject: &subject,
        greeting: &greeting,
        paragraphs: &paragraphs,
        code: parts.code,
        link: parts.link,
        button: button.as_deref(),
        link_hint: &link_hint,
        details: &details,
        closing: &closing,
    }
    .render()
    .ok()?;

    let domain = sender.from.inner().domain();
    let message = Message::builder()
        .from(Mailbox::new(
            Some(plain(&sender.service)),
            sender.from.inner().clone(),
        ))
        .to(Mailbox::new(None, mail.to.inner().clone()))
        .subject(subject.clone())
        .message_id(Some(format!("<{id}@{domain}>")))
        // RFC 3834: nobody's holiday notice should answer.
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ))
        .multipart(MultiPart::alternative_plain_html(
            plain_text.clone(),
            html.clone(),
        ))
        .ok()?;
    Some(Rendered {
        to: mail.to.clone(),
        subject,
        text: plain_text,
        html,
        message,
    })
}

/// What a kind of mail puts into the texts and between them.
struct Parts<'a> {
    key: &'static str,
    arguments: FluentArgs<'static>,
    link: Option<&'a str>,
    code: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(content: &'a Content) -> Self {
        let of = |key| Self {
            key,
            arguments: FluentArgs::new(),
            link: None,
            code: None,
        };
        match content {
            Content::AccountDeleted => of("account-deleted"),
            Content::AddressChanged { address } => of("address-changed").with("address", address.as_str()),
            Content::AddressChanging { address, review } => of("address-changing")
                .with("address", address.as_str())
                .link(&review.0),
            Content::AddressInUse => of("address-in-use"),
            Content::AlreadyRegistered { page } => of("already-registered").link(&page.0),
            Content::ChangeAddress { link, until } => of("change-address").link(&link.0).until(*until),
            Content::EnrolmentLink { link, until } => of("enrolment-link").link(&link.0).until(*until),
            Content::EnrolmentUsed => of("enrolment-used"),
            Content::NewDevice { review } => of("new-device").link(&review.0),
            Content::PasskeyAdded { passkey, review } => {
                of("passkey-added").with("passkey", passkey).link(&review.0)
            }
            Content::PasskeyCloned {
                passkey,
                response,
                review,
            } => of("passkey-cloned")
                .with("passkey", passkey)
                .with(
                    "response",
                    match response {
                        CloneResponse::Refused => "refused",
                        CloneResponse::Reported => "reported",
                        CloneResponse::Revoked => "revoked",
                        CloneResponse::Suspended => "suspended",
                    },
                )
                .link(&review.0),
            Content::PasskeyRemoved { passkey, review } => {
                of("passkey-removed").with("passkey", passkey).link(&review.0)
            }
            Content::PasswordChanged { review } => of("password-changed").link(&review.0),
            Content::RecoveryCode { code, until } => Self {
                code: Some(&code.0),
                ..of("recovery-code").until(*until)
            },
            Content::RecoveryCodesMade { review } => of("recovery-codes-made").link(&review.0),
            Content::RecoveryDone => of("recovery-done"),
            Content::RecoveryWaiting { cancel, until } => {
                of("recovery-waiting").link(&cancel.0).until(*until)
            }
            Content::RegistrationCode { code, link, until } => Self {
                code: Some(&code.0),
                ..of("registration-code").link(&link.0).until(*until)
            },
            Content::VerifyAddress { link, until } => of("verify-address").link(&link.0).until(*until),
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.arguments.set(name, plain(value));
        self
    }

    fn link(self, link: &'a str) -> Self {
        Self {
            link: Some(link),
            ..self
        }
    }

    fn until(mut self, until: UnixTime) -> Self {
        if let Some(until) = utc(until) {
            self.arguments.set("until", until);
        }
        self
    }
}

/// As one line of visible text: no line breaks, no control characters, no marks that turn the direction of what follows.
fn plain(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_whitespace() { ' ' } else { character })
        .filter(|&character| {
            !character.is_control()
                && !matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        })
        .collect()
}

/// `2026-11-21 10:40 UTC`, in every language.
fn utc(at: UnixTime) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(at.as_seconds())
        .ok()?
        .format(format_description!("[year]-[month]-[day] [hour]:[minute] UTC"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Language, Occasion, Secret};

    fn contents() -> Vec<Content> {
        let link = || Secret("https://example.org/#token=a&b=<c>".to_owned());
        let address = || "new@example.org".parse().unwrap();
        let until = UnixTime::from_millis(1_795_000_000_000);
        let passkey = || "My <b>key</b>".to_owned();
        let cloned = |response| Content::PasskeyCloned {
            passkey: passkey(),
            response,
            review: link(),
        };
        vec![
            Content::AccountDeleted,
            Content::AddressChanged { address: address() },
            Content::AddressChanging {
                address: address(),
                review: link(),
            },
            Content::AddressInUse,
            Content::AlreadyRegistered { page: link() },
            Content::ChangeAddress { link: link(), until },
            Content::EnrolmentLink { link: link(), until },
            Content::EnrolmentUsed,
            Content::NewDevice { review: link() },
            Content::PasskeyAdded {
                passkey: passkey(),
                review: link(),
            },
            cloned(CloneResponse::Refused),
            cloned(CloneResponse::Reported),
            cloned(CloneResponse::Revoked),
            cloned(CloneResponse::Suspended),
            Content::PasskeyRemoved {
                passkey: passkey(),
                review: link(),
            },
            Content::PasswordChanged { review: link() },
            Content::RecoveryCode {
                code: Secret("123456".to_owned()),
                until,
            },
            Content::RecoveryCodesMade { review: link() },
            Content::RecoveryDone,
            Content::RecoveryWaiting {
                cancel: link(),
                until,
            },
            Content::RegistrationCode {
                code: Secret("654321".to_owned()),
                link: link(),
                until,
            },
            Content::VerifyAddress { link: link(), until },
        ]
    }

    fn mail(language: Language, content: Content) -> Mail {
        Mail {
            to: "alice@example.org".parse().unwrap(),
            language,
            username: Some("alice".to_owned()),
            occasion: Some(Occasion {
                at: UnixTime::from_millis(1_795_000_000_000),
                ip: Some("192.0.2.1".to_owned()),
                device: Some("Firefox, Windows".to_owned()),
            }),
            content,
        }
    }

    fn sender() -> Sender {
        Sender {
            service: "Example & Sons".to_owned(),
            from: "no-reply@example.org".parse().unwrap(),
        }
    }

    #[test]
    fn every_mail_can_be_made_in_every_language_and_says_something_of_its_own() {
        let mut subjects = std::collections::BTreeSet::new();
        for language in Language::ALL {
            for content in contents() {
                let parts = Parts::of(&content);
                let secrets = [parts.code, parts.link].into_iter().flatten();
                let rendered = render(&mail(language, content.clone()), &sender(), "id-1")
                    .unwrap_or_else(|error| panic!("{language:?} {content:?}: {error}"));
                assert!(rendered.text.contains("alice") && rendered.text.contains("192.0.2.1"));
                assert!(
                    rendered.text.contains("Example & Sons") && rendered.html.contains("Example &#38; Sons")
                );
                for secret in secrets {
                    assert!(rendered.text.contains(secret), "{}", rendered.text);
                }
                assert!(!rendered.text.contains("{ $") && !rendered.text.contains('\u{2068}'));
                assert!(
                    !rendered.html.contains("<b>") && !rendered.html.contains("<c>"),
                    "{}",
                    rendered.html
                );
                subjects.insert(rendered.subject);
            }
        }
        // The four responses to a copied passkey share a subject.
        assert_eq!(subjects.len(), Language::ALL.len() * (contents().len() - 3));
    }

    #[test]
    fn languages_have_the_same_messages() {
        let keys = |text: &str| -> Vec<String> {
            text.lines()
                .filter_map(|line| line.split_once(" ="))
                .map(|(key, _)| key.to_owned())
                .collect()
        };
        let (de, en) = (
            keys(include_str!("../locales/de.ftl")),
            keys(include_str!("../locales/en.ftl")),
        );
        assert!(en.len() > 40);
        assert_eq!(de, en);
    }

    #[test]
    fn nothing_that_a_user_chose_becomes_a_header_or_a_line() {
        let content = Content::PasskeyAdded {
            passkey: "key\r\nBcc: eve@example.org\r\n\r\n\u{202e}evil".to_owned(),
            review: Secret("https://example.org/".to_owned()),
        };
        let mut mail = mail(Language::En, content);
        mail.username = Some("a\nb".to_owned());
        let rendered = render(&mail, &sender(), "id-1").unwrap();
        assert!(
            rendered.text.contains("“key  Bcc: eve@example.org    evil”"),
            "{}",
            rendered.text
        );
        assert!(rendered.text.contains("Hello a b,"));
        let bytes = String::from_utf8(rendered.to_bytes()).unwrap();
        let (headers, _) = bytes.split_once("\r\n\r\n").unwrap();
        assert!(!headers.contains("Bcc"), "{headers}");
        assert!(headers.contains("Message-ID: <id-1@example.org>"), "{headers}");
        assert!(headers.contains("Auto-Submitted: auto-generated"), "{headers}");
        assert!(
            headers.contains("Content-Type: multipart/alternative"),
            "{headers}"
        );
    }
}
