//! Clients that register and sign in without pause, and write down what they were told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keyhaven_testkit::authenticator::{SoftwareAuthenticator, base64url, base64url_decode};
use keyhaven_testkit::client::{Answer, Client, Lost, finish};
use serde_json::{Value, json};

use crate::cluster::ORIGIN;
use crate::until;

/// Clients at the same time.
pub(crate) const CLIENTS: usize = 4;

/// Well above what the servers may take to say that a store is away (10 s): whoever waits longer was left hanging.
const HANGING: Duration = Duration::from_secs(30);

/// So many requests may be told that a store is away when it is back: one for each connection that broke, of two processes,
/// twice.
const REFUSED_AFTERWARDS: u64 = 64;

/// What a client was told about an attempt that would change something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    /// It is done; the session's id.
    Done(String),
    /// It is refused.
    Refused,
    /// Nothing, or that a store is away: it may be done or not, but not by half.
    Unknown,
}

/// One account, as its client knows it.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) username: String,
    pub(crate) registration: Told,
    /// Each sign-in that was tried, with the sign count that was signed.
    pub(crate) logins: Vec<(u32, Told)>,
    /// Sign-ins with a spoiled signature that were answered as they should be, and those that were not answered.
    pub(crate) spoiled: (u64, u64),
    device: SoftwareAuthenticator,
    cookie: Option<String>,
}

/// What happens while the clients are at work.
#[derive(Debug, Default)]
struct Tally {
    /// Registrations and sign-ins that were answered with success, by client.
    done: [AtomicU64; CLIENTS],
    /// 503 `storage_unavailable`.
    away: AtomicU64,
    cut: AtomicU64,
    /// Milliseconds that the slowest answer took.
    slowest: AtomicU64,
    /// Codes of refusals that a scenario explains.
    explained: Mutex<BTreeMap<String, u64>>,
    /// What must never be answered.
    wrong: Mutex<Vec<String>>,
}

/// The clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    tally: Arc<Tally>,
    clients: Vec<JoinHandle<Vec<Account>>>,
}

/// What the clients were told.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) accounts: Vec<Account>,
    pub(crate) figures: String,
}

impl Load {
    /// Puts the clients to work. `entrance` tells a client, by its number, which origin it sends requests to; `explained` are
    /// codes that may refuse an honest client here, because what it had begun is gone.
    pub(crate) fn start(entrance: impl Fn(usize) -> String, explained: &'static [&'static str]) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let tally = Arc::<Tally>::default();
        let clients = (0..CLIENTS)
            .map(|number| {
                let mut worker = Worker {
                    number,
                    client: Client::with_patience(entrance(number), HANGING),
                    tally: Arc::clone(&tally),
                    explained,
                };
                let stop = Arc::clone(&stop);
                std::thread::spawn(move || worker.work(&stop))
            })
            .collect();
        Self { stop, tally, clients }
    }

    /// Waits until every client has been told so many more successes; how long that took.
    #[track_caller]
    pub(crate) fn until_done(&self, more: u64) -> Duration {
        let done = || self.tally.done.each_ref().map(|done| done.load(Ordering::SeqCst));
        let before = done();
        until("every client succeeds", || {
            self.nothing_wrong();
            done()
                .iter()
                .zip(before)
                .all(|(now, before)| *now >= before + more)
        })
    }

    /// Waits until every client has succeeded after something was mended; how long that took. What a server knew of the
    /// outage it must unlearn by itself, and soon: few are told after it that a store is away.
    #[track_caller]
    pub(crate) fn until_recovered(&self) -> Duration {
        let before = self.tally.away.load(Ordering::SeqCst);
        let took = self.until_done(1);
        let away = self.tally.away.load(Ordering::SeqCst) - before;
        assert!(
            away <= REFUSED_AFTERWARDS,
            "{away} refused after the store was back"
        );
        took
    }

    /// Waits until so many more requests were told that a store is away.
    #[track_caller]
    pub(crate) fn until_away(&self, more: u64) -> Duration {
        let goal = self.tally.away.load(Ordering::SeqCst) + more;
        until("503", || {
            self.nothing_wrong();
            self.tally.away.load(Ordering::SeqCst) >= goal
        })
    }

    /// Waits until so many more requests were cut off.
    #[track_caller]
    pub(crate) fn until_cut(&self, more: u64) -> Duration {
        let goal = self.tally.cut.load(Ordering::SeqCst) + more;
        until("requests are cut off", || {
            self.nothing_wrong();
            self.tally.cut.load(Ordering::SeqCst) >= goal
        })
    }

    #[track_caller]
    fn nothing_wrong(&self) {
        let wrong = self.tally.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Ends the load; what the clients know, and a line of figures.
    #[track_caller]
    pub(crate) fn stop(self) -> Record {
        self.stop.store(true, Ordering::SeqCst);
        let accounts: Vec<Account> = self
            .clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect();
        let tally = &self.tally;
        assert!(
            tally.wrong.lock().unwrap().is_empty(),
            "{:#?}",
            tally.wrong.lock().unwrap()
        );
        let told = |wanted: fn(&Told) -> bool| {
            let registrations = accounts
                .iter()
                .filter(|account| wanted(&account.registration))
                .count();
            let logins = accounts.iter().flat_map(|account| &account.logins);
            (registrations, logins.filter(|login| wanted(&login.1)).count())
        };
        let (registrations, logins) = told(|told| matches!(told, Told::Done(_)));
        let (unknown_registrations, unknown_logins) = told(|told| *told == Told::Unknown);
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        let explained: Vec<String> = tally
            .explained
            .lock()
            .unwrap()
            .iter()
            .map(|(code, times)| format!(", {times} {code}"))
            .collect();
        let figures = format!(
            "{registrations} registrations and {logins} sign-ins answered with success, {} not answered so at their \
             finish; {} answers that a store is away, {} requests cut off{}, slowest answer {} ms",
            unknown_registrations + unknown_logins,
            count(&tally.away),
            count(&tally.cut),
            explained.concat(),
            count(&tally.slowest),
        );
        Record { accounts, figures }
    }
}

