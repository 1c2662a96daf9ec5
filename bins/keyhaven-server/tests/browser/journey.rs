//! What people do.

use serde_json::json;

use crate::Visit;

#[test]
fn a_person_registers_signs_out_and_signs_in_by_name_and_without() {
    let mut visit = Visit::new();
    visit.register("Alice");
    assert_eq!(visit.browser.text("#greeting-name"), "alice");
    assert_eq!(visit.browser.credentials().len(), 1);
    visit.sign_out();
    visit.sign_in("ALICE");
    assert_eq!(visit.browser.text("#greeting-name"), "alice");
    visit.sign_out();
    visit.touching(|visit| {
        visit.browser.click("#signin-passkey-button");
        visit.state("signed-in");
    });
    assert_eq!(visit.browser.text("#greeting-name"), "alice");
}

#[test]
fn autofill_signs_in_without_a_click() {
    let mut visit = Visit::new();
    visit.register("alice");
    visit.sign_out();
    visit.browser.set_automatic_presence(true);
    visit.open();
    visit.state("signed-in");
    assert_eq!(visit.browser.text("#greeting-name"), "alice");
}

/// Opens the page with a passkey that autofill signs in with; the sign-in is held back until [`let_autofill_go_on`].
fn with_a_held_autofill_sign_in() -> Visit {
    let mut visit = Visit::new();
    visit.register("alice");
    visit.sign_out();
    // One promise for the whole page: whoever asks after it was kept is not held back any more.
    let source = "const swift = fetch; window.asked = []; \
        const held = new Promise(resolve => { window.release = resolve; }); \
        window.fetch = async (url, options) => { \
        const path = new URL(url).pathname; window.asked.push(path); \
        if (path === '/login/finish') await held; \
        return swift(url, options); };";
    let parameters = json!({"source": source});
    visit
        .browser
        .call("Page.addScriptToEvaluateOnNewDocument", parameters);
    visit.browser.set_automatic_presence(true);
    visit.open();
    visit.browser.wait_for("window.asked.includes('/login/finish')");
    visit
}

/// Lets the sign-in that is held back go on, once this button's click is under way.
fn let_autofill_go_on(visit: &mut Visit, button: &str) {
    visit.browser.wait_for(&format!(
        "document.querySelector('{button}[aria-busy=true]') !== null"
    ));
    visit.browser.evaluate("window.release()");
}

#[test]
fn a_sign_in_asked_for_while_autofill_signs_in_is_that_one() {
    let mut visit = with_a_held_autofill_sign_in();
    visit.browser.click("#signin-passkey-button");
    let_autofill_go_on(&mut visit, "#signin-passkey-button");
    visit.state("signed-in");
    visit.says("signed_in");
    let finishes = "window.asked.filter(path => path === '/login/finish').length";
    assert_eq!(visit.browser.evaluate(finishes), 1);
}

#[test]
fn an_account_asked_for_while_autofill_signs_in_is_not_made() {
    let mut visit = with_a_held_autofill_sign_in();
    visit.browser.click("#show-register");
    visit.browser.fill("#register-username", "bob");
    visit.browser.click("#register-button");
    let_autofill_go_on(&mut visit, "#register-button");
    visit.state("signed-in");
    assert_eq!(visit.browser.text("#greeting-name"), "alice");
    assert_eq!(
        visit.browser.evaluate("window.asked.includes('/register/start')"),
        false
    );
}

#[test]
fn a_pending_autofill_renews_its_ceremony_before_it_ends() {
    // Each is renewed after 6 of its 10 seconds, 3 before the page would begin afresh.
    let mut visit = Visit::with_ceremonies_of(10, |visit| {
        visit.register("alice");
        visit.sign_out();
    });
    // Autofill is offered on that fresh page and nobody answers: the ceremonies it is started with come and go.
    visit.browser.wait_for(
        "performance.getEntriesByType('resource').filter(e => e.name.endsWith('/login/start')).length >= 3",
    );
    // Somebody answers only now, after the first ceremony has ended.
    visit.offered_autofill();
    visit.browser.set_automatic_presence(true);
    visit.state("signed-in");
}

#[test]
fn everything_survives_a_restart() {
    let mut visit = Visit::new();
    visit.register("alice");
    visit.site.restart();
    visit.open();
    visit.state("signed-in");
    visit.sign_out();
    visit.site.restart();
    visit.sign_in("alice");
    assert_eq!(visit.browser.text("#greeting-name"), "alice");
}

