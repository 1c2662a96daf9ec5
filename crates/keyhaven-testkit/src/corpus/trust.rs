//! Trust (§7.1 steps 23 and 24): certification paths to configured anchors.

use base64::Engine as _;
use serde_json::json;

use super::ceremony::{AAGUID, Registration};
use super::packed::attestation_key;
use super::{Topic, android_key, apple, fido_u2f, tpm};
use crate::authenticator::{
    Attribute, BASIC_CONSTRAINTS, CertificateDraft, Chain, Extension, Packed, RevocationListDraft,
    SigningKey, Statement, object_identifier, tlv,
};

const LINE: &str = "B24";
const UNTRUSTED: (&str, &str) = ("attestation_untrusted", "7.1.24");
const KEY_USAGE: &str = "2.5.29.15";
const NAME_CONSTRAINTS: &str = "2.5.29.30";
const AT: &str = "2026-01-01T00:00:00Z";

/// A CA.
#[derive(Clone)]
struct Authority {
    draft: CertificateDraft,
    key: SigningKey,
}

impl Authority {
    fn new(name: &str, issuer: &str, path_length: Option<u8>) -> Self {
        let key = SigningKey::new(-7, name.as_bytes()).unwrap();
        let mut draft = CertificateDraft::attestation(&key, AAGUID);
        draft.subject = common_name(name);
        draft.issuer = common_name(issuer);
        let mut constraints = tlv(1, &[0xff]);
        if let Some(length) = path_length {
            constraints.extend(tlv(2, &[length]));
        }
        draft.extensions = vec![
            Extension {
                oid: BASIC_CONSTRAINTS.to_vec(),
                critical: true,
                value: tlv(0x30, &constraints),
            },
            // keyCertSign and cRLSign.
            Extension::new(KEY_USAGE, true, tlv(3, &[1, 0x06])),
        ];
        Self { draft, key }
    }

    fn extension(&mut self, oid: &str) -> &mut Extension {
        self.draft.extension(&object_identifier(oid)[2..])
    }
}

fn common_name(name: &str) -> Vec<Attribute> {
    vec![Attribute {
        kind: 3,
        tag: 0x0c,
        text: name.into(),
    }]
}

/// A root, the CAs below it, and a leaf.
#[derive(Clone)]
struct Path {
    authorities: Vec<Authority>,
    leaf: CertificateDraft,
    /// Who signs each of `authorities` and then the leaf, where that is not the one before.
    signers: Vec<Option<SigningKey>>,
    /// Which of `authorities` are in x5c.
    sent: Vec<bool>,
    /// Which is the anchor; `None` for the leaf itself.
    anchor: Option<usize>,
    /// Used instead.
    anchors: Option<Vec<Vec<u8>>>,
    at: String,
    allow_sha1: bool,
    /// Revocation lists that the verifier has.
    lists: Vec<Vec<u8>>,
}

impl Path {
    /// Root, intermediate, leaf; the intermediate is sent.
    fn new(leaf: &CertificateDraft) -> Self {
        let mut leaf = leaf.clone();
        leaf.issuer = common_name("Intermediate");
        Self {
            authorities: vec![
                Authority::new("Root", "Root", None),
                Authority::new("Intermediate", "Root", Some(0)),
            ],
            leaf,
            signers: vec![None, None, None],
            sent: vec![false, true],
            anchor: Some(0),
            anchors: None,
            at: AT.into(),
            allow_sha1: false,
            lists: Vec::new(),
        }
    }

    /// Has one of the authorities revoke a certificate; `by` signs.
    fn revoke(&mut self, authority: usize, serial: u8, by: &SigningKey) {
        self.revoke_numbered(authority, serial, by, 1);
    }

