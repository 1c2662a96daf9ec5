//! What people do with an account over the years: prove an address, lose a device, come back, look after themselves.

use keyhaven_testkit::browser::{AuthenticatorOptions, Browser};
use keyhaven_testkit::smtp::MailServer;

use crate::Visit;
use crate::looks::take;
use crate::mailed::{link, wait_for};

const ANNA: &str = "anna@example.com";

#[test]
fn a_lost_device_is_no_lost_account() {
    let mails = MailServer::start();
    let mut visit = Visit::mailing(&mails, &[]);
    visit.register_confirmed(&mails, "anna", ANNA);
    visit.plug_in("usb");
    visit.touching(|visit| {
        visit.browser.click("#add-passkey");
        visit.passkeys(2);
    });
    visit.browser.click("#make-codes");
    visit
        .browser
        .wait_for("document.querySelectorAll('#codes-once-lines code').length === 10");
    let code = visit.browser.text("#codes-once-lines code");
    visit.browser.click("#codes-once-done");
    visit.says("codes_made");
    assert!(visit.browser.text("#codes-state").contains("10"));
    visit.sign_out();

    // Phone and key are gone; there is another phone.
    visit.browser.remove_authenticators();
    visit.plug_in("internal");
    visit.show_mailed_code(&mails, ANNA);
    visit
        .browser
        .wait_for("!document.querySelector('#recover-waiting').hidden");
    visit.browser.fill("#recover-spare", &code);
    visit.browser.click("#recover-spare-button");
    visit.task("recovered");
    // Whoever reloads in between is where they were.
    visit.open();
    visit.task("recovered");
    visit.touching(|visit| {
        visit.browser.click("#recovered-add");
        visit.state("signed-in");
    });
    visit.says("recovered");
    visit.passkeys(3);
    assert!(visit.browser.text("#codes-state").contains('9'));
    visit.browser.click("#review-remove");
    visit.browser.click("#old-confirm");
    visit.passkeys(1);
    visit.says("deleted_others");
    visit
        .browser
        .wait_for("document.querySelector('#passkey-review').hidden");
    visit.sign_out();
    visit.sign_in("anna");
}

#[test]
fn a_password_leads_to_a_passkey() {
    let mut visit = Visit::with(&[("KEYHAVEN_PASSWORDS__FALLBACK", "on")]);
    let password = "four herons eat soup";
    visit.browser.click("#show-register");
    visit.browser.click("#register-use-password");
    visit.browser.fill("#register-username", "alice");
    visit.browser.fill("#register-password", password);
    visit.browser.click("#register-button");
    visit.task("offer");
    visit.browser.click("#offer-later");
    visit.state("signed-in");
    visit.passkeys(0);
    visit.sign_out();

    visit.browser.click("#signin-use-password");
    visit.browser.fill("#signin-username", "alice");
    visit.browser.fill("#signin-password", "four herons eat bread");
    visit.browser.click("#signin-button");
    visit.says("authentication_failed");
    visit.browser.fill("#signin-password", password);
    visit.browser.click("#signin-button");
    visit.task("offer");
    visit.touching(|visit| {
        visit.browser.click("#offer-make");
        visit.state("signed-in");
    });
    visit.passkeys(1);
    visit.sign_out();
    visit.sign_in("alice");

    // The password is no longer needed.
    visit.touching(|visit| {
        visit.browser.click("#remove-password");
        visit.browser.click("#password-confirm");
        visit.says("password_removed");
    });
    visit
        .browser
        .wait_for("document.querySelector('#remove-password').hidden");
}

#[test]
fn a_password_and_a_client_key_are_asked_for_beside_the_passkey() {
    let mut visit = Visit::with(&[
        ("KEYHAVEN_PASSWORDS__WITH_PASSKEY", "required"),
        ("KEYHAVEN_ACCOUNTS__CLIENT_KEY", "required"),
    ]);
    let password = "x7#kQ2!v";
    visit.browser.click("#show-register");
    visit.browser.fill("#register-username", "alice");
    visit.browser.fill("#register-password", password);
    visit.touching(|visit| {
        visit.browser.click("#register-button");
        visit
            .browser
            .wait_for("document.querySelector('#key-once-dialog')?.open === true");
    });
    let key = visit.browser.text("#key-once-lines code");
    visit.browser.click("#key-once-done");
    visit.sign_out();

    visit.browser.fill("#signin-username", "alice");
    visit.offered_autofill();
    visit.touching(|visit| {
        visit.browser.click("#signin-button");
        visit.says("password_required");
    });
    visit.browser.fill("#factor-password", password);
    visit.browser.fill("#factor-key", &"0".repeat(32));
    visit.touching(|visit| {
        visit.browser.click("#factor-button");
        visit.says("client_key_mismatch");
    });
    visit.browser.fill("#factor-key", &key);
    visit.touching(|visit| {
        visit.browser.click("#factor-button");
        visit.state("signed-in");
    });
    assert_eq!(visit.browser.text("#greeting-name"), "alice");
    // Nothing of it is kept where scripts of the page could read it another time.
    let kept = visit
        .browser
        .evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}]) + document.cookie");
    let kept = kept.as_str().unwrap().to_lowercase();
    for secret in [password, &key] {
        assert!(!kept.contains(&secret.to_lowercase()), "{kept}");
    }
    assert_eq!(kept, "[{},{}]");
}

