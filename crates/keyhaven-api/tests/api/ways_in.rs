//! The last way in: what may go, and what has to stay.

use keyhaven_service::{Demand, Settings};
use keyhaven_storage::{
    AccountId, AuditEvent, EventId, PasswordChange, PasswordChangeOutcome, PasswordVerifier, Role,
};
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::{Value, json};

use crate::admin::set_role;
use crate::passwords::{PASSWORD, bcrypt, fallback};
use crate::support::{App, Client};

/// Anna, signed in by one of her two passkeys; she has a password too.
async fn anna(app: &App) -> (Client, SoftwareAuthenticator, [Value; 2]) {
    let mut browser = app.browser();
    browser.register_password("anna", PASSWORD).await.expect(201);
    let mut device = SoftwareAuthenticator::new("device");
    let first = browser.add_passkey(&mut device, json!({})).await.expect(201);
    browser.login(&mut device, Some("anna")).await.expect(200);
    let mut other = SoftwareAuthenticator::new("other");
    let second = browser.add_passkey(&mut other, json!({})).await.expect(201);
    let ids = [first, second].map(|added| added["credential"]["id"].clone());
    (browser, device, ids)
}

fn path(id: &Value) -> String {
    format!("/credentials/{}", id.as_str().unwrap())
}

#[tokio::test]
async fn the_last_passkey_goes_where_a_password_signs_in_alone() {
    for together in [true, false] {
        let app = App::with(fallback()).await;
        let (mut browser, mut device, ids) = anna(&app).await;
        // What a password alone opened decides about no passkey.
        let mut weaker = app.browser();
        weaker.login_password("anna", PASSWORD).await.expect(200);
        for path in ["/credentials".to_owned(), path(&ids[0])] {
            let refused = weaker.delete(&path).await;
            refused.refused(403, "step_up_required");
        }
        if together {
            browser.delete("/credentials").await.expect(200);
        } else {
            for id in &ids {
                browser.delete(&path(id)).await.expect(200);
            }
        }
        let list = browser.get("/credentials").await.expect(200);
        assert_eq!(list["credentials"], json!([]));
        let gone = app.browser().login(&mut device, None).await;
        gone.refused(401, "credential_not_found");
        // Then the password is the last way in, and has to stay.
        browser.delete("/password").await.refused(409, "last_credential");
        let together =
            json!({"password": "another horse staple", "currentPassword": PASSWORD, "withPasskey": true});
        browser
            .put_password(together)
            .await
            .refused(400, "invalid_request");
        let signed_in = app.browser().login_password("anna", PASSWORD).await.expect(200);
        assert_eq!(signed_in["offerPasskey"], true);
    }
}

#[tokio::test]
async fn the_last_passkey_stays_where_a_password_alone_is_no_way_in() {
    let by_account = Settings {
        client_key: Demand::ByAccount,
        ..fallback()
    };
    for (case, settings) in [
        ("with the passkey only", fallback()),
        ("with a client key", by_account),
        ("an administrator's", fallback()),
    ] {
        let app = App::with(settings).await;
        let (mut browser, mut device, ids) = anna(&app).await;
        match case {
            "with the passkey only" => {
                browser.step_up(&mut device, "change_password").await;
                let change = json!({"password": PASSWORD, "withPasskey": true});
                browser.put_password(change).await.expect(204);
            }
            "with a client key" => {
                browser.step_up(&mut device, "change_password").await;
                browser.post("/account/client-key", json!({})).await.expect(200);
            }
            _ => {
                let me = browser.get("/account").await.expect(200);
                set_role(&app, me["id"].as_str().unwrap(), Role::Admin).await;
                browser.login(&mut device, None).await.expect(200);
            }
        }
        let all = browser.delete("/credentials").await;
        assert_eq!(
            (all.status.as_u16(), all.code()),
            (409, "last_credential"),
            "{case}"
        );
        browser.delete(&path(&ids[1])).await.expect(200);
        let last = browser.delete(&path(&ids[0])).await;
        assert_eq!(
            (last.status.as_u16(), last.code()),
            (409, "last_credential"),
            "{case}"
        );
    }
}

/// A password of before, that no longer signs in because the deployment has switched that off, is no way in.
#[tokio::test]
async fn a_password_that_is_asked_for_nowhere_is_no_way_in() {
    let app = App::new().await;
    let mut browser = app.browser();
    let registered = browser
        .register(&mut SoftwareAuthenticator::new("device"), "anna")
        .await;
    let account: AccountId = registered["user"]["id"].as_str().unwrap().parse().unwrap();
    let event = app.store.events_of(account, None, 1).await.unwrap().remove(0);
    let change = PasswordChange {
        account,
        session: event.session.unwrap(),
        uses_grant: None,
        from: None,
        to: Some(PasswordVerifier {
            account,
            hash: bcrypt(4),
            kind: "$2b$04$".into(),
            with_passkey: false,
            changed_at: app.keyhaven.now(),
        }),
        at: app.keyhaven.now(),
        audit: AuditEvent {
            id: EventId(uuid::Uuid::from_u128(1)),
            ..event
        }
        .into(),
    };
    let changed = app.store.change_password(change).await.unwrap();
    assert_eq!(changed, PasswordChangeOutcome::Changed { ended: 0 });
    for path in ["/credentials".to_owned(), path(&registered["credential"]["id"])] {
        browser.delete(&path).await.refused(409, "last_credential");
    }
}