    /// The same by a list of this number.
    fn revoke_numbered(&mut self, authority: usize, serial: u8, by: &SigningKey, number: u8) {
        let list = RevocationListDraft {
            issuer: self.authorities[authority].draft.subject.clone(),
            updates: ("20251201000000Z".into(), "20260201000000Z".into()),
            revoked: vec![vec![serial]],
        };
        self.lists.push(list.sign_numbered(by, Some(&[number])));
    }

    fn root(&mut self) -> &mut Authority {
        &mut self.authorities[0]
    }

    fn intermediate(&mut self) -> &mut Authority {
        &mut self.authorities[1]
    }

    fn signer(&self, at: usize) -> SigningKey {
        self.signers[at]
            .clone()
            .unwrap_or_else(|| self.authorities[at.max(1) - 1].key.clone())
    }

    fn certificate(&self, at: usize) -> Vec<u8> {
        self.authorities[at].draft.sign(&self.signer(at))
    }

    fn chain(&self) -> Chain {
        let sent = (0..self.authorities.len()).rev().filter(|at| self.sent[*at]);
        Chain {
            leaf: self.leaf.clone(),
            issuer: self.signer(self.authorities.len()),
            rest: sent.map(|at| self.certificate(at)).collect(),
        }
    }

    /// The policy. A leaf as the anchor is one that the statement leaves as it is.
    fn attestation(&self) -> serde_json::Value {
        let anchors = self.anchors.clone().unwrap_or_else(|| match self.anchor {
            Some(at) => vec![self.certificate(at)],
            None => vec![self.leaf.sign(&self.signer(self.authorities.len()))],
        });
        let mut policy = trusted(&anchors, &self.at, self.allow_sha1);
        if !self.lists.is_empty() {
            policy["revocationLists"] = self.lists.iter().map(|der| standard(der)).collect();
        }
        policy
    }
}

fn standard(der: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(der)
}

fn trusted(anchors: &[Vec<u8>], at: &str, allow_sha1: bool) -> serde_json::Value {
    let anchors: Vec<String> = anchors.iter().map(|der| standard(der)).collect();
    let mut policy = json!({"policy": "trusted", "trustAnchors": anchors, "at": at});
    if allow_sha1 {
        policy["allowSha1"] = true.into();
    }
    policy
}

/// A packed registration over such a path.
fn packed(edit: impl FnOnce(&mut Path)) -> Registration {
    let key = attestation_key(-7);
    let mut path = Path::new(&CertificateDraft::attestation(&key, AAGUID));
    edit(&mut path);
    let mut registration = Registration::attested(-7, |_| {
        Statement::Packed(Packed {
            alg: -7,
            chain: Some(path.chain()),
            key,
        })
    });
    registration.input["attestation"] = path.attestation();
    registration
}

pub(super) fn cases(topic: &mut Topic) {
    nobody_vouches(topic);
    paths(topic);
    formats(topic);
}

fn nobody_vouches(topic: &mut Topic) {
    let (_, root) = root();
    let none = topic.ok(
        "trust-none-ignored",
        LINE,
        "trust is not asked for",
        Registration::new(-7),
    );
    topic.spoil(
        &none,
        "trust-none",
        LINE,
        UNTRUSTED,
        "nobody vouches for none",
        |r| r.input["attestation"] = trusted(std::slice::from_ref(&root), AT, false),
    );
    let own = topic.ok(
        "trust-self-ignored",
        LINE,
        "trust is not asked for",
        Registration::attested(-7, |key| {
            Statement::Packed(Packed {
                alg: -7,
                key: key.clone(),
                chain: None,
            })
        }),
    );
    topic.spoil(
        &own,
        "trust-self",
        LINE,
        UNTRUSTED,
        "nobody vouches for self attestation",
        |r| r.input["attestation"] = trusted(&[root], AT, false),
    );
}

fn root() -> (Authority, Vec<u8>) {
    let root = Authority::new("Root", "Root", None);
    let der = root.draft.sign(&root.key);
    (root, der)
}

