//! What attackers do with a browser.

use keyhaven_testkit::site::serve;
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
    let mut visit = Visit::without_autofill();
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
    let mut visit = Visit::without_autofill();
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
    let mut visit = Visit::without_autofill();
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
    let mut visit = Visit::without_autofill();
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
    let mut visit = Visit::without_autofill();
    visit.register("alice");
    visit.sign_out();
    visit.register("bob");
    visit.sign_out();
    // Bob signs with his own, having dropped the list of hers.
    let [alice, bob] = ["alice", "bob"].map(|name| {
        let mut held = visit.browser.credentials().into_iter();
        held.find(|credential| credential["userName"] == name).unwrap()
    });
    visit.browser.remove_credential(&alice);
    assert_eq!(visit.browser.credentials().len(), 1);
    let answer = visit.script(
        "const s = await post('/login/start', {username: 'alice'}); s.publicKey.allowCredentials = []; \
         return post('/login/finish', {ceremonyId: s.ceremonyId, credential: await get(s.publicKey)});",
    );
    refused(&answer, 400, "credential_not_allowed");
    assert_eq!(answer["step"], "L3 7.2.5");
    // He answers for hers under her credential's name: his signature is none of her key's.
    let hers = base64url(&alice["credentialId"]);
    let answer = visit.script(&format!(
        "const s = await post('/login/start', {{username: 'alice'}}); s.publicKey.allowCredentials = []; \
         const credential = await get(s.publicKey); credential.id = credential.rawId = '{hers}'; \
         delete credential.response.userHandle; \
         return post('/login/finish', {{ceremonyId: s.ceremonyId, credential}});"
    ));
    refused(&answer, 401, "authentication_failed");
    // Without a name the passkey names its own account, and no other: hers with his handle is nobody's.
    visit.browser.remove_credential(&bob);
    let mut planted = alice.clone();
    planted["userHandle"] = bob["userHandle"].clone();
    visit.browser.add_credential(&planted);
    let answer = visit.script(
        "const s = await post('/login/start', {}); \
         return post('/login/finish', {ceremonyId: s.ceremonyId, credential: await get(s.publicKey)});",
    );
    refused(&answer, 401, "authentication_failed");
}

#[test]
fn a_page_of_another_origin_gets_nowhere() {
    let mut visit = Visit::without_autofill();
    visit.register("alice");
    // The same machine and RP ID, another port: the browser itself allows the passkey there.
    let elsewhere = serve(
        &[("/", "text/html", "<!doctype html><title>Keyhaven</title>")],
        "",
    );
    let started = visit.script("return post('/login/start', {});");
    visit.browser.open(&elsewhere);
    let options = started["publicKey"].to_string();
    let credential = visit.script(&format!("return get({options});"));
    assert!(credential["id"].is_string());
    // Its own requests are refused: those that ask first are not let through, …
    let target = visit.site.origin.clone();
    let outcome = visit.script(&format!(
        "try {{ await fetch('{target}/login/start', {{method: 'POST', credentials: 'include', \
         headers: {{'content-type': 'application/json'}}, body: '{{}}'}}); return 'answered'; }} catch (e) {{ return e.name; }}"
    ));
    assert_eq!(outcome, "TypeError");
    assert!(
        visit
            .browser
            .complaints()
            .iter()
            .all(|complaint| complaint.contains("CORS"))
    );
    // … and one that is sent without asking, as a script of the attacker's own would, changes nothing.
    let answer = ureq::Agent::from(ureq::Agent::config_builder().http_status_as_error(false).build())
        .post(format!("{target}/login/start"))
        .header("origin", &elsewhere)
        .send_json(json!({}));
    let mut answer = answer.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(answer.headers().get("access-control-allow-origin").is_none());
    let problem: Value = answer.body_mut().read_json().unwrap();
    assert_eq!(problem["code"], "origin_not_allowed");
    // … and what it got signed is worth nothing at the right page.
    visit.open();
    let finish = json!({"ceremonyId": started["ceremonyId"], "credential": credential});
    let answer = visit.script(&format!("return post('/login/finish', {finish});"));
    refused(&answer, 400, "origin_mismatch");
    assert_eq!(answer["step"], "L3 7.2.12");
}

#[test]
fn a_ceremony_that_took_too_long_is_over() {
    let mut visit = Visit::with_ceremonies_of(2, |visit| visit.register("alice")).forgo_autofill();
    // The prompt is given more time than the ceremony has, so that it is the server who says that this is over.
    let answer = visit.script(
        "const s = await post('/login/start', {}); const end = Date.parse(s.expiresAt); \
         const credential = await get({...s.publicKey, timeout: 60000}); \
         while (Date.now() <= end) await new Promise(resolve => setTimeout(resolve, 50)); \
         return post('/login/finish', {ceremonyId: s.ceremonyId, credential});",
    );
    refused(&answer, 400, "challenge_missing");
}

#[test]
fn scripts_cannot_read_the_session() {
    let mut visit = Visit::without_autofill();
    visit.register("alice");
    assert_eq!(visit.browser.evaluate("document.cookie"), "");
    assert_eq!(
        visit
            .browser
            .evaluate("localStorage.length + sessionStorage.length"),
        0
    );
}

#[test]
fn a_login_cannot_be_finished_in_another_browser() {
    let mut visit = Visit::without_autofill();
    visit.register("alice");
    let mut other = Visit::without_autofill();
    let origin = visit.site.origin.clone();
    other.browser.open(&format!("{origin}/"));
    // A ceremony that the attacker began in his browser and answered with his own passkey…
    let finish = visit.script(
        "const s = await post('/login/start', {}); \
         return {ceremonyId: s.ceremonyId, credential: await get(s.publicKey)};",
    );
    // … signs nobody in where it is planted.
    let answer = other.script(&format!("return post('/login/finish', {finish});"));
    refused(&answer, 400, "challenge_missing");
    assert_eq!(other.script("return (await fetch('/session')).status;"), 401);
}

/// The protocol writes bytes as base64 with padding, the API as base64url without.
fn base64url(bytes: &Value) -> String {
    let text = bytes.as_str().unwrap();
    text.trim_end_matches('=').replace('+', "-").replace('/', "_")
}
