//! What an intruder does with SQL, and what the command says to it.

use keyhaven_audit::{SigningKey, seal};
use keyhaven_storage::{AuditBatch, AuditEvent, AuditOutcome, EventId};
use keyhaven_types::UnixTime;

use crate::log::{Log, Said};

/// The id of the event at a place, in the digits that the command prints, and as a condition.
fn sealed_event(log: &Log, batch: u32, index: u32) -> (String, String) {
    let place = format!("SELECT event_id FROM audit_members WHERE batch = {batch} AND leaf_index = {index}");
    let column = log.intruder().id_text("event_id");
    let id = log.intruder().texts(&format!(
        "SELECT {column} FROM audit_members WHERE batch = {batch} AND leaf_index = {index}"
    ));
    (hyphens(&id[0]), format!("id = ({place})"))
}

/// The first of the events that are not sealed.
fn unsealed_event(log: &Log) -> (String, String) {
    let column = log.intruder().id_text("event_id");
    let id = log
        .intruder()
        .texts(&format!("SELECT {column} FROM audit_unsealed ORDER BY event_id"));
    assert_eq!(id.len(), 3, "three events wait");
    let first = "id = (SELECT event_id FROM audit_unsealed ORDER BY event_id LIMIT 1)";
    (hyphens(&id[0]), first.to_owned())
}

fn hyphens(digits: &str) -> String {
    let (a, b, c) = (&digits[..8], &digits[8..12], &digits[12..16]);
    format!("{a}-{b}-{c}-{}-{}", &digits[16..20], &digits[20..])
}

/// Every column with a value that it can have and has not.
fn edits(log: &Log) -> Vec<(&'static str, String)> {
    let database = log.intruder();
    let id = if database.is_sqlite() {
        "randomblob(16)"
    } else {
        "gen_random_uuid()"
    };
    vec![
        ("at", "at + 1".into()),
        ("action", "'login.started'".into()),
        ("outcome", "'success'".into()),
        ("code", "NULL".into()),
        ("step", "'L3 7.2.1'".into()),
        ("account_id", id.into()),
        ("credential_id", database.bytes(&[1, 2])),
        ("session_id", id.into()),
        ("ip", "'192.0.2.9'".into()),
        ("user_agent", "'another'".into()),
        ("request_id", "'another'".into()),
        ("personal", database.bytes(&[9; 32])),
        ("actor", "'command_line'".into()),
        ("mac", database.bytes(&[9; 32])),
    ]
}

pub(crate) fn an_edited_event_is_named_whatever_the_column(log: &Log) {
    log.verify().is_verified();
    let (key, copy) = (log.key(), log.copy());
    let (sealed, waiting) = (sealed_event(&copy, 2, 1), unsealed_event(&copy));
    copy.intruder()
        .execute(&["CREATE TABLE saved AS SELECT * FROM audit_events"]);
    for (column, value) in edits(&copy) {
        for ((id, condition), place) in [(&sealed, "batch 2, position 1"), (&waiting, "not sealed")] {
            let edit = format!("UPDATE audit_events SET {column} = {value} WHERE {condition}");
            copy.intruder().execute(&[edit]);
            copy.verify().is_bad(column, &[id, place, "edited"]);
            if place.starts_with("batch") {
                // The public key is enough to name it.
                copy.verify_from_outside(&key)
                    .is_bad(column, &[id, place, "edited"]);
            }
            let restore = format!(
                "UPDATE audit_events SET {column} = (SELECT {column} FROM saved WHERE saved.id = audit_events.id)"
            );
            copy.intruder().execute(&[restore]);
            copy.verify().is_verified();
        }
    }
    // The id is what everything else names: the event is gone, and another one has come.
    let new = edits(&copy).swap_remove(5).1;
    copy.intruder()
        .execute(&[format!("UPDATE audit_events SET id = {new} WHERE {}", sealed.1)]);
    copy.verify()
        .is_bad("id", &[&sealed.0, "batch 2, position 1", "missing"]);
}

