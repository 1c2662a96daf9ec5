//! Power cuts: the server is killed again and again with writes in flight, and nothing that was answered may be lost.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::client::{Client, finish};
use keyhaven_testkit::process::{Server, until};
use serde_json::{Value, json};

const KILLS: u32 = 100;
const WRITERS: u32 = 3;

/// Between two looks at every account ever made. Those of the last round are looked at after each kill.
const ROUNDS_BETWEEN_FULL_CHECKS: u32 = 10;

/// What the server has answered about one account, and so must still say.
struct Account {
    device: SoftwareAuthenticator,
    credential_id: String,
    /// The passkey's count is at least this.
    sign_count: u64,
    /// The passkey's name; `None` while a change of it is unanswered.
    device_name: Option<Value>,
    /// Sessions that were opened, and that nobody has asked to end.
    open: Vec<String>,
    /// Sessions whose end was answered.
    ended: Vec<String>,
}

#[test]
fn a_hundred_kills_lose_nothing_that_was_answered() {
    let seed = RandomState::new().build_hasher().finish() | 1;
    println!("seed {seed}");
    let mut moments = Moments(seed);
    let mut server = Server::start(env!("CARGO_BIN_EXE_keyhaven"), &[("KEYHAVEN_RATE_LIMIT", "off")]);
    let client = Client::new(server.origin());
    let mut accounts = Vec::<Account>::new();
    let began = Instant::now();
    let mut interrupted = 0;
    for round in 1..=KILLS {
        let stop = Arc::new(AtomicBool::new(false));
        let answers = Arc::new(AtomicU64::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let client = Client::new(server.origin()).counted_by(&answers);
                let stop = stop.clone();
                std::thread::spawn(move || write(&client, &format!("r{round}w{writer}"), &stop))
            })
            .collect();
        let (enough, pause) = moments.next();
        until("answers", || answers.load(Ordering::SeqCst) >= enough);
        std::thread::sleep(pause);
        server.kill();
        stop.store(true, Ordering::SeqCst);
        let before = accounts.len();
        for writer in writers {
            let (written, cut_off) = writer.join().unwrap();
            accounts.extend(written);
            interrupted += u32::from(cut_off);
        }
        server.restart();
        let everything = round % ROUNDS_BETWEEN_FULL_CHECKS == 0 || round == KILLS;
        for account in &mut accounts[if everything { 0 } else { before }..] {
            account.check(&client, round);
        }
    }
    let sessions: usize = accounts.iter().map(|account| account.open.len()).sum();
    let ended: usize = accounts.iter().map(|account| account.ended.len()).sum();
    println!(
        "{KILLS} kills in {:?}: {} accounts, {sessions} sessions and {ended} sign-outs kept; {interrupted} requests cut off",
        began.elapsed(),
        accounts.len()
    );
    assert!(accounts.len() > 50, "too little was written to prove anything");
    assert!(ended > 10, "too few accounts got through all they do");
    assert!(interrupted > 50, "too few kills hit a write");
}

/// Makes accounts and does with them what can be done, until the server is gone; whether a request was cut off.
fn write(client: &Client, name: &str, stop: &AtomicBool) -> (Vec<Account>, bool) {
    let mut accounts = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let Some(account) = Account::register(client, &format!("{name}-{n}")) else {
            return (accounts, true);
        };
        accounts.push(account);
        let account = accounts.last_mut().unwrap();
        if account.live(client).is_none() {
            return (accounts, true);
        }
    }
    (accounts, false)
}

impl Account {
    fn register(client: &Client, username: &str) -> Option<Self> {
        let mut device = SoftwareAuthenticator::new(username);
        let started = client
            .post("/register/start", &json!({"username": username}))
            .ok()?
            .ok();
        let credential = device.register(&started["publicKey"], &client.origin);
        let done = client
            .post("/register/finish", &finish(&started, &credential))
            .ok()?;
        Some(Self {
            credential_id: done.body["credential"]["id"].as_str().unwrap().to_owned(),
            sign_count: done.body["credential"]["signCount"].as_u64().unwrap(),
            device_name: Some(done.body["credential"]["deviceName"].clone()),
            open: vec![done.cookie()],
            ended: Vec::new(),
            device,
        })
    }

    /// Signs in twice, renames the passkey, ends the first session. `None`: a request was cut off.
    fn live(&mut self, client: &Client) -> Option<()> {
        self.sign_in(client)?;
        self.sign_in(client)?;
        let name = json!("renamed");
        self.device_name = None;
        let path = format!("/credentials/{}", self.credential_id);
        let cookie = self.open.last().unwrap();
        let renamed = client.send("PATCH", &path, Some(cookie), Some(&json!({"deviceName": name})));
        let _ = renamed.ok()?.ok();
        self.device_name = Some(name);
        let first = self.open.remove(0);
        let ended = client.send("DELETE", "/session", Some(&first), None);
        let _ = ended.ok()?.ok();
        self.ended.push(first);
        Some(())
    }

    fn sign_in(&mut self, client: &Client) -> Option<()> {
        let started = client.post("/login/start", &json!({})).ok()?.ok();
        let credential = self.device.authenticate(&started["publicKey"], &client.origin);
        let done = client
            .post("/login/finish", &finish(&started, &credential))
            .ok()?;
        self.sign_count = done.body["credential"]["signCount"].as_u64().unwrap();
        self.open.push(done.cookie());
        Some(())
    }

    /// Every success that was answered still holds, and the passkey still signs in.
    fn check(&mut self, client: &Client, round: u32) {
        for cookie in &self.open {
            let answer = client.send("GET", "/credentials", Some(cookie), None).unwrap();
            assert_eq!(
                answer.status, 200,
                "kill {round}: a session is lost: {}",
                answer.body
            );
            let credential = &answer.body["credentials"][0];
            let stored = credential["signCount"].as_u64().unwrap();
            assert!(
                stored >= self.sign_count,
                "kill {round}: the sign count {stored} is behind {}",
                self.sign_count
            );
            if let Some(name) = &self.device_name {
                assert_eq!(&credential["deviceName"], name, "kill {round}: a name is lost");
            }
        }
        for cookie in &self.ended {
            let answer = client.send("GET", "/session", Some(cookie), None).unwrap();
            assert_eq!(
                answer.status, 401,
                "kill {round}: a sign-out is lost: {}",
                answer.body
            );
        }
        self.sign_in(client).unwrap();
        self.open.pop();
    }
}

/// Moments to kill at, by a xorshift generator.
struct Moments(u64);

impl Moments {
    /// After how many answers, 1 to 40: what they say has been written then, however slow the machine is. And how long
    /// after that, up to 5 ms: in the midst of what is asked next.
    fn next(&mut self) -> (u64, Duration) {
        let answers = 1 + self.draw() % 40;
        (answers, Duration::from_micros(self.draw() % 5_000))
    }

    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