#[test]
fn a_phones_passkey_leads_to_one_on_this_device() {
    let mut visit = Visit::with(&[]);
    visit.browser.remove_authenticators();
    visit.plug_in("cable");
    visit.open();
    visit.register("alice");
    // Where the device cannot have one, nothing is offered.
    visit.sign_out();
    visit.browser.fill("#signin-username", "alice");
    visit.touching(|visit| {
        visit.browser.click("#signin-button");
        visit.state("signed-in");
    });

    // From now on the phone answers by itself, as soon as autofill asks.
    visit.browser.set_automatic_presence(true);
    visit.plug_in("internal");
    let signed_in_by_phone = |visit: &mut Visit| {
        visit
            .browser
            .evaluate("fetch('/session', {method: 'DELETE'}).then(answer => answer.status)");
        visit.open();
    };
    signed_in_by_phone(&mut visit);
    visit.task("offer-here");
    take(&mut visit, "offer-here");
    visit.touching(|visit| {
        visit.browser.click("#offer-make");
        visit.state("signed-in");
    });
    visit.passkeys(2);

    // Who does not want one is not asked again.
    visit
        .browser
        .click("[data-testid=passkey]:last-child [data-testid=delete]");
    visit.touching(|visit| visit.browser.click("#delete-confirm"));
    visit.passkeys(1);
    signed_in_by_phone(&mut visit);
    visit.task("offer-here");
    visit.browser.click("#offer-later");
    visit.state("signed-in");
    signed_in_by_phone(&mut visit);
    visit.state("signed-in");
    visit.passkeys(1);
}

/// Anna has a passkey and a proven address, is signed out, and her recovery waits.
fn recovery_waits(mails: &MailServer) -> Visit {
    let mut visit = Visit::mailing(mails, &[]);
    visit.register_confirmed(mails, "anna", ANNA);
    visit.sign_out();
    visit.show_mailed_code(mails, ANNA);
    visit
        .browser
        .wait_for("!document.querySelector('#recover-waiting').hidden");
    visit
}

#[test]
fn a_recovery_waits_is_found_again_and_is_cancelled_by_the_mailed_link() {
    let mails = MailServer::start();
    let mut visit = recovery_waits(&mails);
    assert_eq!(
        visit
            .browser
            .evaluate("document.querySelectorAll('#recover-wait-text time').length"),
        1
    );
    visit.open();
    visit.browser.click("#show-recover");
    visit
        .browser
        .wait_for("!document.querySelector('#recover-waiting').hidden");

    let link = link(&wait_for(&mails, ANNA, "cancel-recovery="), "cancel-recovery=");
    visit.browser.open(&link);
    visit.task("cancel");
    // Opened, it has cancelled nothing.
    visit.open();
    visit.browser.click("#show-recover");
    visit
        .browser
        .wait_for("!document.querySelector('#recover-waiting').hidden");
    visit.browser.open(&link);
    visit.browser.click("#cancel-confirm");
    visit.says("recovery_cancelled");
    visit.browser.click("#show-recover");
    visit
        .browser
        .wait_for("!document.querySelector('#recover-email-form').hidden");
    visit.browser.open(&link);
    visit.browser.click("#cancel-confirm");
    visit.says("link_dead");
}

#[test]
fn who_is_signed_in_sees_a_recovery_that_waits_and_stops_it() {
    let mails = MailServer::start();
    let mut visit = recovery_waits(&mails);
    visit.open();
    visit.sign_in("anna");
    visit
        .browser
        .wait_for("document.querySelector('#recovery-notice-text time') !== null");
    take(&mut visit, "recovery-notice");
    visit.browser.click("#recovery-stop");
    visit.says("recovery_cancelled");
    visit
        .browser
        .wait_for("document.querySelector('#recovery-notice').hidden");
}

#[test]
fn a_wrong_code_is_said_and_the_right_one_still_works() {
    let mails = MailServer::start();
    let mut visit = Visit::mailing(&mails, &[("KEYHAVEN_RECOVERY__WAIT_HOURS", "0")]);
    visit.register_confirmed(&mails, "anna", ANNA);
    visit.sign_out();
    visit.browser.click("#show-recover");
    visit.browser.fill("#recover-email", "nobody@example.com");
    visit.browser.click("#recover-email-button");
    visit.says("code_sent");
    visit.browser.fill("#recover-code", "123456");
    visit.browser.click("#recover-code-button");
    visit.says("recover_code_wrong");
    visit.browser.click("#recover-restart");
    visit.browser.click("#recover-panel [data-panel=signin]");
    visit.show_mailed_code(&mails, ANNA);
    visit.task("recovered");
    visit.browser.click("#recovered-leave");
    visit.state("signed-out");
}

