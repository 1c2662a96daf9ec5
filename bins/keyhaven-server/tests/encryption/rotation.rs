//! One key takes the place of another while two servers are at work and people sign in.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use keyhaven_testkit::client::{Client, finish};
use keyhaven_testkit::process::Server;
use serde_json::json;

use crate::site::{Person, Site, on_each};

const USER_AGENT: &str = "Rotating/1.0";

/// Signs in for as long as it is told to, and counts. A server that is just started anew may be away, or not know a
/// ceremony that the one before has begun; nothing else may go wrong. `turns` moves when the server goes and when it is
/// back: it is odd while the server is away.
fn keep_signing_in(
    origin: &str,
    person: &mut Person,
    stop: &AtomicBool,
    done: &AtomicU32,
    turns: &AtomicU32,
) {
    let client = Client::with_user_agent(origin, USER_AGENT);
    while !stop.load(Ordering::SeqCst) {
        let body = json!({"username": person.name});
        let before = turns.load(Ordering::SeqCst);
        let excused = |what: &str| {
            let excused = before % 2 == 1 || turns.load(Ordering::SeqCst) != before;
            assert!(excused, "{}: {what}", person.name);
            std::thread::sleep(Duration::from_millis(10));
        };
        let Ok(started) = client.post("/login/start", &body) else {
            excused("no answer");
            continue;
        };
        let started = started.ok();
        let credential = person.device.authenticate(&started["publicKey"], origin);
        match client.post("/login/finish", &finish(&started, &credential)) {
            Ok(answer) if answer.status == 200 => {
                let session = answer.cookie();
                let body = answer.ok();
                assert_eq!(body["user"]["username"], person.name.as_str());
                if let Ok(listed) = client.send("GET", "/sessions", Some(&session), None) {
                    assert_eq!(listed.ok()["sessions"][0]["userAgent"], USER_AGENT);
                    done.fetch_add(1, Ordering::SeqCst);
                } else {
                    excused("no list");
                }
            }
            Ok(answer) if answer.status == 400 => excused("its ceremony is gone"),
            Ok(answer) => panic!("{}: {} {}", person.name, answer.status, answer.body),
            Err(_) => excused("no answer"),
        }
    }
}

/// Waits until a few more have signed in at every server.
fn while_people_sign_in(counts: &[AtomicU32; 2]) {
    let before = counts.each_ref().map(|count| count.load(Ordering::SeqCst));
    let until = Instant::now() + Duration::from_secs(60);
    while counts
        .iter()
        .zip(before)
        .any(|(count, before)| count.load(Ordering::SeqCst) < before + 3)
    {
        assert!(Instant::now() < until, "nobody signs in");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The ids that the command names, in the order of the ring.
fn ids(said: &str) -> Vec<String> {
    let lines = said.lines().filter_map(|line| line.strip_prefix("key "));
    lines
        .map(|line| line.split(':').next().unwrap().to_owned())
        .collect()
}

fn is_rotated(site: &Site) {
    site.configure(&[1]);
    let mut servers: [Server; 2] = [site.start(), site.start()];
    let clients = servers
        .each_ref()
        .map(|server| Client::with_user_agent(server.origin(), USER_AGENT));
    let mut everybody: Vec<_> = (0..4)
        .map(|n| {
            let name = format!("person-{n}");
            Person::register(
                &clients[n % 2],
                &json!({"username": name, "displayName": format!("Of display {n}")}),
            )
        })
        .collect();
    let (code, said) = site.command(&["privacy", "rotate", "--check"]);
    assert_eq!(code, Some(0), "{said}");
    let first = ids(&said)[0].clone();

    let stop = AtomicBool::new(false);
    let turns = [AtomicU32::new(0), AtomicU32::new(0)];
    let counts = [AtomicU32::new(0), AtomicU32::new(0)];
    let origins = servers.each_ref().map(Server::origin);
    let mut busy = everybody.split_off(2);
    std::thread::scope(|scope| {
        for (n, person) in busy.iter_mut().enumerate() {
            let (stop, done, turns, origin) = (&stop, &counts[n], &turns[n], &origins[n]);
            scope.spawn(move || keep_signing_in(origin, person, stop, done, turns));
        }
        let ended = StopAtLast(&stop);
        let restart_each = |servers: &mut [Server; 2]| {
            for (server, turns) in servers.iter_mut().zip(&turns) {
                turns.fetch_add(1, Ordering::SeqCst);
                assert!(server.stop().is_some());
                server.restart();
                turns.fetch_add(1, Ordering::SeqCst);
                while_people_sign_in(&counts);
            }
        };
        while_people_sign_in(&counts);
        // Every server can read what the new key has encrypted before any server encrypts with it.
        site.configure(&[1, 2]);
        restart_each(&mut servers);
        site.configure(&[2, 1]);
        restart_each(&mut servers);
        let (code, said) = site.command(&["privacy", "rotate", "--check"]);
        assert_eq!(code, Some(1), "{said}");
        let second = ids(&said)[0].clone();
        assert_eq!(ids(&said)[1], first);
        assert!(
            said.contains(&format!("key {first}: ")) && said.contains("needed until"),
            "{said}"
        );
        let (code, said) = site.command(&["privacy", "rotate"]);
        assert_eq!(code, Some(0), "{said}");
        while_people_sign_in(&counts);
        let (code, said) = site.command(&["privacy", "rotate", "--check"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(
            said.contains(&format!("key {first}: 0 values, not needed")),
            "{said}"
        );
        // A second time there is nothing left to do.
        let (code, said) = site.command(&["privacy", "rotate"]);
        assert!(code == Some(0) && said.contains("0 of "), "{said}");

        site.configure(&[2]);
        restart_each(&mut servers);
        let (code, said) = site.command(&["privacy", "rotate", "--check"]);
        assert!(
            code == Some(0) && ids(&said)[0] == second && !said.contains(&first),
            "{said}"
        );
        drop(ended);
    });
    everybody.append(&mut busy);
    for person in &mut everybody {
        for client in &clients {
            let done = person.sign_in(client);
            let n = person.name.strip_prefix("person-").unwrap();
            assert_eq!(done["user"]["displayName"], format!("Of display {n}"));
        }
    }
}

/// Whatever fails meanwhile: nobody goes on for ever.
struct StopAtLast<'a>(&'a AtomicBool);

impl Drop for StopAtLast<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_key_takes_the_place_of_another_while_people_sign_in() {
    on_each(|site| is_rotated(&site));
}

#[test]
fn the_secret_key_is_exchanged_once_no_text_needs_it() {
    on_each(|site| {
        let mut server = site.start();
        let client = Client::new(server.origin());
        let mut anna = Person::register(&client, &json!({"username": "anna"}));
        assert!(server.stop().is_some());
        site.configure(&[1]);
        let (code, said) = site.command(&["privacy", "rotate"]);
        assert_eq!(code, Some(0), "{said}");
        site.exchange_secret_key();
        server.restart();
        assert_eq!(anna.sign_in(&client)["user"]["username"], "anna");
    });
}
