//! What people do with what is held of them, and accounts that are called by their addresses.

use keyhaven_testkit::smtp::MailServer;
use serde_json::json;

use crate::Visit;
use crate::mailed::{digits_in, link, wait_for};

const ANNA: &str = "anna@example.com";

#[test]
fn a_person_changes_her_name_sees_what_happened_takes_her_data_and_leaves() {
    let mut visit = Visit::new();
    let kept = "window.files = []; const made = URL.createObjectURL; \
        URL.createObjectURL = blob => { window.files.push(blob); return made.call(URL, blob); };";
    visit
        .browser
        .call("Page.addScriptToEvaluateOnNewDocument", json!({"source": kept}));
    visit.open();
    visit.register("alice");
    visit.browser.click("[data-section=account]");
    for name in ["Alice L.", "Alice Liddell"] {
        visit.browser.click("#change-name");
        visit.browser.fill("#name-input", name);
        visit.browser.click("#name-confirm");
        visit.browser.wait_for(&format!(
            "document.querySelector('#display-name').innerText === {}",
            json!(name)
        ));
    }
    assert_eq!(visit.browser.text("#greeting-name"), "Alice Liddell");
    assert_eq!(visit.browser.text("#display-name"), "Alice Liddell");

    visit.touching(|visit| {
        visit.browser.click("#export");
        visit.says("exported");
    });
    let file = visit
        .browser
        .evaluate("window.files[0].text().then(text => JSON.parse(text).account.displayName)");
    assert_eq!(file, "Alice Liddell");

    visit.open();
    visit
        .browser
        .wait_for("document.querySelectorAll('[data-testid=event]').length === 5");
    visit.browser.click("#more-events");
    visit
        .browser
        .wait_for("document.querySelector('[data-action=\"registration.finish\"]') !== null");

    visit.browser.click("[data-section=account]");
    visit.browser.click("#delete-account");
    visit.browser.fill("#leave-input", "bob");
    visit.browser.click("#leave-confirm");
    assert!(!visit.browser.text("#leave-input-error").is_empty());
    visit.browser.fill("#leave-input", "alice");
    visit.touching(|visit| {
        visit.browser.click("#leave-confirm");
        visit.says("account_deleted");
    });
    visit.state("signed-out");
    visit.open();
    assert_eq!(visit.script("return (await fetch('/session')).status;"), 401);
}

#[test]
fn an_account_is_called_by_its_address_and_made_with_the_mailed_code() {
    let mails = MailServer::start();
    let mut visit = Visit::mailing(&mails, &[("KEYHAVEN_ACCOUNTS__IDENTIFIER", "email")]);
    visit.browser.click("#show-register");
    visit.browser.fill("#register-email", ANNA);
    visit.browser.click("#register-button");
    visit.says("register_code_sent");
    let mail = wait_for(&mails, ANNA, "#register=");
    let code = digits_in(&mail).unwrap();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    visit.browser.fill("#register-code", wrong);
    visit.browser.click("#register-button");
    visit.says("register_code_wrong");
    visit.browser.fill("#register-code", &code);
    visit.touching(|visit| {
        visit.browser.click("#register-button");
        visit.state("signed-in");
    });
    assert_eq!(visit.browser.text("#greeting-name"), ANNA);
    visit.sign_out();
    visit.sign_in("ANNA@example.com");
    visit.sign_out();

    // By the link, in the browser that asked.
    visit.browser.click("#show-register");
    visit.browser.fill("#register-email", "bert@example.com");
    visit.browser.click("#register-button");
    visit.says("register_code_sent");
    let mail = wait_for(&mails, "bert@example.com", "#register=");
    // Anna's passkey would answer by itself.
    let held = visit.browser.credentials().remove(0);
    visit.browser.remove_credential(&held);
    visit.browser.open("about:blank");
    visit.browser.open(&link(&mail, "#register="));
    visit.settled();
    assert_eq!(visit.browser.evaluate("location.hash"), "");
    visit.touching(|visit| {
        visit.browser.click("#register-button");
        visit.state("signed-in");
    });
    assert_eq!(visit.browser.text("#greeting-name"), "bert@example.com");
}