#[test]
fn a_session_elsewhere_is_ended_and_notices() {
    let mut visit = Visit::new();
    visit.register("alice");
    let passkey = visit.browser.credentials().remove(0);
    let mut other = Browser::start();
    other.add_authenticator(AuthenticatorOptions::default());
    other.add_credential(&passkey);
    other.set_automatic_presence(false);

    std::mem::swap(&mut visit.browser, &mut other);
    visit.open();
    visit.sign_in("alice");
    std::mem::swap(&mut visit.browser, &mut other);

    visit.open();
    visit
        .browser
        .wait_for("document.querySelectorAll('[data-testid=session]').length === 2");
    visit
        .browser
        .click("[data-testid=session]:last-child [data-testid=revoke-session]");
    visit.says("session_revoked");
    visit
        .browser
        .wait_for("document.querySelectorAll('[data-testid=session]').length === 1");

    std::mem::swap(&mut visit.browser, &mut other);
    visit.browser.click("#add-passkey");
    visit.says("session_expired");
    visit.state("signed-out");
    assert_eq!(visit.browser.text("#passkey-list"), "");
    std::mem::swap(&mut visit.browser, &mut other);

    visit.browser.click("#revoke-all");
    visit.browser.click("#all-confirm");
    visit.says("signed_out_everywhere");
    visit.state("signed-out");
}

#[test]
fn a_link_of_another_account_is_said_to_be_and_the_right_one_can_sign_in() {
    let mails = MailServer::start();
    let mut visit = Visit::mailing(&mails, &[]).forgo_autofill();
    visit.register_with("anna", &[("#register-email", ANNA)]);
    let link = link(&wait_for(&mails, ANNA, "verify-email="), "verify-email=");
    visit.sign_out();
    visit.register("bob");
    visit.browser.open(&link);
    visit.task("link");
    visit.browser.click("#link-other");
    visit.state("signed-out");
    assert!(!visit.browser.text("#link-notice").is_empty());
    visit.sign_in("anna");
    visit.says("email_verified");
    visit.browser.click("[data-section=account]");
    assert!(visit.browser.text("#email-state").contains(ANNA));

    // Another address: both are told, and the first stays until the second is proven.
    visit.touching(|visit| {
        visit.browser.click("#email-change");
        visit.browser.fill("#email-new-input", "new@example.com");
        visit.browser.click("#email-new-confirm");
        visit.says("email_sent");
    });
    assert!(visit.browser.text("#email-state").contains(ANNA));
    let next = wait_for(&mails, "new@example.com", "verify-email=");
    visit.browser.open(&crate::mailed::link(&next, "verify-email="));
    visit.says("email_verified");
    assert!(visit.browser.text("#email-state").contains("new@example.com"));
}

#[test]
fn the_last_passkey_stays_and_it_is_said_why() {
    let mut visit = Visit::new();
    visit.register("alice");
    visit
        .browser
        .wait_for("!document.querySelector('#passkey-single').hidden");
    visit.browser.click("[data-testid=delete]");
    visit.browser.click("#delete-confirm");
    visit.says("last_credential");
    visit.passkeys(1);
}

#[test]
fn the_browser_is_told_which_passkeys_count_after_every_change() {
    let mut visit = Visit::new();
    let source = "window.told = []; for (const name of ['signalAllAcceptedCredentials', 'signalCurrentUserDetails']) \
        PublicKeyCredential[name] = async told => { window.told.push([name, told]); };";
    visit.browser.call(
        "Page.addScriptToEvaluateOnNewDocument",
        serde_json::json!({"source": source}),
    );
    visit.open();
    visit.register("alice");
    visit.plug_in("usb");
    visit.touching(|visit| {
        visit.browser.click("#add-passkey");
        visit.passkeys(2);
    });
    let lists = |visit: &mut Visit| {
        let sizes = "window.told.filter(([name]) => name === 'signalAllAcceptedCredentials') \
            .map(([, told]) => told.allAcceptedCredentialIds.length)";
        let told = visit.browser.evaluate(sizes);
        visit.browser.evaluate("window.told = []");
        told
    };
    let told = lists(&mut visit);
    assert!(told.as_array().unwrap().contains(&2.into()), "{told}");
    visit
        .browser
        .click("[data-testid=passkey]:last-child [data-testid=rename]");
    visit.browser.fill("#rename-input", "Blue key");
    visit.browser.click("#rename-confirm");
    visit.says("renamed");
    assert_eq!(lists(&mut visit)[0], 2);
    visit
        .browser
        .click("[data-testid=passkey]:last-child [data-testid=delete]");
    visit.browser.click("#delete-confirm");
    visit.passkeys(1);
    visit.says("deleted");
    assert_eq!(lists(&mut visit)[0], 1);
}