pub(crate) fn a_deleted_event_is_named(log: &Log) {
    let key = log.key();
    let (id, condition) = sealed_event(log, 3, 0);
    let both = |what: &str, statements: &[String], words: &[&str]| {
        let copy = log.copy();
        copy.intruder().execute(statements);
        copy.verify().is_bad(what, words);
        copy.verify_from_outside(&key).is_bad(what, words);
    };
    let delete = format!("DELETE FROM audit_events WHERE {condition}");
    both(
        "row",
        std::slice::from_ref(&delete),
        &[&id, "batch 3, position 0", "missing"],
    );
    let place = "DELETE FROM audit_members WHERE batch = 3 AND leaf_index = 0".to_owned();
    both(
        "row and place",
        &[delete.clone(), place],
        &["batch 3, position 0", "missing"],
    );
    let renumbered = [
        delete,
        "DELETE FROM audit_members WHERE batch = 3 AND leaf_index = 0".to_owned(),
        "UPDATE audit_members SET leaf_index = leaf_index - 1 WHERE batch = 3 AND leaf_index = 1".to_owned(),
        "UPDATE audit_members SET leaf_index = leaf_index - 1 WHERE batch = 3 AND leaf_index = 2".to_owned(),
    ];
    both("row, and the others moved up", &renumbered, &["batch 3"]);
    let whole = [
        "DELETE FROM audit_events WHERE id IN (SELECT event_id FROM audit_members WHERE batch = 3)"
            .to_owned(),
        "DELETE FROM audit_members WHERE batch = 3".to_owned(),
    ];
    both(
        "all events of a batch",
        &whole,
        &["batch 3, position 0", "missing"],
    );
    let [events, members] = whole;
    let batch = [
        events,
        members,
        "DELETE FROM audit_batches WHERE number = 3".to_owned(),
    ];
    both("a batch", &batch, &["batch 3", "missing"]);
}

pub(crate) fn an_inserted_event_is_named(log: &Log) {
    let key = log.key();
    let columns = "at, action, outcome, code, step, account_id, credential_id, session_id, ip, user_agent, request_id, personal, mac";
    let (_, original) = sealed_event(log, 2, 0);
    let database = log.intruder();
    let forged = if database.is_sqlite() {
        database.bytes(&[0xee; 16])
    } else {
        "'eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee'::uuid".to_owned()
    };
    let event = format!(
        "INSERT INTO audit_events (id, {columns}) SELECT {forged}, {columns} FROM audit_events WHERE {original}"
    );
    let id = "eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee";
    let place = |batch: u32, index: u32| {
        format!(
            "INSERT INTO audit_members (batch, leaf_index, event_id, leaf_hash) SELECT {batch}, {index}, {forged}, leaf_hash
            FROM audit_members WHERE batch = 2 AND leaf_index = 0"
        )
    };
    let count = |log: &Log| {
        log.intruder()
            .texts("SELECT CAST(events AS text) FROM audit_batches WHERE number = 2")[0]
            .parse::<u32>()
            .unwrap()
    };
    // Into the table alone: it is in no batch, and never waited.
    let copy = log.copy();
    copy.intruder().execute(std::slice::from_ref(&event));
    copy.verify().is_bad("table", &[id, "edited"]);
    copy.verify_from_outside(&key).is_bad("table", &[id, "inserted"]);
    // Into a batch: one too many.
    let copy = log.copy();
    copy.intruder().execute(&[event.clone(), place(2, count(&copy))]);
    copy.verify().is_bad("batch", &[id, "batch 2", "inserted"]);
    copy.verify_from_outside(&key)
        .is_bad("batch", &[id, "batch 2", "inserted"]);
    // Into a batch that is none: still nobody sealed it.
    let copy = log.copy();
    copy.intruder().execute(&[event.clone(), place(77, 0)]);
    copy.verify_from_outside(&key)
        .is_bad("no batch", &[id, "inserted"]);
    // With the triggers in force it waits, as if it were an event: a server does not seal it.
    let copy = log.copy();
    copy.intruder().execute_with_triggers(&[event]);
    copy.verify().is_bad("waiting", &[id, "edited"]);
    copy.run_server_for_a_moment();
    copy.verify()
        .is_bad("never sealed", &[id, "not sealed", "edited"]);
}

