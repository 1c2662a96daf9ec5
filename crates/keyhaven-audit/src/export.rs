//! The log as lines of JSON: first `log`, then keys and prune records, then each batch with its members, then what no
//! batch holds, then `end`, so that a file that was cut short shows. Hashes and other bytes are base64url, times are
//! milliseconds since 1970.

use keyhaven_storage::{
    AccountId, AuditBatch, AuditEvent, AuditKey, AuditMember, AuditOutcome, AuditPrune, Damaged, EventId,
    MAX_BATCH_EVENTS, SessionId, StoredEvent, UnsealedEvent,
};
use keyhaven_types::{CredentialId, UnixTime, base64url};
use serde::{Deserialize, Serialize};

use crate::Proof;

/// The version of the format.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[expect(missing_docs, reason = "the fields are those of the records, in text form")]
pub enum Line {
    /// What this is.
    Log { version: u32, newest_batch: u64 },
    /// A public key.
    Key {
        id: String,
        verifier_key: String,
        created_at: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        endorsed_by: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        endorsement: Option<String>,
    },
    /// A prune record.
    Prune {
        through: u64,
        chain: String,
        before: i64,
        at: i64,
        key_id: String,
        signature: String,
    },
    /// The header of a batch; its members follow.
    Batch(BatchBody),
    /// One place of the batch before.
    Member {
        batch: u64,
        index: u32,
        event_id: String,
        leaf: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        event: Option<Box<EventBody>>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        damaged: bool,
    },
    /// An event that no batch holds.
    Unsealed {
        event_id: String,
        waits: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        event: Option<Box<EventBody>>,
    },
    /// The end, and how much came before.
    End {
        batches: u64,
        events: u64,
        unsealed: u64,
    },
}

/// The header of a batch.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the record, in text form")]
pub struct BatchBody {
    pub number: u64,
    pub sealed_at: i64,
    pub events: u32,
    pub total: u64,
    pub root: String,
    pub previous: String,
    pub key_id: String,
    pub signature: String,
}

/// An event.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the record, in text form")]
pub struct EventBody {
    pub id: String,
    pub at: i64,
    pub action: String,
    pub outcome: String,
    pub code: Option<String>,
    pub step: Option<String>,
    pub account: Option<String>,
    pub credential: Option<String>,
    pub session: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal: Option<String>,
    pub actor: Option<String>,
    pub mac: String,
}

/// A proof as a document of its own.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the proof, in text form")]
pub struct ProofBody {
    pub version: u32,
    pub origin: String,
    pub event: EventBody,
    pub index: u32,
    pub path: Vec<String>,
    pub batches: Vec<BatchBody>,
}

/// The document is none of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not valid: {0}")]
pub struct InvalidExport(pub &'static str);

/// What lines amount to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Item {
    /// A batch and what is said about its places.
    Batch(AuditBatch, Vec<AuditMember>),
    /// A key, without its private half.
    Key(AuditKey),
    /// A prune record.
    Prune(AuditPrune),
    /// An event that no batch holds.
    Unsealed(UnsealedEvent),
}

/// Puts lines together again.
#[derive(Debug, Default)]
pub struct Reader {
    batch: Option<(AuditBatch, Vec<AuditMember>)>,
    began: bool,
    ended: bool,
    counts: (u64, u64, u64),
}