fn paths(topic: &mut Topic) {
    let twin = topic.ok_with(
        "trust-ok",
        LINE,
        &[("attestationTrusted", json!(true))],
        "leaf, intermediate, root: the root is the anchor",
        packed(|_| {}),
    );
    let mut accept = |id: &str, why: &str, edit: &dyn Fn(&mut Path)| {
        topic.vary(&twin, &format!("trust-{id}"), LINE, why, |r| *r = packed(edit))
    };
    accept("root-sent", "x5c may hold the root too", &|path| {
        path.sent[0] = true
    });
    accept(
        "intermediate-anchor",
        "an intermediate may be the anchor",
        &|path| path.anchor = Some(1),
    );
    accept(
        "intermediate-anchor-not-sent",
        "x5c may end below the anchor",
        &|path| {
            path.anchor = Some(1);
            path.sent[1] = false;
        },
    );
    accept("leaf-anchor", "the leaf itself may be the anchor", &|path| {
        path.anchor = None
    });
    accept("second-anchor", "any of several anchors", &|path| {
        let other = Authority::new("Other", "Other", None);
        path.anchors = Some(vec![other.draft.sign(&other.key), path.certificate(0)]);
    });
    accept("not-before", "the first second of validity", &|path| {
        path.leaf.validity.0 = "20260101000000Z".into();
    });
    accept("not-after", "the last second of validity", &|path| {
        path.leaf.validity.1 = "20260101000000Z".into();
    });
    accept(
        "unknown-extension",
        "an unknown extension that is not critical",
        &|path| {
            path.leaf
                .extensions
                .push(Extension::new("1.3.6.1.4.1.99999.1", false, tlv(5, &[])));
        },
    );
    accept("revocation-lists", "both issuers have revoked others", &|path| {
        for at in [0, 1] {
            let key = path.authorities[at].key.clone();
            path.revoke(at, 2, &key);
        }
    });
    accept(
        "revocation-lists-numbered",
        "of two lists that the leaf's issuer made at one moment, the one of the lower number had the leaf",
        &|path| {
            let key = path.intermediate().key.clone();
            path.revoke_numbered(1, 1, &key, 1);
            path.revoke_numbered(1, 2, &key, 2);
        },
    );
    let three = topic.vary(
        &twin,
        "trust-two-intermediates",
        LINE,
        "two intermediates, and a path length that allows them",
        |r| *r = packed(two_intermediates),
    );
    topic.spoil(
        &three,
        "trust-path-length",
        LINE,
        UNTRUSTED,
        "the upper intermediate allows no CA below it",
        |r| {
            *r = packed(|path| {
                two_intermediates(path);
                path.intermediate().extension("2.5.29.19").value =
                    tlv(0x30, &[tlv(1, &[0xff]), tlv(2, &[0])].concat());
            });
        },
    );
    topic.spoil(
        &three,
        "trust-path-length-of-anchor",
        LINE,
        UNTRUSTED,
        "the anchor allows one CA below it, and there are two",
        |r| {
            *r = packed(|path| {
                two_intermediates(path);
                path.root().extension("2.5.29.19").value =
                    tlv(0x30, &[tlv(1, &[0xff]), tlv(2, &[1])].concat());
            });
        },
    );
    topic.spoil(
        &three,
        "trust-upper-intermediate-missing",
        LINE,
        UNTRUSTED,
        "nothing leads from the lower intermediate to the root",
        |r| {
            *r = packed(|path| {
                two_intermediates(path);
                path.sent[1] = false;
            });
        },
    );

    let mut refuse = |id: &str, why: &str, edit: &dyn Fn(&mut Path)| {
        topic.spoil(&twin, &format!("trust-{id}"), LINE, UNTRUSTED, why, |r| {
            *r = packed(edit)
        });
    };
    refuse(
        "made-up-circle",
        "fifteen CAs that nobody vouches for, each of four names certified by the next: thousands of paths, and none ends",
        &|path| {
            let names = ["a", "b", "c", "d"];
            let of = |at: usize| SigningKey::new(-7, names[at % 4].as_bytes()).unwrap();
            path.sent = vec![false, false];
            for at in 0..15 {
                let mut authority = Authority::new(names[at % 4], names[(at + 1) % 4], None);
                authority.draft.serial_number = vec![u8::try_from(at).unwrap() + 2];
                path.authorities.push(authority);
                path.signers.insert(at + 2, Some(of(at + 1)));
                path.sent.push(true);
            }
            path.leaf.issuer = common_name("a");
            path.signers[17] = Some(of(0));
        },
    );
    // Revocation. All serial numbers are 1.
    refuse("leaf-revoked", "its issuer has revoked the leaf", &|path| {
        let key = path.intermediate().key.clone();
        path.revoke(1, 1, &key);
    });
    refuse(
        "intermediate-revoked",
        "the root has revoked the intermediate",
        &|path| {
            let key = path.root().key.clone();
            path.revoke(0, 1, &key);
        },
    );
    refuse(
        "leaf-revoked-by-number",
        "of two lists that the leaf's issuer made at one moment, the second has the leaf, and the higher number",
        &|path| {
            let key = path.intermediate().key.clone();
            path.revoke_numbered(1, 2, &key, 1);
            path.revoke_numbered(1, 1, &key, 2);
        },
    );
    refuse(
        "revocation-list-forged",
        "a list in the root's name is signed by another key: nothing is known of what the root has revoked, and somebody has \
         seen to that",
        &|path| path.revoke(0, 2, &SigningKey::new(-7, b"Other").unwrap()),
    );
    // Time.
    refuse("leaf-expired", "the leaf is no longer valid", &|path| {
        path.leaf.validity.1 = "20251231235959Z".into()
    });
    refuse("leaf-not-yet-valid", "the leaf is not valid yet", &|path| {
        path.leaf.validity.0 = "20260101000001Z".into()
    });
    refuse(
        "intermediate-expired",
        "the intermediate is no longer valid",
        &|path| path.intermediate().draft.validity.1 = "20251231235959Z".into(),
    );
    refuse(
        "intermediate-not-yet-valid",
        "the intermediate is not valid yet",
        &|path| path.intermediate().draft.validity.0 = "20260101000001Z".into(),
    );
    refuse("at-earlier", "at that time nothing was valid", &|path| {
        path.at = "2023-12-31T23:59:59Z".into()
    });
    refuse("at-later", "at that time nothing is valid any more", &|path| {
        path.at = "2100-01-01T00:00:00Z".into()
    });
    // Who may sign.
    refuse("intermediate-no-ca", "the intermediate is no CA", &|path| {
        path.intermediate().extension("2.5.29.19").value = tlv(0x30, &[])
    });
    refuse(
        "intermediate-no-basic-constraints",
        "the intermediate is no CA",
        &|path| {
            path.intermediate().draft.extensions.remove(0);
        },
    );
    refuse(
        "intermediate-version-1",
        "a certificate of version 1 is no CA's",
        &|path| {
            path.intermediate().draft.version = None;
            path.intermediate().draft.extensions.clear();
        },
    );
    refuse(
        "intermediate-key-usage",
        "the intermediate's key may not sign certificates",
        &|path| path.intermediate().extension(KEY_USAGE).value = tlv(3, &[7, 0x80]),
    );
    refuse(
        "anchor-key-usage",
        "the anchor's key may not sign certificates",
        &|path| path.root().extension(KEY_USAGE).value = tlv(3, &[7, 0x80]),
    );
    refuse("anchor-no-ca", "the anchor is no CA", &|path| {
        path.root().extension("2.5.29.19").value = tlv(0x30, &[])
    });
    refuse(
        "end-entity-as-issuer",
        "a leaf of the same vendor signed this one",
        &|path| {
            let key = SigningKey::new(-7, b"vendor's leaf").unwrap();
            let mut leaf = CertificateDraft::attestation(&key, AAGUID);
            leaf.issuer = common_name("Root");
            path.leaf.issuer = leaf.subject.clone();
            path.authorities[1] = Authority { draft: leaf, key };
        },
    );
    // Signatures and names.
    refuse("leaf-signature", "another key signed the leaf", &|path| {
        path.signers[2] = Some(SigningKey::new(-7, b"mallory").unwrap())
    });
    refuse(
        "intermediate-signature",
        "another key signed the intermediate",
        &|path| path.signers[1] = Some(SigningKey::new(-7, b"mallory").unwrap()),
    );
    refuse("leaf-issuer-name", "the leaf names another issuer", &|path| {
        path.leaf.issuer = common_name("Other")
    });
    refuse(
        "intermediate-issuer-name",
        "the intermediate names another issuer",
        &|path| path.intermediate().draft.issuer = common_name("Other"),
    );
    refuse(
        "anchor-same-name",
        "an anchor of the same name, with another key",
        &|path| {
            let mut other = Authority::new("Root", "Root", None);
            other.key = SigningKey::new(-7, b"mallory").unwrap();
            other.draft.subject_public_key_info = other.key.subject_public_key_info();
            path.anchors = Some(vec![other.draft.sign(&other.key)]);
        },
    );
    refuse("anchor-other", "another vendor's root", &|path| {
        let other = Authority::new("Other", "Other", None);
        path.anchors = Some(vec![other.draft.sign(&other.key)]);
    });
    refuse("anchors-none", "nobody is trusted", &|path| {
        path.anchors = Some(Vec::new())
    });
    refuse(
        "anchor-in-x5c-only",
        "a root that is sent is not trusted for that",
        &|path| {
            path.sent[0] = true;
            path.anchors = Some(Vec::new());
        },
    );
    refuse("leaf-self-signed", "the leaf vouches for itself", &|path| {
        path.leaf.issuer = path.leaf.subject.clone();
        path.signers[2] = Some(attestation_key(-7));
    });
    refuse(
        "leaf-anchor-other",
        "the anchor is another leaf of the same key and name",
        &|path| {
            let mut other = path.leaf.clone();
            other.serial_number = vec![2];
            path.anchors = Some(vec![other.sign(&path.signer(2))]);
        },
    );
    refuse(
        "intermediate-missing",
        "nothing leads from the leaf to the root",
        &|path| path.sent[1] = false,
    );
    // Constraints and extensions.
    refuse(
        "leaf-critical-extension",
        "an unknown critical extension",
        &|path| {
            path.leaf
                .extensions
                .push(Extension::new("1.3.6.1.4.1.99999.1", true, tlv(5, &[])));
        },
    );
    refuse(
        "intermediate-critical-extension",
        "an unknown critical extension",
        &|path| {
            path.intermediate().draft.extensions.push(Extension::new(
                "1.3.6.1.4.1.99999.1",
                true,
                tlv(5, &[]),
            ));
        },
    );
    let organization = |name: &str| {
        let attribute = [object_identifier("2.5.4.10"), tlv(0x0c, name.as_bytes())].concat();
        let name = tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)));
        // GeneralSubtree { directoryName [4] }
        tlv(0x30, &tlv(0xa4, &name))
    };
    refuse(
        "name-permitted-other",
        "the intermediate may certify another organisation alone",
        &|path| {
            path.intermediate().draft.extensions.push(Extension::new(
                NAME_CONSTRAINTS,
                true,
                tlv(0x30, &tlv(0xa0, &organization("Other"))),
            ));
        },
    );
    refuse(
        "name-excluded",
        "the intermediate may not certify the leaf's country",
        &|path| {
            let attribute = [object_identifier("2.5.4.6"), tlv(0x13, b"AA")].concat();
            let country = tlv(0x30, &tlv(0xa4, &tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)))));
            path.intermediate().draft.extensions.push(Extension::new(
                NAME_CONSTRAINTS,
                true,
                tlv(0x30, &tlv(0xa1, &country)),
            ));
        },
    );
    refuse(
        "name-dns-permitted-other",
        "the intermediate may certify other domains alone",
        &|path| {
            let subtree = tlv(0x30, &tlv(0x82, b"example.com"));
            path.intermediate().draft.extensions.push(Extension::new(
                NAME_CONSTRAINTS,
                true,
                tlv(0x30, &tlv(0xa0, &subtree)),
            ));
            path.leaf.extensions.push(Extension::new(
                "2.5.29.17",
                false,
                tlv(0x30, &tlv(0x82, b"example.org")),
            ));
        },
    );

    // Algorithms of certificate signatures.
    for (name, algorithm) in [
        ("es384", -35),
        ("es512", -36),
        ("rs256", -257),
        ("rs384", -258),
        ("rs512", -259),
        ("ed25519", -8),
    ] {
        let signed_by = move |path: &mut Path| {
            let key = SigningKey::new(algorithm, b"root").unwrap();
            path.root().draft.subject_public_key_info = key.subject_public_key_info();
            path.root().key = key;
        };
        let by = topic.vary(
            &twin,
            &format!("trust-root-{name}"),
            LINE,
            "a root of this algorithm",
            |r| *r = packed(signed_by),
        );
        topic.spoil(
            &by,
            &format!("trust-root-{name}-bit"),
            LINE,
            UNTRUSTED,
            "one bit of the intermediate's signature differs",
            |r| {
                *r = packed(signed_by);
                r.signed_statement(|statement| {
                    if let crate::authenticator::Cbor::Array(certificates) = statement.at("x5c")
                        && let Some(crate::authenticator::Cbor::Bytes(der)) = certificates.last_mut()
                    {
                        let at = der.len() - 7;
                        der[at] ^= 0x10;
                    }
                });
            },
        );
    }
    let sha1 = |allow: bool| {
        move |path: &mut Path| {
            let key = SigningKey::new(-65535, b"root").unwrap();
            path.root().draft.subject_public_key_info = key.subject_public_key_info();
            path.root().key = key;
            path.allow_sha1 = allow;
        }
    };
    let allowed = topic.vary(
        &twin,
        "trust-sha1-allowed",
        LINE,
        "policy allows SHA-1 inside statements",
        |r| *r = packed(sha1(true)),
    );
    topic.spoil(
        &allowed,
        "trust-sha1",
        LINE,
        UNTRUSTED,
        "SHA-1 has collisions; nobody allowed it",
        |r| *r = packed(sha1(false)),
    );
    topic.spoil(
        &twin,
        "trust-root-rsa-1024",
        LINE,
        UNTRUSTED,
        "the root's key is too short to trust",
        |r| {
            *r = packed(|path| {
                let key = SigningKey::rsa(-257, 1024).unwrap();
                path.root().draft.subject_public_key_info = key.subject_public_key_info();
                path.root().key = key;
            });
        },
    );
}

