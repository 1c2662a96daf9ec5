use std::collections::{HashMap, HashSet};

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
    /// By an anchor's fingerprint, the entries that list it.
    by_anchor: HashMap<[u8; 32], Vec<usize>>,
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
        let mut by_anchor: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
        for (index, entry) in blob.entries().iter().enumerate() {
            if let Some(aaguid) = entry.aaguid {
                by_aaguid.entry(aaguid).or_default().push(index);
            }
            for identifier in &entry.key_identifiers {
                by_key_identifier.entry(*identifier).or_default().push(index);
            }
            for anchor in entry.statement.iter().flat_map(|statement| &statement.anchors) {
                by_anchor.entry(anchor.fingerprint()).or_default().push(index);
            }
        }
        let dropped = blob.dropped();
        Self {
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
            by_anchor,
        }
    }

    /// The same metadata, with other anchors and revocation lists of the operator's.
    #[must_use]
    pub fn with_local(&self, local: TrustAnchors) -> Self {
        Self {
            local,
            ..self.clone()
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

    /// What is known of a key that is of one of these models: what the worst of them says.
    fn protection<'e>(
        &self,
        models: impl Iterator<Item = &'e Entry>,
        query: &TrustQuery,
    ) -> Result<KeyProtection, Refusal> {
        let mut least = KeyProtection::Hardware;
        for entry in models {
            self.judge(entry, query)?;
            least = weaker(least, entry.statement.as_ref().map_or(least, protection));
        }
        Ok(least)
    }

    fn judge(&self, entry: &Entry, query: &TrustQuery) -> Result<(), Refusal> {
        self.policy.judge_issue(self.blob.issue(), query.at)?;
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
    /// Refuses a model that the policy refuses, and one whose entry cannot be read, local anchors or not: what is claimed
    /// without proof may not help, but it may hurt.
    fn anchors_for<'a>(
        &'a self,
        query: &TrustQuery,
    ) -> Result<Vec<AcceptableAnchor<'a>>, AuthenticatorRefused> {
        let aaguid = query.aaguid.unproven();
        if self.unreadable_key_identifiers.contains(&query.key_identifier)
            || self.unreadable.contains(&aaguid)
        {
            return Err(AuthenticatorRefused {
                reason: "its entry in the metadata cannot be read".into(),
            });
        }
        let claimed: Vec<&Entry> = self.by_aaguid(aaguid).collect();
        let of_key: Vec<&Entry> = self.by_key_identifier(&query.key_identifier).collect();
        for entry in claimed.iter().chain(&of_key) {
            self.policy.judge_statuses(&entry.status_reports, query.at)?;
        }
        // The AAGUID of a U2F statement is signed by nobody.
        let by_key = query.aaguid.is_zero() || query.format == AttestationFormat::FidoU2f;
        let found = if by_key { of_key } else { claimed };
        let mut anchors = Vec::new();
        let mut refusal = None;
        for entry in &found {
            self.judge(entry, query)?;
            let Some(statement) = &entry.statement else {
                continue;
            };
            if !attests_so(statement, query.attestation_type) {
                continue;
            }
            for anchor in &statement.anchors {
                let listed: Vec<&Entry> = self.entries(self.by_anchor.get(&anchor.fingerprint())).collect();
                // Models without an AAGUID are models all the same.
                let shared = listed
                    .iter()
                    .any(|other| other.aaguid.is_none() || other.aaguid != entry.aaguid);
                // An anchor of several models, and a certificate that does not say of which: it may be any (§8.2.1).
                let known = by_key || query.aaguid_certified;
                let models = listed
                    .iter()
                    .copied()
                    .filter(|other| !known || found.iter().any(|own| std::ptr::eq(*own, *other)));
                match self.protection(models, query) {
                    Ok(protection) => anchors.push(AcceptableAnchor {
                        anchor,
                        scope: if by_key || shared {
                            AnchorScope::AnyModel
                        } else {
                            AnchorScope::Model
                        },
                        protection,
                    }),
                    Err(other) => refusal = Some(other),
                }
            }
        }
        anchors.extend(self.local.anchors_for(query)?);
        match refusal {
            Some(refusal) if anchors.is_empty() => Err(refusal.into()),
            Some(_) | None => Ok(anchors),
        }
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

/// What holds of a key that is kept in one of two ways.
const fn weaker(one: KeyProtection, other: KeyProtection) -> KeyProtection {
    match (one, other) {
        (KeyProtection::Software, _) | (_, KeyProtection::Software) => KeyProtection::Software,
        (KeyProtection::Unknown, _) | (_, KeyProtection::Unknown) => KeyProtection::Unknown,
        (KeyProtection::Hardware, KeyProtection::Hardware) => KeyProtection::Hardware,
    }
}