impl Reader {
    /// Takes the next line, and answers what is complete with it.
    ///
    /// # Errors
    /// When it does not belong there.
    pub fn line(&mut self, line: Line) -> Result<Vec<Item>, InvalidExport> {
        if self.ended {
            return Err(InvalidExport("something follows the end"));
        }
        if self.began == matches!(line, Line::Log { .. }) {
            return Err(InvalidExport("a log begins with its one line of type log"));
        }
        let mut items = Vec::new();
        if !matches!(line, Line::Member { .. }) {
            items.extend(
                self.batch
                    .take()
                    .map(|(batch, members)| Item::Batch(batch, members)),
            );
        }
        match line {
            Line::Log { version, .. } => {
                if version != VERSION {
                    return Err(InvalidExport("another version of the format"));
                }
                self.began = true;
            }
            Line::Key { .. } => items.push(Item::Key(key(line)?)),
            Line::Prune {
                through,
                chain,
                before,
                at,
                key_id,
                signature,
            } => items.push(Item::Prune(AuditPrune {
                through,
                chain: bytes(&chain)?,
                before: UnixTime::from_millis(before),
                at: UnixTime::from_millis(at),
                key_id,
                signature: bytes(&signature)?,
            })),
            Line::Batch(body) => {
                self.counts.0 = self.counts.0.saturating_add(1);
                self.batch = Some((body.try_into()?, Vec::new()));
            }
            Line::Member {
                batch,
                index,
                event_id,
                leaf,
                event,
                damaged,
            } => {
                let Some((header, members)) = &mut self.batch else {
                    return Err(InvalidExport("a member without its batch"));
                };
                if header.number != batch || members.len() > usize::try_from(MAX_BATCH_EVENTS).unwrap_or(0) {
                    return Err(InvalidExport("a member of another batch, or too many"));
                }
                self.counts.1 = self.counts.1.saturating_add(u64::from(event.is_some()));
                members.push(AuditMember {
                    index,
                    event_id: id(&event_id)?,
                    hash: bytes(&leaf)?,
                    event: found(&event_id, event, damaged)?,
                });
            }
            Line::Unsealed {
                event_id,
                waits,
                event,
            } => {
                self.counts.2 = self.counts.2.saturating_add(1);
                items.push(Item::Unsealed(UnsealedEvent {
                    id: id(&event_id)?,
                    waits,
                    event: found(&event_id, event, true)?,
                }));
            }
            Line::End {
                batches,
                events,
                unsealed,
            } => {
                if (batches, events, unsealed) != self.counts {
                    return Err(InvalidExport("its end counts other lines than there are"));
                }
                self.ended = true;
            }
        }
        Ok(items)
    }

    /// Whether the end was reached.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.ended
    }
}

fn found(event_id: &str, event: Option<Box<EventBody>>, damaged: bool) -> Result<StoredEvent, InvalidExport> {
    Ok(match event {
        None if damaged => StoredEvent::Damaged(Damaged("event")),
        None => StoredEvent::Missing,
        Some(event) if event.id != event_id => return Err(InvalidExport("an event under another id")),
        Some(event) => StoredEvent::Whole((*event).try_into()?),
    })
}

/// A member as a line.
#[must_use]
pub fn member(batch: u64, member: &AuditMember) -> Line {
    Line::Member {
        batch,
        index: member.index,
        event_id: member.event_id.to_string(),
        leaf: base64url::encode(&member.hash),
        event: whole(&member.event),
        damaged: matches!(member.event, StoredEvent::Damaged(_)),
    }
}

/// An event that no batch holds, as a line.
#[must_use]
pub fn unsealed(unsealed: &UnsealedEvent) -> Line {
    Line::Unsealed {
        event_id: unsealed.id.to_string(),
        waits: unsealed.waits,
        event: whole(&unsealed.event),
    }
}

fn whole(event: &StoredEvent) -> Option<Box<EventBody>> {
    match event {
        StoredEvent::Whole(event) => Some(Box::new(event.into())),
        StoredEvent::Damaged(_) | StoredEvent::Missing => None,
    }
}

impl From<&AuditKey> for Line {
    fn from(key: &AuditKey) -> Self {
        let (endorsed_by, endorsement) = key
            .endorsement
            .as_ref()
            .map(|(by, signature)| (by.clone(), base64url::encode(signature)))
            .unzip();
        Self::Key {
            id: key.id.clone(),
            verifier_key: key.verifier_key.clone(),
            created_at: key.created_at.as_millis(),
            endorsed_by,
            endorsement,
        }
    }
}

impl From<&AuditPrune> for Line {
    fn from(prune: &AuditPrune) -> Self {
        Self::Prune {
            through: prune.through,
            chain: base64url::encode(&prune.chain),
            before: prune.before.as_millis(),
            at: prune.at.as_millis(),
            key_id: prune.key_id.clone(),
            signature: base64url::encode(&prune.signature),
        }
    }
}

fn key(line: Line) -> Result<AuditKey, InvalidExport> {
    let Line::Key {
        id,
        verifier_key,
        created_at,
        endorsed_by,
        endorsement,
    } = line
    else {
        return Err(InvalidExport("no key"));
    };
    let endorsement = match (endorsed_by, endorsement) {
        (Some(by), Some(signature)) => Some((by, bytes(&signature)?)),
        (_, _) => None,
    };
    Ok(AuditKey {
        id,
        verifier_key,
        sealed_private_key: Vec::new(),
        created_at: UnixTime::from_millis(created_at),
        endorsement,
    })
}

impl From<&AuditBatch> for BatchBody {
    fn from(batch: &AuditBatch) -> Self {
        Self {
            number: batch.number,
            sealed_at: batch.sealed_at.as_millis(),
            events: batch.events,
            total: batch.total,
            root: base64url::encode(&batch.root),
            previous: base64url::encode(&batch.previous),
            key_id: batch.key_id.clone(),
            signature: base64url::encode(&batch.signature),
        }
    }
}

