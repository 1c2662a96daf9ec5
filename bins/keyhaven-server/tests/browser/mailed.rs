//! Mails as people get them: from a real mail server, with links and codes in them.

use std::time::{Duration, Instant};

use keyhaven_testkit::smtp::MailServer;
use serde_json::Value;

use crate::Visit;

impl Visit {
    /// A site that sends its mails to this server.
    pub(crate) fn mailing(mails: &MailServer, environment: &[(&str, &str)]) -> Self {
        let url = mails.url();
        Self::with(&[&[("KEYHAVEN_MAIL__URL", url.as_str())], environment].concat())
    }

    /// Registers with an address, and confirms it by the link in the mail.
    pub(crate) fn register_confirmed(&mut self, mails: &MailServer, username: &str, address: &str) {
        self.register_with(username, &[("#register-email", address)]);
        self.says("registered_mail");
        self.browser
            .wait_for("!document.querySelector('#email-confirm').hidden");
        let link = link(&wait_for(mails, address, "verify-email="), "verify-email=");
        self.browser.open(&link);
        self.says("email_verified");
        self.browser
            .wait_for("document.querySelector('#email-confirm').hidden");
    }

    /// Asks for a recovery, and shows the code from the mail.
    pub(crate) fn show_mailed_code(&mut self, mails: &MailServer, address: &str) {
        let before = mails.mails().len();
        self.browser.click("#show-recover");
        self.browser.fill("#recover-email", address);
        self.browser.click("#recover-email-button");
        self.says("code_sent");
        let mut seen = before + 1;
        let code = loop {
            // Notices of what was done before may still be on their way.
            let found = mails.wait_for(seen);
            match found.iter().skip(before).find_map(digits) {
                Some(code) => break code,
                None => seen = found.len() + 1,
            }
        };
        self.browser.fill("#recover-code", &code);
        self.browser.click("#recover-code-button");
    }
}

/// Waits for a mail to this address with this in it: its text.
pub(crate) fn wait_for(mails: &MailServer, address: &str, part: &str) -> String {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let found = mails.mails().into_iter().rev().find_map(|mail| {
            let text = mail.get("text")?.as_str()?.to_owned();
            (mail.get("recipient")? == address && text.contains(part)).then_some(text)
        });
        if let Some(text) = found {
            return text;
        }
        assert!(Instant::now() < until, "no mail to {address} with {part}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The link in a mail that has this in it.
pub(crate) fn link(text: &str, part: &str) -> String {
    let found = text.split_whitespace().find(|word| word.contains(part));
    found.unwrap().to_owned()
}

/// The token at the end of a link.
pub(crate) fn token(link: &str) -> &str {
    link.split_once('=').unwrap().1
}

fn digits(mail: &Value) -> Option<String> {
    digits_in(mail.get("text")?.as_str()?)
}

/// The six digits of a code.
pub(crate) fn digits_in(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim);
    let code = lines.find(|line| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit()));
    code.map(str::to_owned)
}