pub(crate) fn events_in_another_order_are_named(log: &Log) {
    let key = log.key();
    let (first, second) = (sealed_event(log, 2, 0).0, sealed_event(log, 2, 1).0);
    // The places themselves.
    let copy = log.copy();
    copy.intruder().execute(&[
        "UPDATE audit_members SET leaf_index = 900 WHERE batch = 2 AND leaf_index = 0",
        "UPDATE audit_members SET leaf_index = 0 WHERE batch = 2 AND leaf_index = 1",
        "UPDATE audit_members SET leaf_index = 1 WHERE batch = 2 AND leaf_index = 900",
    ]);
    copy.verify()
        .is_bad("places", &[&second, "batch 2, position 0", "reordered"]);
    copy.verify_from_outside(&key)
        .is_bad("places", &[&second, "batch 2, position 0", "reordered"]);
    // The events, while the hashes stay.
    let copy = log.copy();
    let database = copy.intruder();
    let other = if database.is_sqlite() {
        database.bytes(&[0; 16])
    } else {
        "'00000000-0000-0000-0000-000000000000'::uuid".to_owned()
    };
    let id = |first: &str| {
        if database.is_sqlite() {
            format!("X'{}'", first.replace('-', ""))
        } else {
            format!("'{first}'::uuid")
        }
    };
    copy.intruder().execute(&[
        format!("UPDATE audit_members SET event_id = {other} WHERE batch = 2 AND leaf_index = 0"),
        format!(
            "UPDATE audit_members SET event_id = {} WHERE batch = 2 AND leaf_index = 1",
            id(&first)
        ),
        format!(
            "UPDATE audit_members SET event_id = {} WHERE batch = 2 AND leaf_index = 0",
            id(&second)
        ),
    ]);
    copy.verify()
        .is_bad("events", &[&second, "batch 2, position 0", "reordered"]);
    copy.verify_from_outside(&key)
        .is_bad("events", &[&second, "batch 2, position 0", "reordered"]);
    // Two batches.
    let copy = log.copy();
    copy.intruder().execute(&[
        "UPDATE audit_batches SET number = 900 WHERE number = 2",
        "UPDATE audit_batches SET number = 2 WHERE number = 3",
        "UPDATE audit_batches SET number = 3 WHERE number = 900",
    ]);
    copy.verify().is_bad("batches", &["batch 2"]);
    copy.verify_from_outside(&key).is_bad("batches", &["batch 2"]);
}

pub(crate) fn a_batch_or_its_membership_that_is_edited_is_named(log: &Log) {
    let (key, copy) = (log.key(), log.copy());
    let database = copy.intruder();
    database.execute(&["CREATE TABLE saved AS SELECT * FROM audit_batches"]);
    for (column, value) in [
        ("sealed_at", "sealed_at + 1".to_owned()),
        ("events", "events + 1".to_owned()),
        ("total", "total + 1".to_owned()),
        ("root", database.bytes(&[1; 32])),
        ("previous", database.bytes(&[1; 32])),
        ("key_id", "'00000000'".to_owned()),
        ("signature", database.bytes(&[1; 64])),
    ] {
        database.execute(&[format!(
            "UPDATE audit_batches SET {column} = {value} WHERE number = 2"
        )]);
        copy.verify().is_bad(column, &["batch 2"]);
        copy.verify_from_outside(&key).is_bad(column, &["batch 2"]);
        database.execute(&[format!(
            "UPDATE audit_batches SET {column} = (SELECT {column} FROM saved WHERE saved.number = audit_batches.number)"
        )]);
        copy.verify().is_verified();
    }
    // The hash beside an event.
    let (id, _) = sealed_event(log, 2, 0);
    let hash = database.bytes(&[1; 32]);
    let edit = format!("UPDATE audit_members SET leaf_hash = {hash} WHERE batch = 2 AND leaf_index = 0");
    database.execute(std::slice::from_ref(&edit));
    copy.verify()
        .is_bad("leaf", &[&id, "batch 2, position 0", "the row that says where"]);
    // Event and hash both: the batch is named, and by its MAC the event.
    database.execute(&[format!(
        "UPDATE audit_events SET ip = '192.0.2.9' WHERE {}",
        sealed_event(log, 2, 0).1
    )]);
    copy.verify().is_bad("both", &[&id, "edited"]);
    copy.verify_from_outside(&key)
        .is_bad("both", &["batch 2", "edited"]);
}