/// Root, two intermediates, leaf.
fn two_intermediates(path: &mut Path) {
    path.authorities[1] = Authority::new("Upper", "Root", Some(1));
    path.authorities
        .push(Authority::new("Intermediate", "Upper", Some(0)));
    path.signers.push(None);
    path.sent.push(true);
}

/// Every format that has certificates leads to an anchor, or does not.
fn formats(topic: &mut Topic) {
    let formats: [(&str, fn(&SigningKey) -> Statement); 4] = [
        ("tpm", |key| tpm::statement(key, -257)),
        ("android-key", android_key::statement),
        ("apple", apple::statement),
        ("fido-u2f", fido_u2f::statement),
    ];
    for (name, statement) in formats {
        let anchored = |anchor: &str| {
            let mut registration = Registration::attested(-7, statement);
            let root = Authority::new("Root", "Root", None);
            for chain in chains(registration.statement()) {
                chain.leaf.issuer = common_name("Root");
                chain.issuer = root.key.clone();
            }
            let anchor = Authority::new(anchor, anchor, None);
            registration.input["attestation"] = trusted(&[anchor.draft.sign(&anchor.key)], AT, false);
            registration
        };
        let twin = topic.ok_with(
            &format!("trust-{name}-ok"),
            "B23",
            &[("attestationTrusted", json!(true))],
            "the leaf leads to the anchor",
            anchored("Root"),
        );
        topic.spoil(
            &twin,
            &format!("trust-{name}-anchor-other"),
            "B23",
            UNTRUSTED,
            "another vendor's root",
            |r| *r = anchored("Other"),
        );
        topic.spoil(
            &twin,
            &format!("trust-{name}-expired"),
            "B23",
            UNTRUSTED,
            "the leaf is no longer valid",
            |r| {
                for chain in chains(r.statement()) {
                    chain.leaf.validity.1 = "20251231235959Z".into();
                }
            },
        );
        topic.spoil(
            &twin,
            &format!("trust-{name}-signature"),
            "B23",
            UNTRUSTED,
            "another key signed the leaf",
            |r| {
                for chain in chains(r.statement()) {
                    chain.issuer = SigningKey::new(-7, b"mallory").unwrap();
                }
            },
        );
    }

    // Compound: every member must be trusted.
    let compound = |members: &[fn(&SigningKey) -> Statement]| {
        let mut registration = Registration::attested(-7, |key| {
            Statement::Compound(members.iter().map(|member| member(key)).collect())
        });
        let root = Authority::new("Root", "Root", None);
        for chain in chains(registration.statement()) {
            chain.leaf.issuer = common_name("Root");
            chain.issuer = root.key.clone();
        }
        registration.input["attestation"] = trusted(&[root.draft.sign(&root.key)], AT, false);
        registration
    };
    let twin = topic.ok_with(
        "trust-compound-ok",
        "B23",
        &[("attestationTrusted", json!(true))],
        "both members lead to the anchor",
        compound(&[android_key::statement, fido_u2f::statement]),
    );
    topic.spoil(
        &twin,
        "trust-compound-one-untrusted",
        "B23",
        UNTRUSTED,
        "every member must be trusted",
        |r| {
            let chains = chains(r.statement());
            for chain in chains.into_iter().skip(1) {
                chain.issuer = SigningKey::new(-7, b"mallory").unwrap();
            }
        },
    );
    topic.spoil(
        &twin,
        "trust-compound-with-self",
        "B23",
        UNTRUSTED,
        "nobody vouches for a member that attests itself",
        |r| {
            *r = compound(&[android_key::statement, |key| {
                Statement::Packed(Packed {
                    alg: -7,
                    key: key.clone(),
                    chain: None,
                })
            }]);
        },
    );
    topic.spoil(
        &twin,
        "trust-compound-with-none",
        "B23",
        UNTRUSTED,
        "nobody vouches for a member of none",
        |r| {
            *r = compound(&[android_key::statement, |_| Statement::None]);
        },
    );
}

fn chains(statement: &mut Statement) -> Vec<&mut Chain> {
    match statement {
        Statement::AndroidKey(statement) => vec![&mut statement.chain],
        Statement::Apple(statement) => vec![&mut statement.chain],
        Statement::Compound(members) => members.iter_mut().flat_map(chains).collect(),
        Statement::FidoU2f(statement) => vec![&mut statement.chain],
        Statement::Packed(statement) => statement.chain.as_mut().into_iter().collect(),
        Statement::Tpm(statement) => vec![&mut statement.chain],
        Statement::None | Statement::SafetyNet(_) => Vec::new(),
    }
}
