//! The hostile corpus: ceremonies that a verifier must refuse, each spoiled in one way, beside the unspoiled ones that it
//! must accept.
//!
//! What is spoiled is signed again, so that nothing but the fault itself can be the reason of the refusal. Nothing here is
//! random: the same code makes the same bytes.
#![expect(
    clippy::indexing_slicing,
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod algorithms;
mod android_key;
mod apple;
mod assertion;
mod authenticator_data;
mod cbor;
mod ceremony;
mod client_data;
mod compound;
mod envelope;
mod fido_u2f;
mod formats;
mod keys;
mod packed;
mod policies;
mod safetynet;
mod signatures;
mod tpm;
mod trust;

use serde_json::Value;

use crate::authenticator::sha256;
use ceremony::Ceremony;

/// One line of the corpus.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name, of its own in the whole corpus.
    pub id: String,
    /// The line of the checklist that it holds an implementation to.
    pub line: &'static str,
    /// Why the expected verdict is right.
    pub why: String,
    /// The unspoiled case that it was made from, and must be accepted. Absent for those that stand for themselves.
    pub twin: Option<String>,
    /// The verdict.
    pub expect: Expect,
    /// The input of `keyhaven verify`, JSON text: kept as text because some cases are faults of JSON itself.
    pub input: String,
}

