//! The driver keeps its promises: a test that relies on it fails when the page does.

use keyhaven_testkit::browser::{AuthenticatorOptions, Browser};
use keyhaven_testkit::site::serve;
use serde_json::json;

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>driver</title>
<input id="field" value="old"><button id="button">Press</button><button id="off" disabled>Off</button>
<div style="height: 3000px"></div><button id="far">Far</button><output id="said"></output>
<script type="module" src="/page.js"></script>"#;

const SCRIPT: &str = r"
    const said = document.querySelector('#said');
    for (const id of ['button', 'far'])
        document.querySelector('#' + id).addEventListener('click', e => said.textContent += id + e.isTrusted + ';');
    document.querySelector('#field').addEventListener('keydown', e => { if (e.key === 'Enter') said.textContent += 'enter;'; });
    window.make = async () => (await navigator.credentials.create({publicKey: {
        rp: {id: 'localhost', name: 'driver'}, user: {id: new Uint8Array(16), name: 'a', displayName: 'a'},
        challenge: new Uint8Array(32), pubKeyCredParams: [{type: 'public-key', alg: -7}, {type: 'public-key', alg: -257}],
        authenticatorSelection: {residentKey: 'required', userVerification: 'required'}, timeout: 60000,
    }})).id;
    window.flags = async () => new Uint8Array((await navigator.credentials.get({publicKey: {
        rpId: 'localhost', challenge: new Uint8Array(32), userVerification: 'required', timeout: 60000,
    }})).response.authenticatorData)[32];
";

const POLICY: &str = "content-security-policy: default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; \
    img-src 'self'\r\n";

fn site() -> String {
    serve(
        &[("/", "text/html", PAGE), ("/page.js", "text/javascript", SCRIPT)],
        POLICY,
    )
}

#[test]
fn clicks_and_keys_are_a_persons() {
    let mut browser = Browser::start();
    browser.open(&site());
    browser.click("#button");
    browser.click("#far");
    browser.fill("#field", "new");
    browser.press("Enter");
    assert_eq!(browser.text("#said"), "buttontrue;fartrue;enter;");
    assert_eq!(browser.evaluate("document.querySelector('#field').value"), "new");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn what_is_thrown_in_the_page_is_an_error_here() {
    let mut browser = Browser::start();
    browser.open(&site());
    assert_eq!(browser.evaluate("Promise.resolve({a: [1]})"), json!({"a": [1]}));
    let thrown = browser.try_evaluate("Promise.reject(new TypeError('no'))");
    assert!(thrown.unwrap_err().starts_with("TypeError: no"));
}

#[test]
fn a_page_that_throws_or_breaks_its_policy_is_noticed() {
    let mut browser = Browser::start();
    browser.open(&site());
    for (act, word) in [
        ("setTimeout(() => { throw new Error('lost'); }) && null", "lost"),
        ("Promise.reject(new Error('unawaited')) && null", "unawaited"),
        ("console.error('grave')", "grave"),
        (
            "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.bad = 1'}))",
            "Content Security Policy",
        ),
        (
            "document.body.append(Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:9/x.png'}))",
            "Content Security Policy",
        ),
    ] {
        browser.evaluate(act);
        browser.evaluate("new Promise(resolve => setTimeout(resolve, 100))");
        let complaints = browser.complaints();
        assert!(
            complaints.iter().any(|complaint| complaint.contains(word)),
            "{act}: {complaints:?}"
        );
    }
    assert_eq!(browser.evaluate("window.bad === undefined"), true);
}

#[test]
fn the_authenticator_signs_and_lies_as_told() {
    const UP: u64 = 1;
    const UV: u64 = 4;
    let mut browser = Browser::start();
    browser.add_authenticator(AuthenticatorOptions::default());
    browser.open(&site());
    let id = browser.evaluate("make()");
    assert_eq!(browser.credentials().len(), 1);
    let flags = |browser: &mut Browser, bogus, bad_uv, bad_up| {
        browser.spoil(bogus, bad_uv, bad_up);
        browser.evaluate("flags()").as_u64().unwrap() & (UP | UV)
    };
    assert_eq!(flags(&mut browser, false, false, false), UP | UV);
    assert_eq!(flags(&mut browser, false, true, false), UP);
    assert_eq!(flags(&mut browser, false, false, true), UV);
    assert_eq!(flags(&mut browser, true, false, false), UP | UV);
    let mut credential = browser.credentials().remove(0);
    assert_eq!(credential["signCount"], 5, "one creation and four assertions");
    browser.remove_credential(&credential);
    assert!(browser.credentials().is_empty());
    credential["signCount"] = json!(1);
    browser.add_credential(&credential);
    assert_eq!(browser.credentials()[0]["signCount"], 1);
    assert!(id.is_string());
}

#[test]
fn nothing_is_left_behind() {
    let browser = Browser::start();
    let profile = browser.profile().to_owned();
    assert!(profile.is_dir());
    drop(browser);
    assert!(!profile.exists());
}
