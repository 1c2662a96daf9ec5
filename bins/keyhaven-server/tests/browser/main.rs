//! The product as a person meets it: the real binary, the real page, a real browser with a virtual authenticator.
#![expect(clippy::unwrap_used, reason = "tests")]

mod account;
mod administration;
mod attacks;
mod journey;
mod looks;
mod mailed;
mod own_data;
mod page_attacks;
mod site;
mod words;

use keyhaven_testkit::browser::{AuthenticatorOptions, Browser};
use keyhaven_testkit::process::TempDir;
use serde_json::{Value, json};

use crate::site::Site;

/// A site and a browser that has its page open.
struct Visit {
    site: Site,
    browser: Browser,
    /// Whether the page offers passkeys by itself.
    autofill: bool,
}

impl Visit {
    /// Rate limits off: a test does in seconds what a person does in a day.
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(environment: &[(&str, &str)]) -> Self {
        let environment = [&[("KEYHAVEN_RATE_LIMIT", "off")], environment].concat();
        let site = Site::start(&environment);
        let mut browser = Browser::start();
        browser.add_authenticator(AuthenticatorOptions::default());
        // Autofill would sign in by itself wherever a passkey is found; tests that are about it turn this on.
        browser.set_automatic_presence(false);
        let mut visit = Self {
            site,
            browser,
            autofill: true,
        };
        visit.open();
        visit
    }

    /// As [`Self::new`], with ceremonies that last so many seconds, but not before this is prepared: what takes long on
    /// a busy machine is not to fail before the test has begun. The page is open anew.
    fn with_ceremonies_of(seconds: u32, prepare: impl FnOnce(&mut Self)) -> Self {
        let directory = TempDir::new("configuration");
        let file = directory.path().join("keyhaven.toml");
        std::fs::write(&file, "").unwrap();
        let mut visit = Self::with(&[("KEYHAVEN_CONFIG", file.to_str().unwrap())]);
        prepare(&mut visit);
        std::fs::write(&file, format!("ceremony_ttl_seconds = {seconds}\n")).unwrap();
        visit.site.restart();
        visit.open();
        visit
    }

    /// As [`Self::new`], for tests that talk to the authenticator themselves, or give it several accounts' passkeys, any of
    /// which autofill may take: it would be in their way, and is not begun.
    fn without_autofill() -> Self {
        Self::with(&[]).forgo_autofill()
    }

    fn forgo_autofill(mut self) -> Self {
        let source = "PublicKeyCredential.isConditionalMediationAvailable = async () => false;";
        let parameters = json!({"source": source});
        self.browser
            .call("Page.addScriptToEvaluateOnNewDocument", parameters);
        self.autofill = false;
        self.open();
        self
    }

    fn open(&mut self) {
        let url = format!("{}/", self.site.origin);
        self.browser.open(&url);
        self.settled();
    }

    fn settled(&mut self) {
        self.browser
            .wait_for("['signed-in', 'signed-out', 'task'].includes(document.documentElement.dataset.state)");
    }

    fn state(&mut self, state: &str) {
        self.browser.wait_for(&format!(
            "document.documentElement.dataset.state === {} && !document.querySelector('button[aria-busy=true]')",
            json!(state)
        ));
    }

    /// Waits until the page says something with this code.
    fn says(&mut self, code: &str) {
        self.browser.wait_for(&format!(
            "document.querySelector('#status').dataset.code === {}",
            json!(code)
        ));
    }

    /// Does something with the authenticator answering by itself.
    fn touching<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        self.browser.set_automatic_presence(true);
        let done = act(self);
        self.browser.set_automatic_presence(false);
        done
    }

    fn register(&mut self, username: &str) {
        self.register_with(username, &[]);
    }

    /// Registers, with other fields filled in, too.
    fn register_with(&mut self, username: &str, fields: &[(&str, &str)]) {
        self.browser.click("#show-register");
        self.browser.fill("#register-username", username);
        for (field, text) in fields {
            self.browser.fill(field, text);
        }
        self.touching(|visit| {
            visit.browser.click("#register-button");
            visit.state("signed-in");
        });
    }

    /// Waits until autofill is on offer. Offered while the authenticator waits for a touch, it stays so; begun later, it
    /// would sign in by itself, beside what the test does.
    fn offered_autofill(&mut self) {
        self.browser
            .wait_for("document.documentElement.dataset.autofill === 'on'");
    }

    fn sign_in(&mut self, username: &str) {
        self.browser.fill("#signin-username", username);
        if self.autofill {
            self.offered_autofill();
        }
        self.touching(|visit| {
            visit.browser.click("#signin-button");
            visit.state("signed-in");
        });
    }

    /// Waits for a task, alone on the page.
    fn task(&mut self, name: &str) {
        self.browser.wait_for(&format!(
            "document.documentElement.dataset.task === {}",
            json!(name)
        ));
    }

    /// Waits until there are so many passkeys in the list.
    fn passkeys(&mut self, count: usize) {
        self.browser.wait_for(&format!(
            "document.querySelectorAll('[data-testid=passkey]').length === {count}"
        ));
    }

    /// Adds an authenticator, which waits for a touch.
    fn plug_in(&mut self, transport: &'static str) {
        self.browser.add_authenticator(AuthenticatorOptions {
            transport,
            ..AuthenticatorOptions::default()
        });
        self.browser.set_automatic_presence(false);
    }

    fn sign_out(&mut self) {
        self.browser.click("#sign-out");
        self.state("signed-out");
    }

    /// Runs the body of an async function in the page, with `post(path, body)`, `get(options)` and
    /// `create(options)` at hand, and returns what it returns.
    fn script(&mut self, body: &str) -> Value {
        self.touching(|visit| {
            visit
                .browser
                .evaluate(&format!("(async () => {{ {HELPERS} {body} }})()"))
        })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        // Whatever a test is about: a page that throws or breaks its own policy is broken.
        if !std::thread::panicking() {
            assert_eq!(self.browser.complaints(), Vec::<String>::new());
            assert!(self.site.all_were_asked(), "one process did it all");
        }
    }
}

/// What an attacker's page script would have too.
const HELPERS: &str = r"
    const post = async (path, body) => {
        const answer = await fetch(path, {
            method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(body),
        });
        return {status: answer.status, ...await answer.json()};
    };
    const get = async options => (await navigator.credentials.get({
        publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
    })).toJSON();
    const create = async options => (await navigator.credentials.create({
        publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
    })).toJSON();
";