/// A verdict.
#[derive(Clone, Debug)]
pub enum Expect {
    /// Accepted, with these members in the answer.
    Ok(Vec<(&'static str, Value)>),
    /// Refused.
    Reject {
        /// The code.
        code: &'static str,
        /// The step, `7.1.8`.
        step: String,
    },
}

impl Case {
    /// The line as it is published.
    #[must_use]
    pub fn to_json(&self) -> String {
        let expect = match &self.expect {
            Expect::Ok(members) => {
                let members: String = members
                    .iter()
                    .map(|(name, value)| format!(",{}:{}", text(name), ordered(value)))
                    .collect();
                format!(r#"{{"verdict":"ok"{members}}}"#)
            }
            Expect::Reject { code, step } => {
                format!(r#"{{"verdict":"reject","code":"{code}","step":"L3 {step}"}}"#)
            }
        };
        let twin = match &self.twin {
            None => String::new(),
            Some(twin) => format!(r#""twin":{},"#, text(twin)),
        };
        let confirmed_by = match self.confirmed_by() {
            None => String::new(),
            Some(peers) => {
                let peers: Vec<String> = peers.split(' ').map(text).collect();
                format!(r#""confirmedBy":[{}],"#, peers.join(","))
            }
        };
        format!(
            r#"{{"id":{},"line":{},"expect":{expect},{twin}"why":{},{confirmed_by}"case":{}}}"#,
            text(&self.id),
            text(self.line),
            text(&self.why),
            self.input
        )
    }

    /// Which other implementations came to the same verdict on this very input, as `peers.py` beside the corpus found.
    #[must_use]
    pub fn confirmed_by(&self) -> Option<&'static str> {
        let (_, peers, digest) = confirmations().find(|(id, ..)| *id == self.id)?;
        let own: String = sha256(self.input.as_bytes())
            .iter()
            .take(digest.len() / 2)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        (own == digest).then_some(peers)
    }
}

/// Id, other implementations, and the beginning of the input's SHA-256, in hexadecimal.
pub fn confirmations() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    include_str!("confirmed.tsv").lines().filter_map(|line| {
        let mut fields = line.split('\t');
        Some((fields.next()?, fields.next()?, fields.next()?))
    })
}

/// Every case, by file name, in the order of publication.
#[must_use]
pub fn files() -> Vec<(&'static str, Vec<Case>)> {
    let make: [(&'static str, fn(&mut Topic)); 18] = [
        ("client-data", client_data::cases),
        ("envelope", envelope::cases),
        ("authenticator-data", authenticator_data::cases),
        ("cbor", cbor::cases),
        ("keys", keys::cases),
        ("algorithms", algorithms::cases),
        ("signatures", signatures::cases),
        ("assertion", assertion::cases),
        ("formats", formats::cases),
        ("packed", packed::cases),
        ("tpm", tpm::cases),
        ("android-key", android_key::cases),
        ("apple", apple::cases),
        ("fido-u2f", fido_u2f::cases),
        ("compound", compound::cases),
        ("safetynet", safetynet::cases),
        ("trust", trust::cases),
        ("policies", policies::cases),
    ];
    make.map(|(name, fill)| {
        let mut topic = Topic::default();
        fill(&mut topic);
        (name, topic.cases)
    })
    .into()
}

/// The cases of one file while they are made.
#[derive(Debug, Default)]
struct Topic {
    cases: Vec<Case>,
}

/// A ceremony that is accepted, under the name of its case.
#[derive(Clone, Debug)]
struct Twin<C> {
    id: String,
    ceremony: C,
}

impl Topic {
    /// Adds a ceremony that is accepted.
    fn ok<C: Ceremony>(&mut self, id: &str, line: &'static str, why: &str, ceremony: C) -> Twin<C> {
        self.ok_with(id, line, &[], why, ceremony)
    }

    /// The same, with what the answer must say.
    fn ok_with<C: Ceremony>(
        &mut self,
        id: &str,
        line: &'static str,
        answer: &[(&'static str, Value)],
        why: &str,
        ceremony: C,
    ) -> Twin<C> {
        self.add(id, line, None, Expect::Ok(answer.to_vec()), why, &ceremony);
        Twin {
            id: id.to_owned(),
            ceremony,
        }
    }

    /// Adds a ceremony that differs from an accepted one in a way that must not matter, or that the policy in it allows.
    fn vary<C: Ceremony>(
        &mut self,
        twin: &Twin<C>,
        id: &str,
        line: &'static str,
        why: &str,
        change: impl FnOnce(&mut C),
    ) -> Twin<C> {
        let mut ceremony = twin.ceremony.clone();
        change(&mut ceremony);
        self.add(
            id,
            line,
            Some(twin.id.clone()),
            Expect::Ok(Vec::new()),
            why,
            &ceremony,
        );
        Twin {
            id: id.to_owned(),
            ceremony,
        }
    }

    /// Adds an accepted ceremony after one change, which makes it one to be refused.
    fn spoil<C: Ceremony>(
        &mut self,
        twin: &Twin<C>,
        id: &str,
        line: &'static str,
        (code, step): (&'static str, &str),
        why: &str,
        spoil: impl FnOnce(&mut C),
    ) {
        let mut ceremony = twin.ceremony.clone();
        spoil(&mut ceremony);
        let step = step.to_owned();
        self.add(
            id,
            line,
            Some(twin.id.clone()),
            Expect::Reject { code, step },
            why,
            &ceremony,
        );
    }

    fn add<C: Ceremony>(
        &mut self,
        id: &str,
        line: &'static str,
        twin: Option<String>,
        expect: Expect,
        why: &str,
        ceremony: &C,
    ) {
        let (input, response) = ceremony.write();
        let Value::Object(mut input) = input else {
            unreachable!("the input is an object")
        };
        input.insert("name".into(), id.into());
        let mut members: Vec<String> = sorted(&input)
            .map(|(name, value)| format!("{}:{}", text(name), ordered(value)))
            .collect();
        members.push(format!(r#""response":{response}"#));
        self.cases.push(Case {
            id: id.to_owned(),
            line,
            why: why.to_owned(),
            twin,
            expect,
            input: format!("{{{}}}", members.join(",")),
        });
    }
}

/// JSON text with the members of every object sorted, whatever order serde_json is built to keep.
fn ordered(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(ordered).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let members: Vec<String> = sorted(members)
                .map(|(name, value)| format!("{}:{}", text(name), ordered(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn sorted(members: &serde_json::Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut members: Vec<(&String, &Value)> = members.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    members.into_iter()
}

fn text(text: &str) -> String {
    Value::from(text).to_string()
}
