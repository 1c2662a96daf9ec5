//! Screenshots of every state of the page, to be looked at: `target/test-output/screenshots/`.

use std::path::PathBuf;

use keyhaven_testkit::browser::AuthenticatorOptions;

use crate::Visit;

#[test]
fn every_state_is_photographed() {
    let mut visit = Visit::new();
    let shots = [
        ("wide-light", 1280, 900, false),
        ("wide-dark", 1280, 900, true),
        ("narrow-light", 360, 780, false),
        ("narrow-dark", 360, 780, true),
    ];
    let take = |visit: &mut Visit, state: &str| {
        for (name, width, height, dark) in shots {
            visit.browser.resize(width, height, dark);
            fits(visit);
            visit
                .browser
                .screenshot(&directory().join(format!("{state}-{name}.png")));
        }
        visit.browser.resize(1280, 900, false);
    };
    take(&mut visit, "signed-out");
    visit.browser.click("#show-register");
    take(&mut visit, "register");
    visit.open();
    visit.register("alice");
    visit.browser.add_authenticator(AuthenticatorOptions {
        transport: "usb",
        ..AuthenticatorOptions::default()
    });
    visit.browser.set_automatic_presence(false);
    visit.touching(|visit| {
        visit.browser.click("#add-passkey");
        visit
            .browser
            .wait_for("document.querySelectorAll('[data-testid=passkey]').length === 2");
    });
    take(&mut visit, "signed-in");
    visit
        .browser
        .click("[data-testid=passkey]:last-child [data-testid=rename]");
    visit
        .browser
        .wait_for("document.querySelector('#rename-dialog').open");
    take(&mut visit, "rename");
    visit.browser.press("Escape");
    visit
        .browser
        .wait_for("!document.querySelector('#rename-dialog').open");
    visit
        .browser
        .click("[data-testid=passkey]:last-child [data-testid=delete]");
    visit
        .browser
        .wait_for("document.querySelector('#delete-dialog').open");
    take(&mut visit, "delete");
    visit.browser.press("Escape");
    visit
        .browser
        .wait_for("!document.querySelector('#delete-dialog').open");
    visit.touching(|visit| {
        visit.browser.click("#add-passkey");
        visit.says("already_registered");
    });
    take(&mut visit, "refused");
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