/// One client.
struct Worker {
    number: usize,
    client: Client,
    tally: Arc<Tally>,
    explained: &'static [&'static str],
}

impl Worker {
    fn work(&mut self, stop: &AtomicBool) -> Vec<Account> {
        let mut accounts = Vec::<Account>::new();
        for turn in 0_usize.. {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            let known: Vec<usize> = (0..accounts.len())
                .filter(|n| matches!(accounts[*n].registration, Told::Done(_)))
                .collect();
            match known.last() {
                Some(newest) if !turn.is_multiple_of(5) => {
                    // The newest, and now and then one of the old.
                    let chosen = if turn.is_multiple_of(3) {
                        known[turn % known.len()]
                    } else {
                        *newest
                    };
                    self.use_account(&mut accounts[chosen], turn);
                }
                _ => accounts.extend(self.register(&format!("c{}-{turn}", self.number))),
            }
        }
        accounts
    }

    /// `None`: it was not even begun.
    fn register(&mut self, username: &str) -> Option<Account> {
        let started = self.started("/register/start", &json!({"username": username}))?;
        let mut device = SoftwareAuthenticator::new(username);
        let credential = device.register(&started["publicKey"], ORIGIN);
        let (registration, answer) = self.finished("/register/finish", &finish(&started, &credential));
        Some(Account {
            username: username.to_owned(),
            registration,
            logins: Vec::new(),
            spoiled: (0, 0),
            device,
            cookie: answer.and_then(|answer| answer.cookie),
        })
    }

    fn use_account(&mut self, account: &mut Account, turn: usize) {
        match turn % 7 {
            1 => self.look(account),
            2 => self.spoiled_sign_in(account),
            _ => self.sign_in(account, turn),
        }
    }

    fn sign_in(&mut self, account: &mut Account, turn: usize) {
        // By name, and without.
        let asked = if turn.is_multiple_of(2) {
            json!({"username": account.username})
        } else {
            json!({})
        };
        let Some(started) = self.started("/login/start", &asked) else {
            return;
        };
        let credential = account.device.authenticate(&started["publicKey"], ORIGIN);
        let signed = account.device.credentials[0].sign_count;
        let body = finish(&started, &credential);
        let (mut told, answer) = self.finished("/login/finish", &body);
        match told {
            // It was taken: it is not taken again, by whichever process.
            Told::Done(_) if turn.is_multiple_of(4) => {
                self.verdict("replayed", "/login/finish", &body, &["challenge_missing"]);
            }
            // Whoever heard nothing may ask again, and then it counts once.
            Told::Unknown if turn.is_multiple_of(2) => {
                let again = self.verdict("asked again", "/login/finish", &body, &["", "challenge_missing"]);
                if let Some(answer) = again.filter(Answer::is_success) {
                    told = Told::Done(session_id(&answer));
                }
            }
            Told::Done(_) | Told::Refused | Told::Unknown => {}
        }
        account.cookie = answer.and_then(|answer| answer.cookie).or(account.cookie.take());
        account.logins.push((signed, told));
    }

