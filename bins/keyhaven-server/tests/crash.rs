//! Power cuts: the server is killed again and again with writes in flight, and nothing that was answered may be lost.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::process::Server;
use serde_json::{Value, json};
use ureq::Agent;

const KILLS: u32 = 100;
const WRITERS: u32 = 3;

/// One success that was answered: this session is in force, and its passkey's count is at least this.
struct Answered {
    cookie: String,
    sign_count: u64,
}

#[test]
fn a_hundred_kills_lose_nothing_that_was_answered() {
    let mut moments = Moments(RandomState::new().build_hasher().finish() | 1);
    println!("seed {}", moments.0);
    let mut server = Server::start(env!("CARGO_BIN_EXE_keyhaven"), &[("KEYHAVEN_RATE_LIMIT", "off")]);
    let origin = server.origin();
    let answered = Arc::new(Mutex::new(Vec::<Answered>::new()));
    let began = Instant::now();
    let mut interrupted = 0;
    for round in 0..KILLS {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (origin, answered, stop) = (origin.clone(), answered.clone(), stop.clone());
                std::thread::spawn(move || write(&origin, &format!("r{round}w{writer}"), &answered, &stop))
            })
            .collect();
        std::thread::sleep(moments.next());
        server.kill();
        stop.store(true, Ordering::SeqCst);
        interrupted += writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum::<u32>();
        server.restart();
        check(&origin, &answered.lock().unwrap(), round);
    }
    let answered = answered.lock().unwrap().len();
    println!(
        "{KILLS} kills in {:?}: {answered} answered successes kept, {interrupted} requests cut off",
        began.elapsed()
    );
    assert!(
        answered > 100,
        "too little was written to prove anything: {answered}"
    );
    assert!(interrupted > 20, "too few kills hit a write: {interrupted}");
}

/// Registers accounts and signs in until the server is gone; 1 when a request was cut off.
fn write(origin: &str, name: &str, answered: &Mutex<Vec<Answered>>, stop: &AtomicBool) -> u32 {
    let agent = agent();
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let mut device = SoftwareAuthenticator::new(format!("{name}-{n}"));
        let username = json!({"username": format!("{name}-{n}")});
        let Some((started, _)) = post(&agent, origin, "/register/start", &username) else {
            return 1;
        };
        let credential = device.register(&started["publicKey"], origin);
        let Some(done) = post(&agent, origin, "/register/finish", &finish(&started, &credential)) else {
            return 1;
        };
        keep(answered, done);
        for _ in 0..2 {
            let Some((started, _)) = post(&agent, origin, "/login/start", &json!({})) else {
                return 1;
            };
            let credential = device.authenticate(&started["publicKey"], origin);
            let Some(done) = post(&agent, origin, "/login/finish", &finish(&started, &credential)) else {
                return 1;
            };
            keep(answered, done);
        }
    }
    0
}

fn keep(answered: &Mutex<Vec<Answered>>, (body, cookie): (Value, Option<String>)) {
    let sign_count = body["credential"]["signCount"].as_u64().unwrap();
    answered.lock().unwrap().push(Answered {
        cookie: cookie.unwrap(),
        sign_count,
    });
}

/// Every success that was ever answered still holds.
fn check(origin: &str, answered: &[Answered], round: u32) {
    let agent = agent();
    for (n, success) in answered.iter().enumerate() {
        let answer = agent
            .get(format!("{origin}/credentials"))
            .header("cookie", &success.cookie)
            .call();
        let mut answer = answer.unwrap();
        let body: Value = answer.body_mut().read_json().unwrap();
        assert_eq!(answer.status(), 200, "kill {round}: success {n} is lost: {body}");
        let stored = body["credentials"][0]["signCount"].as_u64().unwrap();
        assert!(
            stored >= success.sign_count,
            "kill {round}: success {n}: sign count {stored} is behind"
        );
    }
}

/// Sends a request; `None` when the connection broke.
fn post(agent: &Agent, origin: &str, path: &str, body: &Value) -> Option<(Value, Option<String>)> {
    let mut answer = agent.post(format!("{origin}{path}")).send_json(body).ok()?;
    let cookie = answer
        .headers()
        .get("set-cookie")
        .and_then(|value| value.to_str().ok());
    let cookie = cookie.and_then(|text| text.split(';').next()).map(str::to_owned);
    let status = answer.status();
    let body: Value = answer.body_mut().read_json().ok()?;
    assert!(status.is_success(), "{path}: {body}");
    Some((body, cookie))
}

fn finish(started: &Value, credential: &Value) -> Value {
    json!({"ceremonyId": started["ceremonyId"], "credential": credential})
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .into()
}

/// Moments between 5 and 100 ms, by a xorshift generator.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_micros(5_000 + self.0 % 95_000)
    }
}