#[test]
fn a_second_passkey_is_added_renamed_and_deleted() {
    let mut visit = Visit::new();
    visit.register("alice");
    // The authenticator that has one refuses to make another.
    visit.touching(|visit| {
        visit.browser.click("#add-passkey");
        visit.says("already_registered");
    });
    visit.plug_in("usb");
    visit.touching(|visit| {
        visit.browser.click("#add-passkey");
        visit.passkeys(2);
    });
    visit
        .browser
        .click("[data-testid=passkey]:last-child [data-testid=rename]");
    visit.browser.fill("#rename-input", "Blue key");
    visit.browser.click("#rename-confirm");
    visit.browser.wait_for(
        "[...document.querySelectorAll('[data-testid=passkey-name]')].some(e => e.innerText === 'Blue key')",
    );
    visit.open();
    visit.browser.wait_for(
        "[...document.querySelectorAll('[data-testid=passkey-name]')].some(e => e.innerText === 'Blue key')",
    );
    visit
        .browser
        .click("[data-testid=passkey]:last-child [data-testid=delete]");
    visit.browser.click("#delete-confirm");
    visit.passkeys(1);
}

#[test]
fn a_closed_prompt_is_no_error() {
    let mut visit = Visit::with(&[("KEYHAVEN_CEREMONY_TTL_SECONDS", "2")]);
    // Nobody touches the authenticator: the prompt ends with its time.
    visit.browser.click("#show-register");
    visit.browser.fill("#register-username", "alice");
    visit.browser.click("#register-button");
    visit.says("cancelled");
    assert_eq!(
        visit.browser.evaluate("document.documentElement.dataset.state"),
        "signed-out"
    );
}

#[test]
fn a_taken_name_is_told() {
    let mut visit = Visit::new();
    visit.register("alice");
    visit.sign_out();
    visit.browser.click("#show-register");
    visit.browser.fill("#register-username", "alice");
    visit.browser.click("#register-button");
    visit.browser.wait_for(
        "document.querySelector('#status').dataset.code === 'username_taken' || \
         !document.querySelector('#register-username-error').hidden",
    );
}

#[test]
fn the_keyboard_is_enough() {
    let mut visit = Visit::new();
    visit.register("alice");
    visit.sign_out();
    visit
        .browser
        .evaluate("document.querySelector('#signin-username').focus()");
    visit.browser.call("Input.insertText", json!({"text": "alice"}));
    visit.offered_autofill();
    visit.touching(|visit| {
        visit.browser.press("Enter");
        visit.state("signed-in");
    });
}

#[test]
fn a_browser_without_webauthn_is_told_so() {
    let mut visit = Visit::new();
    let gone =
        json!({"source": "delete window.PublicKeyCredential; delete Navigator.prototype.credentials;"});
    visit.browser.call("Page.addScriptToEvaluateOnNewDocument", gone);
    visit.open();
    visit
        .browser
        .wait_for("!document.querySelector('#capability-notice').hidden");
}

#[test]
fn an_empty_user_handle_is_none() {
    let mut visit = Visit::new();
    visit.open();
    // By the credential's own conversion, and field by field where that throws.
    let script = "import('./assets/keyhaven.js').then(({credentialToJSON}) => { \
        const bytes = new Uint8Array([1]).buffer; \
        const response = {clientDataJSON: bytes, authenticatorData: bytes, signature: bytes}; \
        const texts = {clientDataJSON: 'AQ', authenticatorData: 'AQ', signature: 'AQ'}; \
        const of = (userHandle, toJSON) => credentialToJSON({ \
            id: 'AQ', rawId: bytes, type: 'public-key', response: {...response, userHandle}, toJSON}).response.userHandle; \
        const own = text => () => ({id: 'AQ', rawId: 'AQ', response: {...texts, userHandle: text}}); \
        const throwing = () => { throw new TypeError(); }; \
        return JSON.stringify([of(null, own('')), of(null, own('AQ')), of(new ArrayBuffer(0), throwing), \
            of(new ArrayBuffer(0)), of(bytes, throwing)]); })";
    assert_eq!(
        visit.browser.evaluate(script),
        json!("[null,\"AQ\",null,null,\"AQ\"]")
    );
}
