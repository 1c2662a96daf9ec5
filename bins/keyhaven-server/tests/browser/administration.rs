//! What administrators do in the page, and what others see of it.

use keyhaven_testkit::browser::AuthenticatorOptions;

use crate::Visit;

impl Visit {
    /// Presses a button whose request asks for a passkey.
    fn confirming(&mut self, button: &str, done: &str) {
        self.touching(|visit| {
            visit.browser.click(button);
            visit.says(done);
            visit
                .browser
                .wait_for("!document.querySelector('button[aria-busy=true]')");
        });
    }
}

#[test]
fn an_administrator_finds_locks_and_lets_in_and_others_see_nothing() {
    let mut visit = Visit::without_autofill();
    visit.register("bob");
    visit.browser.evaluate("location.hash = '#admin'");
    let nothing = "document.querySelector('#admin-tab').hidden && \
        !document.querySelector('#section-security').hidden";
    assert_eq!(visit.browser.evaluate(nothing), true);
    visit.sign_out();
    visit.register("root");
    visit.sign_out();
    visit.site.operate(&["admin", "create-first", "root"]);
    visit.sign_in("root");
    visit.browser.click("#admin-tab");
    visit.touching(|visit| {
        visit.browser.click("#admin-open");
        visit
            .browser
            .wait_for("document.querySelectorAll('[data-testid=user]').length === 2");
    });
    visit.browser.fill("#users-search", "Bob");
    visit.browser.click("#users-find");
    visit
        .browser
        .wait_for("document.querySelectorAll('[data-testid=user]').length === 1");
    visit.browser.click("[data-testid=user-name]");
    visit
        .browser
        .wait_for("document.querySelector('#user-title')?.innerText === 'bob'");

    visit.browser.click("#user-lock-button");
    visit.browser.fill("#lock-reason", "<b>left the company</b>");
    visit.confirming("#lock-confirm", "admin_locked");
    let told = visit.browser.text("#user-lock");
    assert!(told.contains("<b>left the company</b>"), "{told}");
    visit.confirming("#user-unlock", "admin_unlocked");
    visit.confirming("#user-sign-out", "admin_signed_out");
    visit.browser.click("[data-testid=user-remove-passkey]");
    visit.confirming("#user-passkey-confirm", "deleted");
    visit.browser.click("#user-enrol");
    visit.touching(|visit| {
        visit.browser.click("#enrol-confirm");
        visit
            .browser
            .wait_for("document.querySelector('#enrol-once-dialog')?.open === true");
    });
    let link = visit.browser.text("#enrol-once-lines code");
    visit.confirming("#enrol-once-done", "admin_link_made");

    visit.touching(|visit| {
        visit.browser.evaluate("location.hash = '#admin/audit'");
        visit
            .browser
            .wait_for("document.querySelector('[data-action=\"admin.lock\"]') !== null");
    });
    visit.sign_out();

    visit.browser.remove_authenticators();
    visit.browser.add_authenticator(AuthenticatorOptions::default());
    visit.browser.set_automatic_presence(false);
    visit.browser.open(&link);
    visit.task("enrolment");
    visit.browser.click("#enrolment-go");
    visit.task("recovered");
    visit.touching(|visit| {
        visit.browser.click("#recovered-add");
        visit.state("signed-in");
    });
    assert_eq!(visit.browser.text("#greeting-name"), "bob");
    visit.sign_out();
    visit.browser.open(&link);
    visit.browser.click("#enrolment-go");
    visit.says("enrolment_dead");
}