pub(crate) fn a_tail_signed_by_another_key_is_refused(log: &Log) {
    let (key, copy) = (log.key(), log.copy());
    let database = copy.intruder();
    let name = key.split('+').next().unwrap();
    // All that the intruder lacks is the key. They have a key of their own, and put it beside the others.
    let own = SigningKey::from_seed(name, &[66; 32]).unwrap();
    let newest = database.texts("SELECT CAST(max(number) AS text) FROM audit_batches");
    let newest: u64 = newest[0].parse().unwrap();
    let event = AuditEvent {
        id: EventId("eeeeeeee-eeee-7eee-8eee-eeeeeeeeeeee".parse().unwrap()),
        at: UnixTime::from_millis(1_790_000_000_000),
        action: "login.finish".into(),
        outcome: AuditOutcome::Success,
        code: None,
        step: None,
        account: None,
        credential: None,
        session: None,
        ip: None,
        user_agent: None,
        request_id: None,
        personal: None,
        actor: None,
        mac: [5; 32],
    };
    let hex = |column: &str| {
        let text = if database.is_sqlite() {
            format!("lower(hex({column}))")
        } else {
            format!("encode({column}, 'hex')")
        };
        let digits = database.texts(&format!(
            "SELECT {text} FROM audit_batches WHERE number = {newest}"
        ));
        (0..digits[0].len() / 2)
            .map(|i| u8::from_str_radix(&digits[0][2 * i..2 * i + 2], 16).unwrap())
            .collect::<Vec<_>>()
    };
    let total = database.texts(&format!(
        "SELECT CAST(total - events AS text) FROM audit_batches WHERE number = {newest}"
    ));
    let previous: [u8; 32] = hex("previous").try_into().unwrap();
    let before = AuditBatch {
        number: newest - 1,
        sealed_at: UnixTime::from_millis(0),
        events: 1,
        total: total[0].parse().unwrap(),
        root: [0; 32],
        previous: [0; 32],
        key_id: String::new(),
        signature: [0; 64],
    };
    let sealed_at = UnixTime::from_millis(1_790_000_000_000);
    let (forged, leaves) = seal(Some(&before), vec![event], sealed_at, &own).unwrap();
    let id = if database.is_sqlite() {
        format!("X'{}'", forged_id().replace('-', ""))
    } else {
        format!("'{}'::uuid", forged_id())
    };
    // The chain is continued as it should be, and the key is put beside the others, as if it had always been there.
    let public = own.verifier_key();
    database.execute(&[
        format!("DELETE FROM audit_events WHERE id IN (SELECT event_id FROM audit_members WHERE batch = {newest})"),
        format!("DELETE FROM audit_members WHERE batch = {newest}"),
        format!("DELETE FROM audit_batches WHERE number = {newest}"),
        format!(
            "INSERT INTO audit_events (id, at, action, outcome, mac) VALUES ({id}, 1790000000000, 'login.finish', 'success', {})",
            database.bytes(&[5; 32])
        ),
        format!(
            "INSERT INTO audit_batches (number, sealed_at, events, total, root, previous, key_id, signature)
            VALUES ({newest}, 1790000000000, 1, {}, {}, {}, '{}', {})",
            forged.total,
            database.bytes(&forged.root),
            database.bytes(&previous),
            forged.key_id,
            database.bytes(&forged.signature)
        ),
        format!(
            "INSERT INTO audit_members (batch, leaf_index, event_id, leaf_hash) VALUES ({newest}, 0, {id}, {})",
            database.bytes(&leaves[0].hash)
        ),
        format!(
            "INSERT INTO audit_keys (id, verifier_key, sealed_private_key, created_at) VALUES ('{}', '{public}', {}, 1)",
            public.id(),
            database.bytes(&[1; 60])
        ),
    ]);
    let named = format!("batch {newest}");
    copy.verify()
        .is_bad("re-signed", &[&named, &public.id(), "not trusted"]);
    copy.verify_from_outside(&key)
        .is_bad("re-signed", &[&named, &public.id(), "not trusted"]);
    // Under the name of the real key, too.
    let real = key.split('+').nth(1).unwrap();
    database.execute(&[format!(
        "UPDATE audit_batches SET key_id = '{real}' WHERE number = {newest}"
    )]);
    copy.verify().is_bad("renamed", &[&named, "signature"]);
    copy.verify_from_outside(&key)
        .is_bad("renamed", &[&named, "signature"]);
}

