//! What attackers do with a browser.

use serde_json::{Value, json};

use crate::Visit;

#[track_caller]
fn refused(answer: &Value, status: u16, code: &str) {
    assert_eq!(
        (&answer["status"], &answer["code"]),
        (&json!(status), &json!(code)),
        "{answer}"
    );
}

#[test]
fn a_user_who_was_not_verified_or_not_there_is_refused_although_it_is_signed() {
    let mut visit = Visit::new();
    visit.register("alice");
    let login = "const s = await post('/login/start', {}); \
        return post('/login/finish', {ceremonyId: s.ceremonyId, credential: await get(s.publicKey)});";
    visit.browser.spoil(false, true, false);
    let answer = visit.script(login);
    refused(&answer, 400, "user_verification_missing");
    assert_eq!(answer["step"], "L3 7.2.17");
    visit.browser.spoil(false, false, true);
    refused(&visit.script(login), 400, "user_presence_missing");
    visit.browser.spoil(true, false, false);
    refused(&visit.script(login), 401, "authentication_failed");
    visit.browser.spoil(false, false, false);
    assert_eq!(visit.script(login)["user"]["username"], "alice");
}

#[test]
fn a_registration_without_verification_is_refused() {
    let mut visit = Visit::new();
    visit.browser.spoil(false, true, false);
    let answer = visit.script(
        "const s = await post('/register/start', {username: 'alice'}); \
         return post('/register/finish', {ceremonyId: s.ceremonyId, credential: await create(s.publicKey)});",
    );
    refused(&answer, 400, "user_verification_missing");
    assert_eq!(answer["step"], "L3 7.1.16");
}

#[test]
fn an_assertion_is_accepted_once_and_unchanged() {
    let mut visit = Visit::new();
    visit.register("alice");
    let answers = visit.script(
        "const s = await post('/login/start', {}); \
         const body = {ceremonyId: s.ceremonyId, credential: await get(s.publicKey)}; \
         return [await post('/login/finish', body), await post('/login/finish', body)];",
    );
    assert_eq!(answers[0]["user"]["username"], "alice");
    refused(&answers[1], 400, "challenge_missing");
    let answer = visit.script(
        "const s = await post('/login/start', {}); const credential = await get(s.publicKey); \
         const data = credential.response.authenticatorData; \
         const last = data.at(-2) === 'A' ? 'B' : 'A'; \
         credential.response.authenticatorData = data.slice(0, -2) + last + data.slice(-1); \
         return post('/login/finish', {ceremonyId: s.ceremonyId, credential});",
    );
    refused(&answer, 401, "authentication_failed");
}

#[test]
fn a_sign_count_that_was_rolled_back_is_refused() {
    let mut visit = Visit::new();
    visit.register("alice");
    let login = "const s = await post('/login/start', {}); \
        return post('/login/finish', {ceremonyId: s.ceremonyId, credential: await get(s.publicKey)});";
    let mut clone = visit.browser.credentials().remove(0);
    assert_eq!(visit.script(login)["user"]["username"], "alice");
    assert_eq!(visit.script(login)["user"]["username"], "alice");
    visit.browser.remove_credential(&clone.clone());
    clone["signCount"] = json!(0);
    visit.browser.add_credential(&clone);
    refused(&visit.script(login), 401, "authentication_failed");
}

#[test]
fn somebody_elses_passkey_does_not_answer_for_a_name() {
    let mut visit = Visit::new();
    visit.register("alice");
    visit.sign_out();
    visit.register("bob");
    visit.sign_out();
    let alice = visit
        .browser
        .credentials()
        .into_iter()
        .find(|credential| credential["userName"] == "alice");
    if let Some(alice) = alice {
        visit.browser.remove_credential(&alice);
    }
    let answer = visit.script(
        "const s = await post('/login/start', {username: 'alice'}); s.publicKey.allowCredentials = []; \
         return post('/login/finish', {ceremonyId: s.ceremonyId, credential: await get(s.publicKey)});",
    );
    refused(&answer, 400, "credential_not_allowed");
}

#[test]
fn a_page_of_another_origin_gets_nowhere() {
    let mut visit = Visit::new();
    visit.register("alice");
    // The same machine and RP ID, another port: the browser itself allows the passkey there.
    let elsewhere = keyhaven_testkit::process::Server::start(env!("CARGO_BIN_EXE_keyhaven"), &[]);
    let started = visit.script("return post('/login/start', {});");
    visit.browser.open(&format!("{}/", elsewhere.origin()));
    let options = started["publicKey"].to_string();
    let credential = visit.script(&format!("return get({options});"));
    assert!(credential["id"].is_string());
    // Its own requests are refused before anything is looked at…
    let target = visit.server.origin();
    let blocked = visit.script(&format!(
        "try {{ await fetch('{target}/login/start', {{method: 'POST', mode: 'no-cors', credentials: 'include', \
         headers: {{'content-type': 'text/plain'}}, body: '{{}}'}}); return 'sent'; }} catch (e) {{ return e.name; }}"
    ));
    assert!(blocked == "sent" || blocked == "TypeError");
    // … and what it got signed is worth nothing at the right page.
    visit.open();
    let finish = json!({"ceremonyId": started["ceremonyId"], "credential": credential});
    let answer = visit.script(&format!("return post('/login/finish', {finish});"));
    refused(&answer, 400, "origin_mismatch");
    assert_eq!(answer["step"], "L3 7.2.12");
}

#[test]
fn a_ceremony_that_took_too_long_is_over() {
    let mut visit = Visit::with(&[("KEYHAVEN_CEREMONY_TTL_SECONDS", "2")]);
    visit.register("alice");
    let answer = visit.script(
        "const s = await post('/login/start', {}); const credential = await get(s.publicKey); \
         await new Promise(resolve => setTimeout(resolve, 2100)); \
         return post('/login/finish', {ceremonyId: s.ceremonyId, credential});",
    );
    refused(&answer, 400, "challenge_missing");
}

#[test]
fn scripts_cannot_read_the_session() {
    let mut visit = Visit::new();
    visit.register("alice");
    assert_eq!(visit.browser.evaluate("document.cookie"), "");
    assert_eq!(
        visit
            .browser
            .evaluate("localStorage.length + sessionStorage.length"),
        0
    );
}
