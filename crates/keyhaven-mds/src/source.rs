use std::collections::{HashMap, HashSet};
use std::time::Duration;

use keyhaven_core::{
    Aaguid, AcceptableAnchor, AnchorScope, AttestationFormat, AttestationType, AuthenticatorRefused,
    KeyProtection, RevocationLists, TrustAnchorSource, TrustAnchors, TrustQuery,
};

use crate::{Blob, Entry, Refusal, Statement, StatusPolicy};

/// Trust anchors out of metadata, for models that a policy accepts, and the operator's own beside them.
///
/// Models are looked up by AAGUID; where it is zero, as for U2F, by the key identifier of the attestation certificate. What
/// is reported under that identifier refuses in either case.
#[derive(Clone, Debug)]
pub struct MetadataSource {
    blob: Blob,
    policy: StatusPolicy,
    local: TrustAnchors,
    by_aaguid: HashMap<Aaguid, Vec<usize>>,
    by_key_identifier: HashMap<[u8; 20], Vec<usize>>,
    /// Anchors of several models, by their fingerprints.
    shared: HashSet<[u8; 32]>,
    /// Models whose entries were left out.
    unreadable: HashSet<Aaguid>,
    unreadable_key_identifiers: HashSet<[u8; 20]>,
}

impl MetadataSource {
    /// A source with these metadata. `local` anchors count for models that the metadata do not refuse; revocation
    /// lists that come with them, for all.
    #[must_use]
    pub fn new(blob: Blob, policy: StatusPolicy, local: TrustAnchors) -> Self {
        let mut by_aaguid: HashMap<Aaguid, Vec<usize>> = HashMap::new();
        let mut by_key_identifier: HashMap<[u8; 20], Vec<usize>> = HashMap::new();
        for (index, entry) in blob.entries().iter().enumerate() {
            if let Some(aaguid) = entry.aaguid {
                by_aaguid.entry(aaguid).or_default().push(index);
            }
            for identifier in &entry.key_identifiers {
                by_key_identifier.entry(*identifier).or_default().push(index);
            }
        }
        let dropped = blob.dropped();
        Self {
            shared: shared_anchors(&blob),
            unreadable: dropped.iter().filter_map(|dropped| dropped.aaguid).collect(),
            unreadable_key_identifiers: dropped
                .iter()
                .flat_map(|dropped| dropped.key_identifiers.iter().copied())
                .collect(),
            blob,
            policy,
            local,
            by_aaguid,
            by_key_identifier,
        }
    }

    /// The metadata.
    #[must_use]
    pub const fn blob(&self) -> &Blob {
        &self.blob
    }

    /// The entries on a model. More than one is unusual; all of them count.
    pub fn by_aaguid(&self, aaguid: Aaguid) -> impl Iterator<Item = &Entry> {
        self.entries(self.by_aaguid.get(&aaguid))
    }

    /// The entries on models with an attestation certificate of this key identifier: SHA-1 of its public key.
    pub fn by_key_identifier(&self, identifier: &[u8; 20]) -> impl Iterator<Item = &Entry> {
        self.entries(self.by_key_identifier.get(identifier))
    }

    fn entries(&self, indices: Option<&Vec<usize>>) -> impl Iterator<Item = &Entry> {
        indices
            .into_iter()
            .flatten()
            .filter_map(|&index| self.blob.entries().get(index))
    }

    fn judge(&self, entry: &Entry, query: &TrustQuery) -> Result<(), Refusal> {
        if let Some(days) = self.policy.max_overdue_days {
            let next_update = self.blob.issue().next_update;
            let patience = Duration::from_secs(u64::from(days).saturating_mul(86_400));
            if next_update.midnight().saturating_add(patience) < query.at {
                return Err(Refusal::Overdue { next_update });
            }
        }
        let key_protection = entry
            .statement
            .as_ref()
            .map(|statement| statement.key_protection.as_slice());
        self.policy.judge(
            &entry.status_reports,
            key_protection.unwrap_or_default(),
            query.at,
        )
    }
}

