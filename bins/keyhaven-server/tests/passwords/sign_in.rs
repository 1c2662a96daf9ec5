use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::client::finish;
use serde_json::{Value, json};

use crate::site::{ANOTHER, PASSWORD, Site};

pub(crate) fn a_password_user_gets_a_passkey_and_leaves_the_password(site: &Site) {
    let registered = site.register("alice", PASSWORD);
    let session = registered.cookie();
    assert_eq!(registered.body["offerPasskey"], true);
    assert_eq!(registered.body["session"]["amr"], json!(["pwd"]));

    // The start of a page binds the ceremony to the browser; the session's cookie comes along.
    let mut device = SoftwareAuthenticator::new("device");
    let start = json!({"mediation": "conditional"});
    let started = site.signed_in("POST", "/register/start", &session, Some(&start));
    let cookies = format!("{session}; {}", started.cookie());
    let started = started.ok();
    let mut draft = device
        .draft_registration(&started["publicKey"], &site.server.origin())
        .unwrap();
    draft.flags &= !0b101;
    let credential = draft.finish();
    let _ = site
        .signed_in(
            "POST",
            "/register/finish",
            &cookies,
            Some(&finish(&started, &credential)),
        )
        .ok();

    let login = site.login("alice", PASSWORD);
    let session = login.cookie();
    assert_eq!(login.body["offerPasskey"], false);
    // Now the passkey decides about the password, and about other passkeys.
    let refused = site.signed_in("DELETE", "/password", &session, None);
    assert_eq!(refused.code(), Some("step_up_required"));
    let refused = site.signed_in("POST", "/register/start", &session, Some(&json!({})));
    assert_eq!(refused.code(), Some("step_up_required"));
    // What the passkey allows belongs to the token that it was proven for.
    let proven = step_up(site, &session, &mut device);
    let refused = site.signed_in("DELETE", "/password", &session, None);
    assert_eq!(refused.code(), Some("step_up_required"));
    let session = proven;
    let removed = site.signed_in("DELETE", "/password", &session, None);
    assert_eq!(removed.status, 204, "{}", removed.body);
    assert_eq!(
        site.login("alice", PASSWORD).code(),
        Some("authentication_failed")
    );
}

fn step_up(site: &Site, session: &str, device: &mut SoftwareAuthenticator) -> String {
    let purpose = json!({"purpose": "change_password"});
    let started = site.signed_in("POST", "/step-up/start", session, Some(&purpose));
    let cookies = format!("{session}; {}", started.cookie());
    let started = started.ok();
    let credential = device.authenticate(&started["publicKey"], &site.server.origin());
    let finish = finish(&started, &credential);
    let finished = site.signed_in("POST", "/step-up/finish", &cookies, Some(&finish));
    assert_eq!(finished.status, 200, "{}", finished.body);
    finished.cookie()
}

pub(crate) fn a_changed_password_ends_the_other_sessions(site: &Site) {
    let here = site.register("alice", PASSWORD).cookie();
    let there = site.login("alice", PASSWORD).cookie();
    let change = json!({"password": ANOTHER, "currentPassword": PASSWORD});
    // Of the same change, asked for many times at once, one happens.
    let answers: Vec<_> = std::thread::scope(|scope| {
        let changes: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| site.signed_in("PUT", "/password", &here, Some(&change))))
            .collect();
        changes.into_iter().map(|change| change.join().unwrap()).collect()
    });
    let changed = answers.iter().filter(|answer| answer.status == 204).count();
    assert_eq!(
        changed,
        1,
        "{:?}",
        answers.iter().map(|a| a.status).collect::<Vec<_>>()
    );
    let over = site.signed_in("GET", "/session", &there, None);
    assert_eq!(over.code(), Some("unauthenticated"));
    assert!(site.signed_in("GET", "/session", &here, None).is_success());
    assert_eq!(
        site.login("alice", PASSWORD).code(),
        Some("authentication_failed")
    );
    assert!(site.login("alice", ANOTHER).is_success());
}

pub(crate) fn an_unknown_name_and_a_wrong_password_have_one_answer(site: &Site) {
    let _ = site.register("alice", PASSWORD).ok();
    let comparable = |username: &str| {
        let mut answer = site.login(username, ANOTHER);
        assert_eq!(answer.cookie, None);
        answer.body["requestId"] = Value::Null;
        (answer.status, answer.content_type, answer.body)
    };
    let known = comparable("alice");
    assert_eq!(known.0, 401);
    assert_eq!(known, comparable("nobody"));
}

pub(crate) fn of_many_registrations_of_one_name_one_is_made(site: &Site) {
    let answers: Vec<_> = std::thread::scope(|scope| {
        let registrations: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| site.register("alice", PASSWORD)))
            .collect();
        registrations.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let made = answers.iter().filter(|answer| answer.is_success()).count();
    assert_eq!(made, 1);
    for refused in answers.iter().filter(|answer| !answer.is_success()) {
        assert_eq!(refused.code(), Some("username_taken"));
    }
}