    fn spoiled_sign_in(&mut self, account: &mut Account) {
        let Some(started) = self.started("/login/start", &json!({})) else {
            return;
        };
        let mut credential = account.device.authenticate(&started["publicKey"], ORIGIN);
        let mut signature = base64url_decode(credential["response"]["signature"].as_str().unwrap());
        *signature.last_mut().unwrap() ^= 1;
        credential["response"]["signature"] = base64url(&signature).into();
        let body = finish(&started, &credential);
        let codes: Vec<&str> = [&["authentication_failed"], self.explained].concat();
        match self.verdict("spoiled", "/login/finish", &body, &codes) {
            Some(answer) if answer.code() == Some("authentication_failed") => account.spoiled.0 += 1,
            _ => account.spoiled.1 += 1,
        }
    }

    /// A session that was opened is a session, or the store is away.
    fn look(&mut self, account: &Account) {
        let Some(cookie) = &account.cookie else { return };
        let answer = self.timed(|client| client.send("GET", "/session", Some(cookie), None));
        if let Some(answer) = answer.filter(|answer| answer.status != 200) {
            self.wrong("GET /session", &answer);
        }
    }

    /// Begins a ceremony.
    fn started(&mut self, path: &str, body: &Value) -> Option<Value> {
        let answer = self.timed(|client| client.post(path, body))?;
        if answer.is_success() {
            return Some(answer.body);
        }
        self.wrong(path, &answer);
        None
    }

    /// Finishes one.
    fn finished(&mut self, path: &str, body: &Value) -> (Told, Option<Answer>) {
        let Some(answer) = self.timed(|client| client.post(path, body)) else {
            return (Told::Unknown, None);
        };
        if answer.is_success() {
            self.tally.done[self.number].fetch_add(1, Ordering::SeqCst);
            return (Told::Done(session_id(&answer)), Some(answer));
        }
        match answer.code().filter(|code| self.explained.contains(code)) {
            Some(code) => {
                let mut explained = self.tally.explained.lock().unwrap();
                *explained.entry(code.to_owned()).or_default() += 1;
            }
            None => self.wrong(path, &answer),
        }
        (Told::Refused, None)
    }

    /// Sends what must be answered with one of these codes, where it is answered; success is the empty code.
    fn verdict(&self, what: &str, path: &str, body: &Value, codes: &[&str]) -> Option<Answer> {
        let answer = self.timed(|client| client.post(path, body))?;
        let code = if answer.is_success() {
            Some("")
        } else {
            answer.code()
        };
        if !code.is_some_and(|code| codes.contains(&code)) {
            self.wrong(&format!("{what}: {path}"), &answer);
        }
        Some(answer)
    }

    /// Sends a request; `None`: it was cut off, or a store is away.
    fn timed(&self, send: impl FnOnce(&Client) -> Result<Answer, Lost>) -> Option<Answer> {
        let began = Instant::now();
        let answer = send(&self.client);
        let took = u64::try_from(began.elapsed().as_millis()).unwrap();
        match answer {
            Ok(answer) if answer.status == 503 && answer.code() == Some("storage_unavailable") => {
                self.tally.slowest.fetch_max(took, Ordering::SeqCst);
                self.tally.away.fetch_add(1, Ordering::SeqCst);
                // As a client should: not at once.
                std::thread::sleep(Duration::from_millis(20));
                None
            }
            Ok(answer) => {
                self.tally.slowest.fetch_max(took, Ordering::SeqCst);
                Some(answer)
            }
            Err(Lost::Cut) => {
                self.tally.cut.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(20));
                None
            }
            Err(Lost::Silence) => {
                let hung = format!("client {}: no answer within {HANGING:?}", self.number);
                self.tally.wrong.lock().unwrap().push(hung);
                None
            }
        }
    }

    fn wrong(&self, what: &str, answer: &Answer) {
        let said = format!(
            "client {}: {what}: {} {:?} {}",
            self.number, answer.status, answer.content_type, answer.body
        );
        self.tally.wrong.lock().unwrap().push(said);
    }
}

fn session_id(answer: &Answer) -> String {
    answer.body["session"]["id"].as_str().unwrap().to_owned()
}
