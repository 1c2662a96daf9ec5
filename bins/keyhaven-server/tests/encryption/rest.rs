//! After everything that leaves a personal text somewhere, none can be read in what is stored.

use keyhaven_testkit::client::Client;
use keyhaven_testkit::smtp::MailServer;
use serde_json::json;

use crate::site::{Person, Site, on_each};

const NAME: &str = "annabella-the-user";
const DISPLAY_NAME: &str = "Annabella Of Display";
const ADDRESS: &str = "Annabella.Proven@mail.example";
const DEVICE: &str = "Blue key of Annabella";
const USER_AGENT: &str = "AnnabellaBrowser/7.5 (Testing)";
const CLAIMED: &str = "someone.who.claims@mail.example";
const OTHER_NAME: &str = "somebody-else";
const TYPED: &str = "someone.who.types@mail.example";
const TYPING_NAME: &str = "somebody-who-types";

fn nothing_is_readable(site: &Site) {
    let post = MailServer::start();
    let url = post.url();
    let mut server = site.start_with(&[
        ("KEYHAVEN_MAIL__URL", &url),
        ("KEYHAVEN_PASSWORDS__FALLBACK", "on"),
    ]);
    let client = Client::with_user_agent(server.origin(), USER_AGENT);
    let body = json!({"username": NAME, "displayName": DISPLAY_NAME, "email": ADDRESS});
    let mut anna = Person::register(&client, &body);
    let mails = post.wait_for(1);
    let text = mails[0]["text"].as_str().unwrap();
    let (_, token) = text.split_once("#verify-email=").unwrap();
    let token = json!({"token": token.split_whitespace().next()});
    let verified = client.send("POST", "/email/verify", Some(&anna.session), Some(&token));
    assert_eq!(verified.unwrap().ok()["emailVerified"], true);
    Person::register(&client, &json!({"username": OTHER_NAME, "email": CLAIMED}));

    let typed = json!({"username": TYPING_NAME, "email": TYPED, "password": "correct horse battery staple"});
    assert!(client.post("/password/register", &typed).unwrap().is_success());

    let done = anna.sign_in(&client);
    assert_eq!(done["user"]["email"], ADDRESS);
    assert_eq!(done["user"]["displayName"], DISPLAY_NAME);
    anna.name_device(&client, DEVICE);
    let credentials = anna.get(&client, "/credentials");
    assert_eq!(credentials["credentials"][0]["deviceName"], DEVICE);
    assert_eq!(credentials["credentials"][0]["userAgent"], USER_AGENT);
    let sessions = anna.get(&client, "/sessions");
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 2);
    for session in sessions["sessions"].as_array().unwrap() {
        assert_eq!(session["userAgent"], USER_AGENT);
        assert_eq!(session["ip"], "127.0.0.1");
    }
    let events = anna.get(&client, "/account/events");
    assert_eq!(events["events"][0]["userAgent"], USER_AGENT);

    let texts = [
        NAME,
        DISPLAY_NAME,
        ADDRESS,
        DEVICE,
        USER_AGENT,
        CLAIMED,
        OTHER_NAME,
        TYPED,
        TYPING_NAME,
        "127.0.0.1",
        "AnnabellaBrowser",
        "mail.example",
    ];
    site.stored().tells_none_of(&texts);
    assert!(server.stop().is_some());
    site.stored().tells_none_of(&texts);
}

#[test]
fn no_personal_text_is_readable_in_what_is_stored() {
    on_each(|site| nothing_is_readable(&site));
}

#[test]
fn nor_where_keys_are_in_files_of_their_own() {
    on_each(|site| {
        site.configure(&[1]);
        nothing_is_readable(&site);
    });
}
