//! Several processes and one Redis: what one has started another finishes, and what one has counted counts for all.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::{Duration, Instant};

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::process::{Server, TempDir};
use keyhaven_testkit::redis::Redis;
use serde_json::{Value, json};
use ureq::Agent;

/// The page's origin, the same for all processes: they stand behind one name.
const ORIGIN: &str = "http://localhost:8080";

/// Processes that share a database file and a Redis.
struct Site {
    redis: Redis,
    servers: Vec<Server>,
    agent: Agent,
    #[expect(dead_code, reason = "kept alive")]
    directory: TempDir,
}

impl Site {
    fn of(processes: usize, redis: Redis, more: &[(&str, &str)]) -> Self {
        let directory = TempDir::new("site");
        let database = format!("sqlite:{}", directory.path().join("keyhaven.db").display());
        let challenges = redis.url();
        let mut environment = vec![
            ("KEYHAVEN_ORIGINS", ORIGIN),
            ("KEYHAVEN_DATABASE_URL", database.as_str()),
            ("KEYHAVEN_CHALLENGES_URL", challenges.as_str()),
        ];
        environment.extend(more);
        let servers = (0..processes)
            .map(|_| Server::start(env!("CARGO_BIN_EXE_keyhaven"), &environment))
            .collect();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        Self {
            redis,
            servers,
            agent,
            directory,
        }
    }

    /// Asks the process of this number, as a client without cookies.
    fn post(&self, process: usize, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.servers[process].origin());
        let request = self.agent.post(url).header("content-type", "application/json");
        let mut answer = request.send(body.to_string()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
    }

    fn ready(&self, process: usize) -> (u16, String) {
        let url = format!("{}/ready", self.servers[process].origin());
        let mut answer = self.agent.get(url).call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), text)
    }

    fn start(&self, process: usize, path: &str, body: &Value) -> Value {
        let (status, started) = self.post(process, path, body);
        assert_eq!(status, 200, "{started}");
        started
    }

    /// Until it says so: what it says can be a second old.
    fn becomes(&self, process: usize, status: u16) -> String {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let (said, body) = self.ready(process);
            if said == status {
                return body;
            }
            assert!(Instant::now() < until, "{said}: {body}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn finish(started: &Value, credential: &Value) -> Value {
    json!({"ceremonyId": started["ceremonyId"], "credential": credential})
}

#[test]
fn a_ceremony_is_finished_by_another_process_and_after_a_restart_and_once() {
    let mut site = Site::of(2, Redis::start().unwrap(), &[("KEYHAVEN_RATE_LIMIT", "off")]);
    let mut device = SoftwareAuthenticator::new("device");
    let started = site.start(0, "/register/start", &json!({"username": "alice"}));
    let credential = device.register(&started["publicKey"], ORIGIN);
    let (status, registered) = site.post(1, "/register/finish", &finish(&started, &credential));
    assert_eq!(status, 201, "{registered}");

    for (starts, finishes) in [(0, 1), (1, 0)] {
        let started = site.start(starts, "/login/start", &json!({}));
        let signed = finish(&started, &device.authenticate(&started["publicKey"], ORIGIN));
        let (status, done) = site.post(finishes, "/login/finish", &signed);
        assert_eq!(status, 200, "{done}");
        for process in 0..2 {
            let (status, refused) = site.post(process, "/login/finish", &signed);
            assert_eq!((status, &refused["code"]), (400, &json!("challenge_missing")));
        }
    }

    let started = site.start(0, "/login/start", &json!({}));
    site.servers[0].restart();
    let signed = finish(&started, &device.authenticate(&started["publicKey"], ORIGIN));
    let (status, done) = site.post(0, "/login/finish", &signed);
    assert_eq!(status, 200, "{done}");
}

#[test]
fn attempts_are_counted_for_all_processes_together() {
    // The next attempt is due a minute after the first: all of this takes less.
    let one = ("KEYHAVEN_RATE_LIMITS__PER_ADDRESS_AND_ACCOUNT_PER_MINUTE", "1");
    let site = Site::of(2, Redis::start().unwrap(), &[one]);
    for (first, name) in [(0, "alice"), (1, "bob")] {
        let body = json!({"username": name});
        let _ = site.start(first, "/login/start", &body);
        for process in 0..2 {
            let (status, refused) = site.post(process, "/login/start", &body);
            assert_eq!((status, &refused["code"]), (429, &json!("rate_limited")));
        }
    }
}

#[test]
fn a_redis_that_is_away_is_a_503_until_it_is_back() {
    let mut site = Site::of(1, Redis::start().unwrap(), &[]);
    let mut device = SoftwareAuthenticator::new("device");
    let _ = site.becomes(0, 200);
    let started = site.start(0, "/register/start", &json!({"username": "alice"}));
    let credential = device.register(&started["publicKey"], ORIGIN);
    site.redis.stop();
    for (path, body) in [
        ("/register/finish", finish(&started, &credential)),
        ("/login/start", json!({})),
        ("/register/start", json!({"username": "bob"})),
    ] {
        let (status, refused) = site.post(0, path, &body);
        assert_eq!((status, &refused["code"]), (503, &json!("storage_unavailable")));
    }
    let body = site.becomes(0, 503);
    assert!(body.contains("unreachable"), "{body}");

    site.redis.run().unwrap();
    let _ = site.becomes(0, 200);
    // What was pending is gone with the Redis that had it; everything else goes on.
    let (status, refused) = site.post(0, "/register/finish", &finish(&started, &credential));
    assert_eq!((status, &refused["code"]), (400, &json!("challenge_missing")));
    let started = site.start(0, "/register/start", &json!({"username": "alice"}));
    let credential = device.register(&started["publicKey"], ORIGIN);
    let (status, registered) = site.post(0, "/register/finish", &finish(&started, &credential));
    assert_eq!(status, 201, "{registered}");
}

#[test]
fn a_redis_that_may_drop_ceremonies_is_not_ready() {
    let redis = Redis::start_with(&["--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl"]).unwrap();
    let site = Site::of(1, redis, &[]);
    let body = site.becomes(0, 503);
    assert!(body.contains("may_evict"), "{body}");
    let _ = site
        .redis
        .command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let _ = site.becomes(0, 200);
}
