//! Screenshots of every state of the page, to be looked at: `target/test-output/screenshots/`.

use std::path::PathBuf;

use keyhaven_testkit::smtp::MailServer;
use serde_json::json;

use crate::Visit;

const SHOTS: [(&str, u32, u32, bool); 4] = [
    ("wide-light", 1280, 900, false),
    ("wide-dark", 1280, 900, true),
    ("narrow-light", 320, 780, false),
    ("narrow-dark", 360, 780, true),
];

#[test]
fn every_state_is_photographed() {
    let mails = MailServer::start();
    let mut visit = Visit::mailing(
        &mails,
        &[
            ("KEYHAVEN_PASSWORDS__FALLBACK", "on"),
            ("KEYHAVEN_PASSWORDS__WITH_PASSKEY", "by-account"),
            ("KEYHAVEN_ACCOUNTS__CLIENT_KEY", "by-account"),
        ],
    );
    let address = "anna@example.com";
    take(&mut visit, "signed-out");
    visit.browser.click("#signin-use-password");
    take(&mut visit, "signin-password");
    visit.browser.click("#show-register");
    take(&mut visit, "register");
    visit.browser.click("#register-use-password");
    take(&mut visit, "register-password");
    visit.open();
    visit.register_with("anna", &[("#register-email", address)]);
    visit.says("registered_mail");
    take(&mut visit, "registered");
    let link = |place: &str| crate::mailed::link(&crate::mailed::wait_for(&mails, address, place), place);
    visit.browser.open(&link("verify-email="));
    visit.says("email_verified");
    visit.plug_in("usb");
    visit.touching(|visit| {
        visit.browser.click("#add-passkey");
        visit.passkeys(2);
    });
    take(&mut visit, "signed-in");
    visit.browser.click("[data-section=account]");
    take(&mut visit, "account");
    visit.browser.click("[data-section=security]");
    opened(
        &mut visit,
        "[data-testid=passkey]:last-child [data-testid=rename]",
        "rename",
    );
    opened(
        &mut visit,
        "[data-testid=passkey]:last-child [data-testid=delete]",
        "delete",
    );
    opened(&mut visit, "#delete-others", "others");
    opened(&mut visit, "#change-password", "password");
    visit.browser.click("#make-codes");
    visit
        .browser
        .wait_for("document.querySelector('#codes-once-dialog')?.open === true");
    take(&mut visit, "codes");
    visit.browser.click("#codes-once-done");
    visit.says("codes_made");
    visit.touching(|visit| {
        visit.browser.click("#add-passkey");
        visit.says("already_registered");
    });
    take(&mut visit, "refused");
    visit.sign_out();
    visit.browser.click("#show-recover");
    take(&mut visit, "recover");
    visit.browser.click("#recover-panel [data-panel=signin]");
    visit.show_mailed_code(&mails, address);
    visit
        .browser
        .wait_for("!document.querySelector('#recover-waiting').hidden");
    take(&mut visit, "waiting");
    visit.browser.open(&link("cancel-recovery="));
    visit.task("cancel");
    take(&mut visit, "cancel");
}

#[test]
fn a_recovery_and_an_offer_are_photographed_in_german() {
    let mails = MailServer::start();
    let environment = [
        ("KEYHAVEN_RECOVERY__WAIT_HOURS", "0"),
        ("KEYHAVEN_PASSWORDS__FALLBACK", "on"),
    ];
    let mut visit = Visit::mailing(&mails, &environment);
    let german = json!({"userAgent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140", "acceptLanguage": "de"});
    visit.browser.call("Emulation.setUserAgentOverride", german);
    visit.open();
    take(&mut visit, "german-signed-out");
    visit.register_confirmed(&mails, "anna", "anna@example.com");
    take(&mut visit, "german-signed-in");
    visit.sign_out();
    visit.show_mailed_code(&mails, "anna@example.com");
    visit.task("recovered");
    take(&mut visit, "german-recovered");
    visit.browser.remove_authenticators();
    visit.plug_in("internal");
    visit.touching(|visit| {
        visit.browser.click("#recovered-add");
        visit.state("signed-in");
    });
    take(&mut visit, "german-review");
    visit.sign_out();
    visit.browser.click("#show-register");
    visit.browser.click("#register-use-password");
    visit.browser.fill("#register-username", "bert");
    visit
        .browser
        .fill("#register-password", "vier Reiher essen Suppe");
    visit.browser.click("#register-button");
    visit.task("offer");
    take(&mut visit, "german-offer");
}

#[test]
fn administration_is_photographed() {
    let mut visit = Visit::without_autofill();
    for name in ["alice", "bob", "root"] {
        visit.register_with(name, &[("#register-email", &format!("{name}@example.com"))]);
        visit.sign_out();
    }
    visit.site.operate(&["admin", "create-first", "root"]);
    visit
        .site
        .operate(&["admin", "lock", "bob", "--reason", "left the company"]);
    visit.sign_in("root");
    visit.browser.click("#admin-tab");
    take(&mut visit, "admin-closed");
    visit.touching(|visit| {
        visit.browser.click("#admin-open");
        visit
            .browser
            .wait_for("document.querySelectorAll('[data-testid=user]').length === 3");
    });
    take(&mut visit, "admin-users");
    visit.browser.click("li:nth-child(2) [data-testid=user-name]");
    visit
        .browser
        .wait_for("document.querySelector('#user-title') !== null");
    take(&mut visit, "admin-user");
    visit.browser.evaluate("location.hash = '#admin/audit'");
    visit
        .browser
        .wait_for("document.querySelector('[data-action=\"admin.lock\"]') !== null");
    take(&mut visit, "admin-audit");
}

/// Opens a dialog, takes its picture, and leaves it by the keyboard.
fn opened(visit: &mut Visit, button: &str, name: &str) {
    visit.browser.click(button);
    visit.browser.wait_for(&format!(
        "document.querySelector('#{name}-dialog')?.open === true"
    ));
    take(visit, name);
    visit.browser.press("Escape");
    visit
        .browser
        .wait_for(&format!("!document.querySelector('#{name}-dialog')"));
}

pub(crate) fn take(visit: &mut Visit, state: &str) {
    for (name, width, height, dark) in SHOTS {
        visit.browser.resize(width, height, dark);
        fits(visit);
        visit
            .browser
            .screenshot(&directory().join(format!("{state}-{name}.png")));
    }
    visit.browser.resize(1280, 900, false);
}

/// Nothing sticks out to the side.
fn fits(visit: &mut Visit) {
    visit
        .browser
        .wait_for("document.documentElement.scrollWidth <= document.documentElement.clientWidth");
}

fn directory() -> PathBuf {
    // <target>/<profile>/keyhaven is the binary under test.
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_keyhaven"));
    binary.ancestors().nth(2).unwrap().join("test-output/screenshots")
}
