//! Mails, by a real server to a real mail server.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::client::{Client, finish};
use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::{Server, TempDir, free_port, until};
use keyhaven_testkit::smtp::MailServer;
use serde_json::{Value, json};

const KEYHAVEN: &str = env!("CARGO_BIN_EXE_keyhaven");

struct Person {
    client: Client,
    session: String,
}

/// Registers an account that claims this address.
fn register(server: &Server, name: &str, email: &str) -> Person {
    let client = Client::new(server.origin());
    let start = client.post("/register/start", &json!({"username": name, "email": email}));
    let start = start.unwrap().ok();
    let credential = SoftwareAuthenticator::new(name).register(&start["publicKey"], &server.origin());
    let finished = client
        .post("/register/finish", &finish(&start, &credential))
        .unwrap();
    let session = finished.cookie();
    Person { client, session }
}

fn token(mail: &Value, page: &str) -> String {
    let text = mail["text"].as_str().unwrap();
    let (_, rest) = text.split_once(&format!("{page}/#verify-email=")).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

fn verify(person: &Person, token: &str) -> Value {
    let body = json!({"token": token});
    let answer = person
        .client
        .send("POST", "/email/verify", Some(&person.session), Some(&body));
    answer.unwrap().ok()
}

/// A server that sends mails to this one, and where its numbers are.
fn with_numbers(mail_url: &str) -> (Server, String) {
    let listen = format!("127.0.0.1:{}", free_port());
    let environment = [
        ("KEYHAVEN_MAIL__URL", mail_url),
        ("KEYHAVEN_METRICS_LISTEN", &listen),
    ];
    let server = Server::start(KEYHAVEN, &environment);
    (server, format!("http://{listen}/metrics"))
}

/// Waits until a server has tried in vain to send a mail, and noted that.
fn wait_until_postponed(numbers: &str) {
    until("a mail was tried", || {
        let numbers = text(numbers);
        let mut postponed = numbers
            .lines()
            .filter_map(|line| line.strip_prefix(r#"keyhaven_mails_total{outcome="postponed"} "#));
        postponed.next().unwrap() != "0"
    });
}

/// What is there to read.
fn text(url: &str) -> String {
    let answer = ureq::get(url).call();
    answer.unwrap().body_mut().read_to_string().unwrap()
}

fn an_address_is_proven(environment: &[(&str, &str)]) {
    let post = MailServer::start();
    let url = post.url();
    let mut environment = environment.to_vec();
    environment.push(("KEYHAVEN_MAIL__URL", &url));
    let server = Server::start(KEYHAVEN, &environment);
    let anna = register(&server, "anna", "anna@example.com");
    let mails = post.wait_for(1);
    let mail = &mails[0];
    assert_eq!(mail["to"], "anna@example.com");
    assert_eq!(mail["recipient"], "anna@example.com");
    assert_eq!(mail["subject"], "Confirm your e-mail address");
    let user = verify(&anna, &token(mail, &server.origin()));
    assert_eq!(user["emailVerified"], true);
}

#[test]
fn an_address_is_proven_by_a_mail_that_was_really_delivered_on_sqlite() {
    an_address_is_proven(&[]);
}

#[test]
fn an_address_is_proven_by_a_mail_that_was_really_delivered_on_postgresql() {
    let database = Database::fresh();
    let directory = TempDir::new("key");
    let key = directory.secret_key();
    an_address_is_proven(&[
        ("KEYHAVEN_DATABASE_URL", database.url()),
        ("KEYHAVEN_SECRET_KEY_FILE", &key),
    ]);
}

#[test]
fn mails_travel_encrypted_and_to_nobody_whose_certificate_is_not_trusted() {
    let post = MailServer::start_with_tls();
    let (url, certificate) = (post.url(), post.certificate());
    // The certificate is nobody's that the system knows: the mail waits.
    let (mut server, numbers) = with_numbers(&url);
    let anna = register(&server, "anna", "anna@example.com");
    wait_until_postponed(&numbers);
    assert!(post.mails().is_empty());
    drop(anna);
    server.kill();

    let server = Server::start(
        KEYHAVEN,
        &[
            ("KEYHAVEN_MAIL__URL", url.as_str()),
            ("KEYHAVEN_MAIL__AUTHORITY_FILE", certificate.to_str().unwrap()),
        ],
    );
    let anna = register(&server, "anna", "anna@example.com");
    let mails = post.wait_for(1);
    verify(&anna, &token(&mails[0], &server.origin()));
}

#[test]
fn a_mail_server_that_was_away_gets_what_waited_once_it_is_back() {
    let mut post = MailServer::start();
    post.stop();
    let url = post.url();
    let (mut server, numbers) = with_numbers(&url);
    let anna = register(&server, "anna", "anna@example.com");
    // Tried and failed, also across a restart of ours. Not by a kill: one in the midst of the next attempt would leave
    // the mail leased for minutes.
    wait_until_postponed(&numbers);
    assert!(server.stop().unwrap().success());
    server.restart();
    post.run();
    let mails = post.wait_for(1);
    verify(&anna, &token(&mails[0], &server.origin()));
    assert_eq!(post.mails().len(), 1, "sent once");
}

#[test]
fn a_registration_that_was_refused_sends_no_mail() {
    let post = MailServer::start();
    let url = post.url();
    let server = Server::start(KEYHAVEN, &[("KEYHAVEN_MAIL__URL", url.as_str())]);
    let client = Client::new(server.origin());
    // Two start under one name; the one that finishes later is refused.
    let body = |email: &str| json!({"username": "anna", "email": email});
    let first = client.post("/register/start", &body("first@example.com"));
    let second = client.post("/register/start", &body("second@example.com"));
    let (first, second) = (first.unwrap().ok(), second.unwrap().ok());
    for (started, status) in [(&first, 201), (&second, 409)] {
        let mut device = SoftwareAuthenticator::new(status.to_string());
        let credential = device.register(&started["publicKey"], &server.origin());
        let finished = client.post("/register/finish", &finish(started, &credential));
        assert_eq!(finished.unwrap().status, status);
    }
    // A mail behind it has overtaken nothing.
    register(&server, "bob", "bob@example.com");
    let mails = post.wait_for(2);
    let mut to: Vec<_> = mails.iter().map(|mail| mail["to"].as_str().unwrap()).collect();
    to.sort_unstable();
    assert_eq!(to, ["bob@example.com", "first@example.com"]);
}

#[test]
fn without_a_word_about_mail_a_developer_reads_them_in_the_browser() {
    let server = Server::start(KEYHAVEN, &[]);
    let anna = register(&server, "anna", "anna@example.com");
    let mut page = String::new();
    until("the mail is on the page", || {
        page = text(&format!("{}/dev/mails", server.origin()));
        page.contains("Confirm your e-mail address")
    });
    verify(
        &anna,
        &token(&json!({"text": page.replace('"', " ")}), &server.origin()),
    );
}

#[test]
fn mails_of_others_are_on_no_page_where_they_are_sent() {
    let post = MailServer::start();
    let url = post.url();
    let server = Server::start(KEYHAVEN, &[("KEYHAVEN_MAIL__URL", url.as_str())]);
    let page = ureq::get(format!("{}/dev/mails", server.origin())).call();
    assert!(matches!(page, Err(ureq::Error::StatusCode(404))));
}
