//! What attackers try with the page itself: its links, and what people can call things.

use keyhaven_testkit::smtp::MailServer;
use serde_json::json;

use crate::Visit;
use crate::mailed::{link, token, wait_for};

#[test]
fn a_mailed_token_is_in_no_address_no_referrer_and_no_history() {
    let mails = MailServer::start();
    let mut visit = Visit::mailing(&mails, &[]);
    let address = "anna@example.com";
    visit.register_with("anna", &[("#register-email", address)]);
    let link = link(&wait_for(&mails, address, "verify-email="), "verify-email=");
    let source = "window.sent = []; const swift = fetch; window.fetch = (url, options) => { \
        window.sent.push(String(url), location.href, document.referrer); return swift(url, options); };";
    visit
        .browser
        .call("Page.addScriptToEvaluateOnNewDocument", json!({"source": source}));
    // In a page of its own, as from a mail program.
    visit.browser.open("about:blank");
    visit.browser.open(&link);
    visit.says("email_verified");
    let token = token(&link).to_owned();
    let seen = visit.browser.evaluate(
        "[...window.sent, location.href, document.documentElement.outerHTML, \
          ...performance.getEntriesByType('resource').map(entry => entry.name), \
          ...Object.values({...localStorage}), ...Object.values({...sessionStorage})]",
    );
    let navigated = |text: &str| text.contains(&token);
    let seen = seen.as_array().unwrap();
    assert!(seen.len() > 10);
    let leaks = seen.iter().filter(|text| navigated(text.as_str().unwrap()));
    assert_eq!(leaks.collect::<Vec<_>>(), Vec::<&serde_json::Value>::new());
    let history = visit.browser.call("Page.getNavigationHistory", json!({}));
    for entry in history["entries"].as_array().unwrap() {
        assert!(!navigated(entry["url"].as_str().unwrap()), "{entry}");
    }
    let policy = "fetch('/').then(answer => answer.headers.get('referrer-policy'))";
    assert_eq!(visit.browser.evaluate(policy), "no-referrer");
}

#[test]
fn what_people_call_things_is_text_and_nothing_else() {
    let mut visit = Visit::new();
    let image = "<img src=x onerror=window.hacked=1>";
    let agent = json!({"userAgent": format!("{image} {{name}} Chrome/1")});
    visit.browser.call("Emulation.setUserAgentOverride", agent);
    visit.open();
    visit.register_with("alice", &[("#register-displayname", image)]);
    assert_eq!(visit.browser.text("#greeting-name"), image);
    for name in [
        "<b onclick=alert(1)>{name}</b>",
        "javascript:alert(1)",
        "\"><svg onload=hacked=1>",
    ] {
        visit.browser.click("[data-testid=rename]");
        visit.browser.fill("#rename-input", name);
        visit.browser.click("#rename-confirm");
        visit.browser.wait_for(&format!(
            "document.querySelector('#status').innerText.includes({})",
            json!(name)
        ));
        assert_eq!(visit.browser.text("[data-testid=passkey-name]"), name);
        visit.browser.click("[data-testid=delete]");
        assert!(visit.browser.text("#delete-title").contains(name));
        visit.browser.click("#delete-cancel");
    }
    visit.browser.click("#language");
    assert_eq!(visit.browser.text("#greeting-name"), image);
    let made =
        "[typeof window.hacked, document.querySelectorAll('main img, main b, [onclick], [onload]').length]";
    assert_eq!(visit.browser.evaluate(made), json!(["undefined", 0]));
}

#[test]
fn nothing_of_an_account_stays_in_the_page_after_signing_out() {
    let mut visit = Visit::new();
    visit.register_with("alice", &[("#register-displayname", "Alice Liddell")]);
    visit.sign_out();
    let page = visit.browser.evaluate("document.documentElement.outerHTML");
    assert!(!page.as_str().unwrap().contains("Liddell"));
    assert_eq!(
        visit
            .browser
            .evaluate("[...document.querySelectorAll('input')].every(input => input.value === '')"),
        true
    );
}