impl TrustAnchorSource for MetadataSource {
    /// Refuses a model that the policy refuses, and one whose entry cannot be read, local anchors or not.
    fn anchors_for<'a>(
        &'a self,
        query: &TrustQuery,
    ) -> Result<Vec<AcceptableAnchor<'a>>, AuthenticatorRefused> {
        // The AAGUID of a U2F statement is signed by nobody.
        let by_key = query.aaguid.is_zero() || query.format == AttestationFormat::FidoU2f;
        let aaguid = query.aaguid.unproven();
        if self.unreadable_key_identifiers.contains(&query.key_identifier)
            || (!by_key && self.unreadable.contains(&aaguid))
        {
            return Err(AuthenticatorRefused {
                reason: "its entry in the metadata cannot be read".into(),
            });
        }
        let found: Vec<&Entry> = if by_key {
            self.by_key_identifier(&query.key_identifier).collect()
        } else {
            for entry in self.by_key_identifier(&query.key_identifier) {
                self.policy.judge_statuses(&entry.status_reports, query.at)?;
            }
            self.by_aaguid(aaguid).collect()
        };
        let mut anchors = Vec::new();
        for entry in found {
            self.judge(entry, query)?;
            if let Some(statement) = &entry.statement
                && attests_so(statement, query.attestation_type)
            {
                anchors.extend(statement.anchors.iter().map(|anchor| AcceptableAnchor {
                    anchor,
                    scope: if by_key || self.shared.contains(&anchor.fingerprint()) {
                        AnchorScope::AnyModel
                    } else {
                        AnchorScope::Model
                    },
                    protection: protection(statement),
                }));
            }
        }
        anchors.extend(self.local.anchors_for(query)?);
        Ok(anchors)
    }

    /// Those that came with the local anchors.
    fn revocation_lists(&self) -> Option<&RevocationLists> {
        self.local.revocation_lists()
    }
}

impl From<Refusal> for AuthenticatorRefused {
    fn from(refusal: Refusal) -> Self {
        Self {
            reason: refusal.to_string().into(),
        }
    }
}

/// The anchors that more than one model has: what leads to them is of one of these, and does not say of which.
fn shared_anchors(blob: &Blob) -> HashSet<[u8; 32]> {
    let mut owners: HashMap<[u8; 32], Option<Aaguid>> = HashMap::new();
    let mut shared = HashSet::new();
    for entry in blob.entries() {
        for anchor in entry.statement.iter().flat_map(|statement| &statement.anchors) {
            let fingerprint = anchor.fingerprint();
            let owner = *owners.entry(fingerprint).or_insert(entry.aaguid);
            // Models without an AAGUID are models all the same.
            if owner != entry.aaguid || owner.is_none() {
                shared.insert(fingerprint);
            }
        }
    }
    shared
}

/// Whether the model attests in this way, as its maker says.
fn attests_so(statement: &Statement, attestation_type: AttestationType) -> bool {
    let names: &[&str] = match attestation_type {
        AttestationType::AnonCa => &["anonca"],
        AttestationType::AttCa => &["attca"],
        AttestationType::Basic => &["basic_full"],
        AttestationType::Uncertain => &["basic_full", "attca"],
        AttestationType::None | AttestationType::SelfAttestation => &[],
    };
    statement
        .attestation_types
        .iter()
        .any(|name| names.contains(&name.as_ref()))
}

/// Where the model keeps its keys, as its maker says (FIDO Registry §3.2). `remote_handle` says that the key travels
/// wrapped; by what is said beside it.
fn protection(statement: &Statement) -> KeyProtection {
    let says = |name: &str| statement.key_protection.iter().any(|word| **word == *name);
    if says("software") {
        KeyProtection::Software
    } else if ["hardware", "secure_element", "tee"].into_iter().any(says) {
        KeyProtection::Hardware
    } else {
        KeyProtection::Unknown
    }
}