impl TryFrom<BatchBody> for AuditBatch {
    type Error = InvalidExport;

    fn try_from(body: BatchBody) -> Result<Self, InvalidExport> {
        Ok(Self {
            number: body.number,
            sealed_at: UnixTime::from_millis(body.sealed_at),
            events: body.events,
            total: body.total,
            root: bytes(&body.root)?,
            previous: bytes(&body.previous)?,
            key_id: body.key_id,
            signature: bytes(&body.signature)?,
        })
    }
}

impl From<&AuditEvent> for EventBody {
    fn from(event: &AuditEvent) -> Self {
        Self {
            id: event.id.to_string(),
            at: event.at.as_millis(),
            action: event.action.clone(),
            outcome: match event.outcome {
                AuditOutcome::Refused => "refused".to_owned(),
                AuditOutcome::Success => "success".to_owned(),
            },
            code: event.code.clone(),
            step: event.step.clone(),
            account: event.account.map(|id| id.to_string()),
            credential: event
                .credential
                .as_ref()
                .map(|id| base64url::encode(id.as_bytes())),
            session: event.session.map(|id| id.to_string()),
            ip: event.ip.clone(),
            user_agent: event.user_agent.clone(),
            request_id: event.request_id.clone(),
            personal: event.personal.as_deref().map(base64url::encode),
            actor: event.actor.map(|actor| actor.to_string()),
            mac: base64url::encode(&event.mac),
        }
    }
}

impl TryFrom<EventBody> for AuditEvent {
    type Error = InvalidExport;

    fn try_from(body: EventBody) -> Result<Self, InvalidExport> {
        let credential = body.credential.as_deref().map(|text| {
            let bytes = base64url::decode(text).map_err(|_| InvalidExport("a credential id"))?;
            CredentialId::try_from(bytes.as_slice()).map_err(|_| InvalidExport("a credential id"))
        });
        let account = body.account.as_deref().map(str::parse::<AccountId>).transpose();
        let session = body.session.as_deref().map(str::parse::<SessionId>).transpose();
        let personal = body.personal.as_deref().map(base64url::decode).transpose();
        Ok(Self {
            id: id(&body.id)?,
            at: UnixTime::from_millis(body.at),
            action: body.action,
            outcome: match body.outcome.as_str() {
                "refused" => AuditOutcome::Refused,
                "success" => AuditOutcome::Success,
                _ => return Err(InvalidExport("an outcome")),
            },
            code: body.code,
            step: body.step,
            account: account.map_err(|_| InvalidExport("an account id"))?,
            credential: credential.transpose()?,
            session: session.map_err(|_| InvalidExport("a session id"))?,
            ip: body.ip,
            user_agent: body.user_agent,
            request_id: body.request_id,
            personal: personal.map_err(|_| InvalidExport("base64url"))?,
            actor: body
                .actor
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|_| InvalidExport("an actor"))?,
            mac: bytes(&body.mac)?,
        })
    }
}

impl From<&Proof> for ProofBody {
    fn from(proof: &Proof) -> Self {
        Self {
            version: VERSION,
            origin: proof.origin.clone(),
            event: (&proof.event).into(),
            index: proof.index,
            path: proof.path.iter().map(|hash| base64url::encode(hash)).collect(),
            batches: proof.batches.iter().map(BatchBody::from).collect(),
        }
    }
}

impl TryFrom<ProofBody> for Proof {
    type Error = InvalidExport;

    fn try_from(body: ProofBody) -> Result<Self, InvalidExport> {
        if body.version != VERSION {
            return Err(InvalidExport("another version of the format"));
        }
        Ok(Self {
            origin: body.origin,
            event: body.event.try_into()?,
            index: body.index,
            path: body
                .path
                .iter()
                .map(|text| bytes(text))
                .collect::<Result<_, _>>()?,
            batches: body
                .batches
                .into_iter()
                .map(AuditBatch::try_from)
                .collect::<Result<_, _>>()?,
        })
    }
}

fn id(text: &str) -> Result<EventId, InvalidExport> {
    text.parse().map_err(|_| InvalidExport("an event id"))
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], InvalidExport> {
    let bytes = base64url::decode(text).map_err(|_| InvalidExport("base64url"))?;
    bytes
        .try_into()
        .map_err(|_| InvalidExport("a value of another length"))
}