const fn forged_id() -> &'static str {
    "eeeeeeee-eeee-7eee-8eee-eeeeeeeeeeee"
}

pub(crate) fn a_log_cut_off_shows_against_a_checkpoint(log: &Log) {
    let (key, copy) = (log.key(), log.copy());
    let database = copy.intruder();
    let newest = database
        .texts("SELECT CAST(max(number) AS text) FROM audit_batches")
        .remove(0);
    let cut = |database: &keyhaven_testkit::tamper::Intruder, from: &str| {
        database.execute(&[
            format!("DELETE FROM audit_events WHERE id IN (SELECT event_id FROM audit_members WHERE batch >= {from})"),
            format!("DELETE FROM audit_members WHERE batch >= {from}"),
            format!("DELETE FROM audit_batches WHERE number >= {from}"),
        ]);
    };
    cut(&database, &newest);
    // What is left is a whole log: only what was kept elsewhere knows better.
    copy.audit(&["verify"]).is_verified();
    let words = [&*format!("checkpoint of batch {newest}"), "truncated"];
    copy.verify().is_bad("one batch", &words);
    copy.verify_from_outside(&key).is_bad("one batch", &words);
    // All of it: keys, too.
    cut(&database, "0");
    database.execute(&[
        "DELETE FROM audit_keys",
        "DELETE FROM audit_events",
        "DELETE FROM audit_unsealed",
    ]);
    let said = copy.audit(&[
        "verify",
        "--key",
        &key,
        "--checkpoint",
        &crate::log::text(&copy.checkpoints()),
    ]);
    said.is_bad("everything", &["truncated", "no batches"]);
    // A server that goes on from there makes another history, which its own key signs.
    let copy = log.copy();
    cut(&copy.intruder(), &newest);
    copy.run_server_for_a_moment();
    copy.audit(&["verify"]).is_verified();
    let rewritten: Said = copy.verify();
    rewritten.is_bad("another history", &["checkpoint of batch", "rewritten"]);
}

pub(crate) fn what_is_not_sealed_is_watched_too(log: &Log) {
    let (id, condition) = unsealed_event(log);
    // Kept from being sealed.
    let copy = log.copy();
    let list = condition.replacen("id =", "event_id =", 1);
    copy.intruder()
        .execute(&[format!("DELETE FROM audit_unsealed WHERE {list}")]);
    copy.verify().is_bad("withheld", &[&id, "kept from being sealed"]);
    // Deleted: as long as the list still has it, that shows; also after a server has sealed the rest.
    let copy = log.copy();
    copy.intruder()
        .execute(&[format!("DELETE FROM audit_events WHERE {condition}")]);
    copy.verify().is_bad("deleted", &[&id, "not sealed", "missing"]);
    copy.run_server_for_a_moment();
    copy.verify().is_bad("deleted", &[&id, "not sealed", "missing"]);
    // Left alone, a server seals them when it starts again.
    let copy = log.copy();
    copy.run_server_for_a_moment();
    let said = copy.verify();
    said.is_verified();
    assert!(said.text.contains(" 0 not sealed yet"), "{}", said.text);
}

pub(crate) fn a_forged_prune_record_hides_nothing(log: &Log) {
    let (key, copy) = (log.key(), log.copy());
    let database = copy.intruder();
    let real = key.split('+').nth(1).unwrap();
    database.execute(&[
        format!(
            "INSERT INTO audit_prunes (through, chain, pruned_before, at, key_id, signature)
            VALUES (2, {}, 1790000000000, 1790000000000, '{real}', {})",
            database.bytes(&[1; 32]),
            database.bytes(&[1; 64])
        ),
        "DELETE FROM audit_events WHERE id IN (SELECT event_id FROM audit_members WHERE batch <= 2)"
            .to_owned(),
        "DELETE FROM audit_members WHERE batch <= 2".to_owned(),
    ]);
    for said in [copy.verify(), copy.verify_from_outside(&key)] {
        said.is_bad("prune", &["prune record through batch 2", "signature"]);
        said.names("events", &["batch 1, position 0", "missing"]);
        said.names("events", &["batch 2, position 0", "missing"]);
    }
}
