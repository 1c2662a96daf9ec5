//! Certification paths: each rule with a chain that only this rule refuses, and its unspoiled twin.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::slice::from_ref;

use keyhaven_core::*;
use keyhaven_testkit::authenticator::{
    Attribute, BASIC_CONSTRAINTS, CertificateDraft, Extension, RevocationListDraft, SigningKey, tlv,
};
use support::{position, signed_with};

const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
const POLICIES: &[u8] = &[0x55, 0x1d, 0x20];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];

/// Seconds: 2026-01-01T00:00:00Z.
const AT: i64 = 1_767_225_600;

const POLICY: PathPolicy<'_> = PathPolicy {
    at: UnixTime::from_millis(AT * 1000),
    sha1: Sha1::Refuse,
    revoked: None,
};

fn key(seed: &str) -> SigningKey {
    SigningKey::new(-7, seed.as_bytes()).unwrap()
}

fn name(common: &str) -> Vec<Attribute> {
    vec![Attribute {
        kind: 3,
        tag: 0x0c,
        text: common.into(),
    }]
}

fn extension(oid: &[u8], critical: bool, value: Vec<u8>) -> Extension {
    Extension {
        oid: oid.to_vec(),
        critical,
        value,
    }
}

/// `cA` TRUE, and a path length.
fn authority(path_length: Option<u8>) -> Vec<u8> {
    let mut content = tlv(0x01, &[0xff]);
    if let Some(most) = path_length {
        content.extend(tlv(0x02, &[most]));
    }
    tlv(0x30, &content)
}

const KEY_CERT_SIGN: u8 = 0b0000_0100;
const CRL_SIGN: u8 = 0b0000_0010;
const DIGITAL_SIGNATURE: u8 = 0b1000_0000;

fn key_usage(bits: u8) -> Vec<u8> {
    let unused = u8::try_from(bits.trailing_zeros()).unwrap();
    tlv(0x03, &[unused, bits])
}

/// A CA of this name, whose key has the same seed.
fn ca(subject: &str, issuer: &str) -> CertificateDraft {
    CertificateDraft {
        version: Some(2),
        serial_number: vec![1],
        issuer: name(issuer),
        subject: name(subject),
        validity: ("20250101000000Z".into(), "20270101000000Z".into()),
        subject_public_key_info: key(subject).subject_public_key_info(),
        extensions: vec![
            extension(BASIC_CONSTRAINTS, true, authority(None)),
            extension(KEY_USAGE, true, key_usage(KEY_CERT_SIGN | CRL_SIGN)),
        ],
    }
}

/// Root, two intermediates, leaf; each signed by the one before.
#[derive(Clone)]
struct Chain {
    root: CertificateDraft,
    upper: CertificateDraft,
    lower: CertificateDraft,
    leaf: CertificateDraft,
    /// Who signs each of them.
    signers: [SigningKey; 4],
    at: UnixTime,
    sha1: Sha1,
    lists: Vec<Vec<u8>>,
}

impl Chain {
    fn new() -> Self {
        let mut leaf = CertificateDraft::attestation(&key("leaf"), [7; 16]);
        leaf.issuer = name("lower");
        leaf.validity = ca("", "").validity;
        Self {
            root: ca("root", "root"),
            upper: ca("upper", "root"),
            lower: ca("lower", "upper"),
            leaf,
            signers: [key("root"), key("root"), key("upper"), key("lower")],
            at: UnixTime::from_millis(AT * 1000),
            sha1: Sha1::Refuse,
            lists: Vec::new(),
        }
    }

    fn root(&self) -> Vec<u8> {
        self.root.sign(&self.signers[0])
    }

    /// Leaf, lower, upper.
    fn certificates(&self) -> Vec<Vec<u8>> {
        vec![
            self.leaf.sign(&self.signers[3]),
            self.lower.sign(&self.signers[2]),
            self.upper.sign(&self.signers[1]),
        ]
    }

    fn judge(&self) -> Result<(), PathError> {
        let lists = RevocationLists::from_der(self.lists.iter().map(Vec::as_slice)).unwrap();
        let policy = PathPolicy {
            at: self.at,
            sha1: self.sha1,
            revoked: Some(&lists),
        };
        validate(&self.certificates(), &[self.root()], &policy)
    }

    /// Its refusal after one change. Unchanged it is accepted, or the case proves nothing.
    fn spoiled(mut self, spoil: impl FnOnce(&mut Self)) -> PathError {
        assert_eq!(self.judge(), Ok(()));
        spoil(&mut self);
        self.judge().unwrap_err()
    }

    /// Changed in a way that must not matter.
    fn accepted(mut self, change: impl FnOnce(&mut Self)) {
        change(&mut self);
        assert_eq!(self.judge(), Ok(()));
    }
}

fn anchor(der: &[u8]) -> TrustAnchor {
    TrustAnchor::from_der("test", der).unwrap()
}

/// Holds the certificates to the anchors; the anchor found must be one of them.
fn validate(certificates: &[Vec<u8>], anchors: &[Vec<u8>], policy: &PathPolicy<'_>) -> Result<(), PathError> {
    let anchors: Vec<TrustAnchor> = anchors.iter().map(|der| anchor(der)).collect();
    let anchors: Vec<&TrustAnchor> = anchors.iter().collect();
    let certificates: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    validate_path(&certificates, &anchors, policy)
        .map(|found| assert!(anchors.iter().any(|anchor| std::ptr::eq(*anchor, found.anchor()))))
}

fn holds(certificates: &[Vec<u8>], anchors: &[Vec<u8>]) -> Result<(), PathError> {
    validate(certificates, anchors, &POLICY)
}

/// What an issuer has revoked, by its key.
fn list(issuer: &str, revoked: &[u8]) -> Vec<u8> {
    draft(issuer, revoked).sign(&key(issuer))
}

fn draft(issuer: &str, revoked: &[u8]) -> RevocationListDraft {
    RevocationListDraft {
        issuer: name(issuer),
        updates: ("20250601000000Z".into(), "20260601000000Z".into()),
        revoked: revoked.iter().map(|serial| vec![*serial]).collect(),
    }
}

#[test]
fn no_certificate_on_the_path_is_revoked() {
    let chain = || {
        let mut chain = Chain::new();
        chain.upper.serial_number = vec![2];
        chain.lower.serial_number = vec![3];
        chain.leaf.serial_number = vec![4];
        for issuer in ["root", "upper", "lower"] {
            chain.lists.push(list(issuer, &[9]));
        }
        chain
    };
    for (issuer, serial) in [("root", 2), ("upper", 3), ("lower", 4)] {
        // Of its issuer's list it is, and of nobody else's.
        assert_eq!(
            chain().spoiled(|c| c.lists = vec![list(issuer, &[serial])]),
            PathError::Revoked
        );
        for other in ["root", "upper", "lower", "stranger"] {
            if other != issuer {
                chain().accepted(|c| c.lists = vec![list(other, &[serial])]);
            }
        }
        // By that name, and not by that key: whoever could put it there could also leave it out.
        let forged = || vec![draft(issuer, &[serial]).sign(&key("stranger"))];
        assert_eq!(chain().spoiled(|c| c.lists = forged()), PathError::RevocationList);
    }
}

#[test]
fn the_newest_list_counts_also_when_it_is_old() {
    let older = || RevocationListDraft {
        updates: ("20250501000000Z".into(), "20260501000000Z".into()),
        ..draft("lower", &[])
    };
    for newest_first in [true, false] {
        let spoiled = Chain::new().spoiled(|c| {
            c.lists = vec![list("lower", &[1]), older().sign(&key("lower"))];
            if !newest_first {
                c.lists.reverse();
            }
        });
        assert_eq!(spoiled, PathError::Revoked);
    }
    let overdue = RevocationListDraft {
        updates: ("20250501000000Z".into(), "20250601000000Z".into()),
        ..draft("lower", &[1])
    };
    let spoiled = Chain::new().spoiled(|c| c.lists = vec![overdue.sign(&key("lower"))]);
    assert_eq!(spoiled, PathError::Revoked);
}

#[test]
fn of_lists_of_one_moment_the_highest_number_counts() {
    let numbered = |number: Option<&'static [u8]>, revoked: &[u8]| {
        draft("lower", revoked).sign_numbered(&key("lower"), number)
    };
    // Less before more; INTEGERs of one, two and three bytes, and none.
    let numbers: [Option<&[u8]>; 6] = [
        None,
        Some(&[0]),
        Some(&[1]),
        Some(&[0x7f]),
        Some(&[0, 0xff]),
        Some(&[1, 0]),
    ];
    for pair in numbers.windows(2) {
        let lists = [numbered(pair[0], &[]), numbered(pair[1], &[1])];
        let chain = || {
            let mut chain = Chain::new();
            chain.lists = vec![numbered(pair[0], &[1]), numbered(pair[1], &[])];
            chain
        };
        for order in [[0, 1], [1, 0]] {
            let spoiled = chain().spoiled(|c| c.lists = order.map(|at: usize| lists[at].clone()).to_vec());
            assert_eq!(spoiled, PathError::Revoked, "{pair:?}");
            chain().accepted(|c| {
                if order == [1, 0] {
                    c.lists.reverse();
                }
            });
        }
    }
    // A number is not negative.
    let negative = numbered(Some(&[0xff]), &[]);
    assert!(RevocationLists::from_der([negative.as_slice()]).is_err());
}

#[test]
fn a_ca_that_may_not_sign_lists_revokes_nothing_and_certifies_nothing() {
    // Whose key usage has keyCertSign alone.
    let spoiled = Chain::new().spoiled(|c| {
        c.lower.extensions[1].value = key_usage(KEY_CERT_SIGN);
        c.lists = vec![list("lower", &[9])];
    });
    assert_eq!(spoiled, PathError::RevocationList);
}

#[test]
fn what_is_no_list_is_refused() {
    let good = list("root", &[1]);
    for count in 0..=2 {
        let lists = RevocationLists::from_der(std::iter::repeat_n(&good[..], count)).unwrap();
        assert_eq!((lists.len(), lists.is_empty()), (count, count == 0));
    }
    let certificate = Chain::new().root();
    for bad in [&good[..good.len() - 1], &[], &certificate] {
        assert_eq!(
            RevocationLists::from_der([&good[..], bad]).unwrap_err(),
            InvalidRevocationList
        );
    }
}

#[test]
fn every_certificate_below_the_anchor_is_valid_at_the_moment() {
    let before = || ("20240101000000Z".into(), "20251231235959Z".into());
    let after = || ("20260101000001Z".into(), "20270101000000Z".into());
    for validity in [before, after] {
        assert_eq!(
            Chain::new().spoiled(|c| c.leaf.validity = validity()),
            PathError::Validity
        );
        assert_eq!(
            Chain::new().spoiled(|c| c.lower.validity = validity()),
            PathError::Validity
        );
        assert_eq!(
            Chain::new().spoiled(|c| c.upper.validity = validity()),
            PathError::Validity
        );
        // An anchor is trusted because it was chosen.
        Chain::new().accepted(|c| c.root.validity = validity());
    }
    // Both ends belong to it.
    Chain::new().accepted(|c| c.leaf.validity = ("20260101000000Z".into(), "20260101000000Z".into()));
    let years = ("20270101000000Z".into(), "20250101000000Z".into());
    assert_eq!(
        Chain::new().spoiled(|c| c.leaf.validity = years),
        PathError::Validity
    );
    assert_eq!(
        Chain::new().spoiled(|c| c.at = UnixTime::from_millis(-1)),
        PathError::Validity
    );
    // 999 ms are still the last second.
    Chain::new().accepted(|c| {
        c.leaf.validity.1 = "20260101000000Z".into();
        c.at = UnixTime::from_millis(AT * 1000 + 999);
    });
}

#[test]
fn every_issuer_is_a_ca() {
    let none = tlv(0x30, &[]);
    let refused = Chain::new().spoiled(|c| c.lower.extension(BASIC_CONSTRAINTS).value = none.clone());
    assert_eq!(refused, PathError::NotACa);
    let refused = Chain::new().spoiled(|c| c.upper.extension(BASIC_CONSTRAINTS).value = none.clone());
    assert_eq!(refused, PathError::NotACa);
    let refused = Chain::new().spoiled(|c| drop(c.lower.extensions.remove(0)));
    assert_eq!(refused, PathError::NotACa);
    // An anchor that says nothing, or that it is none, vouches for itself alone.
    let refused = Chain::new().spoiled(|c| c.root.extension(BASIC_CONSTRAINTS).value = none.clone());
    assert_eq!(refused, PathError::NoPath);
    let refused = Chain::new().spoiled(|c| drop(c.root.extensions.remove(0)));
    assert_eq!(refused, PathError::NoPath);
    // One of version 1 cannot say.
    Chain::new().accepted(|c| {
        c.root.version = None;
        c.root.extensions.clear();
    });
}

#[test]
fn a_root_that_a_statement_lists_needs_no_flag() {
    let judge = |change: &dyn Fn(&mut Chain)| {
        let mut chain = Chain::new();
        change(&mut chain);
        let certificates = chain.certificates();
        let certificates: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
        let anchor = TrustAnchor::from_statement("statement", &chain.root()).unwrap();
        validate_path(&certificates, &[&anchor], &POLICY)
            .map(|found| assert!(std::ptr::eq(found.anchor(), &raw const anchor)))
    };
    let none = |c: &mut Chain| c.root.extension(BASIC_CONSTRAINTS).value = tlv(0x30, &[]);
    assert_eq!(judge(&|_| {}), Ok(()));
    assert_eq!(judge(&none), Ok(()));
    assert_eq!(judge(&|c| drop(c.root.extensions.remove(0))), Ok(()));
    // What it does say holds.
    let may_not_sign = |c: &mut Chain| {
        none(c);
        c.root.extension(KEY_USAGE).value = key_usage(DIGITAL_SIGNATURE);
    };
    assert_eq!(judge(&may_not_sign), Err(PathError::NoPath));
    let short = |c: &mut Chain| c.root.extension(BASIC_CONSTRAINTS).value = authority(Some(1));
    assert_eq!(
        judge(&|c| short(c)),
        judge(&|_| {}).and(Err(PathError::PathLength))
    );
    // One that another has issued is a leaf, or an intermediate that says so.
    let issued = |c: &mut Chain| {
        none(c);
        c.root.issuer = name("another");
    };
    assert_eq!(judge(&issued), Err(PathError::NoPath));
    assert_eq!(judge(&|c| c.root.issuer = name("another")), Ok(()));
    assert!(TrustAnchor::from_statement("statement", b"nothing").is_err());
}

#[test]
fn a_leaf_that_is_a_ca_is_none() {
    let refused = Chain::new().spoiled(|c| c.leaf.extension(BASIC_CONSTRAINTS).value = authority(None));
    assert_eq!(refused, PathError::CaAsLeaf);
    Chain::new().accepted(|c| c.leaf.extensions.clear());
}

#[test]
fn every_issuer_may_sign_certificates() {
    let other = key_usage(DIGITAL_SIGNATURE);
    let refused = Chain::new().spoiled(|c| c.lower.extension(KEY_USAGE).value = other.clone());
    assert_eq!(refused, PathError::KeyUsage);
    let refused = Chain::new().spoiled(|c| c.upper.extension(KEY_USAGE).value = other.clone());
    assert_eq!(refused, PathError::KeyUsage);
    let refused = Chain::new().spoiled(|c| c.root.extension(KEY_USAGE).value = other.clone());
    assert_eq!(refused, PathError::NoPath);
    let malformed = Chain::new().spoiled(|c| c.upper.extension(KEY_USAGE).value = vec![0x05, 0x00]);
    assert_eq!(malformed, PathError::KeyUsage);
    Chain::new()
        .accepted(|c| c.lower.extension(KEY_USAGE).value = key_usage(KEY_CERT_SIGN | DIGITAL_SIGNATURE));
    // Without the extension a key may do everything.
    Chain::new().accepted(|c| {
        c.root.extensions.truncate(1);
        c.upper.extensions.truncate(1);
        c.lower.extensions.truncate(1);
    });
}

#[test]
fn a_path_is_no_longer_than_its_cas_allow() {
    let limited = |most| {
        move |draft: &mut CertificateDraft| draft.extension(BASIC_CONSTRAINTS).value = authority(Some(most))
    };
    assert_eq!(
        Chain::new().spoiled(|c| limited(0)(&mut c.upper)),
        PathError::PathLength
    );
    assert_eq!(
        Chain::new().spoiled(|c| limited(0)(&mut c.root)),
        PathError::PathLength
    );
    assert_eq!(
        Chain::new().spoiled(|c| limited(1)(&mut c.root)),
        PathError::PathLength
    );
    Chain::new().accepted(|c| {
        limited(2)(&mut c.root);
        limited(1)(&mut c.upper);
        limited(0)(&mut c.lower);
    });
}

#[test]
fn a_path_has_at_most_six_intermediates() {
    let chain = |count: usize| {
        let names: Vec<String> = (0..=count).map(|number| format!("ca {number}")).collect();
        let mut leaf = CertificateDraft::attestation(&key("leaf"), [7; 16]);
        leaf.issuer = name(&names[count]);
        let mut certificates = vec![leaf.sign(&key(&names[count]))];
        for pair in names.windows(2) {
            certificates.push(ca(&pair[1], &pair[0]).sign(&key(&pair[0])));
        }
        holds(&certificates, &[ca(&names[0], &names[0]).sign(&key(&names[0]))])
    };
    assert_eq!(chain(0), Ok(()));
    assert_eq!(chain(6), Ok(()));
    assert_eq!(chain(7), Err(PathError::TooComplex));
}

#[test]
fn critical_extensions_are_known() {
    let unknown = |critical| extension(&[0x2a, 0x03, 0x04], critical, tlv(0x30, &[]));
    let refused = Chain::new().spoiled(|c| c.leaf.extensions.push(unknown(true)));
    assert_eq!(refused, PathError::CriticalExtension);
    let refused = Chain::new().spoiled(|c| c.lower.extensions.push(unknown(true)));
    assert_eq!(refused, PathError::CriticalExtension);
    Chain::new().accepted(|c| {
        c.leaf.extensions.push(unknown(false));
        c.lower.extensions.push(unknown(false));
        c.root.extensions.push(unknown(true));
    });
}

#[test]
fn critical_certificate_policies_are_known() {
    // 2.23.133.8.3 and the like: any policy will do, in leaf and CA.
    let policies = tlv(0x30, &tlv(0x30, &tlv(0x06, &[0x67, 0x81, 0x05, 0x08, 0x03])));
    let both = |critical: bool| {
        let policies = policies.clone();
        move |c: &mut Chain| {
            c.leaf
                .extensions
                .push(extension(POLICIES, critical, policies.clone()));
            c.lower
                .extensions
                .insert(0, extension(POLICIES, critical, policies.clone()));
        }
    };
    Chain::new().accepted(both(false));
    Chain::new().accepted(both(true));
    // They are only overlooked where they can be read.
    let refused = Chain::new().spoiled(|c| {
        c.leaf
            .extensions
            .push(extension(POLICIES, true, vec![0x30, 0x01, 0x00]))
    });
    assert_eq!(refused, PathError::CriticalExtension);
    // What is signed is the certificate as it came: the flag cannot be changed either way.
    let mut chain = Chain::new();
    both(true)(&mut chain);
    let mut certificates = chain.certificates();
    for certificate in [0, 1] {
        let at = position(
            &certificates[certificate],
            &[0x06, 0x03, 0x55, 0x1d, 0x20, 0x01, 0x01, 0xff],
        ) + 7;
        certificates[certificate][at] = 0;
        assert_eq!(
            holds(&certificates, &[chain.root()]),
            Err(PathError::SignatureInvalid)
        );
        certificates[certificate][at] = 0xff;
        assert_eq!(holds(&certificates, &[chain.root()]), Ok(()));
    }
    // Nor anything else in it.
    let at = position(&certificates[0], &[0x67, 0x81, 0x05, 0x08, 0x03]) + 4;
    certificates[0][at] ^= 1;
    assert_eq!(
        holds(&certificates, &[chain.root()]),
        Err(PathError::SignatureInvalid)
    );
}

#[test]
fn names_are_within_the_constraints() {
    const PERMITTED: u8 = 0xa0;
    const EXCLUDED: u8 = 0xa1;
    const MAIL: u8 = 0x81;
    const DNS: u8 = 0x82;
    const DIRECTORY: u8 = 0xa4;
    const ADDRESS: u8 = 0x87;
    let constraint = |kind: u8, form: u8, base: &[u8]| {
        extension(
            NAME_CONSTRAINTS,
            true,
            tlv(0x30, &tlv(kind, &tlv(0x30, &tlv(form, base)))),
        )
    };
    let chain = |form: u8, alternative: &[u8]| {
        let mut chain = Chain::new();
        let names = tlv(0x30, &tlv(form, alternative));
        chain
            .leaf
            .extensions
            .push(extension(ALTERNATIVE_NAME, false, names));
        chain
    };
    let dns = || chain(DNS, b"device.example.org");
    let whole_net = [10, 0, 0, 0, 255, 0, 0, 0];
    // The constraints of any issuer hold for the leaf, the anchor's included.
    type Place = fn(&mut Chain) -> &mut CertificateDraft;
    let places: [Place; 3] = [|c| &mut c.lower, |c| &mut c.upper, |c| &mut c.root];
    for place in places {
        let with = |c: &mut Chain, constraint| place(c).extensions.push(constraint);
        dns().accepted(|c| with(c, constraint(PERMITTED, DNS, b"example.org")));
        dns().accepted(|c| with(c, constraint(EXCLUDED, DNS, b"example.com")));
        chain(ADDRESS, &[10, 0, 0, 1]).accepted(|c| with(c, constraint(PERMITTED, ADDRESS, &whole_net)));
        for (chain, constraint) in [
            (dns(), constraint(PERMITTED, DNS, b"example.com")),
            (dns(), constraint(EXCLUDED, DNS, b"example.org")),
            (
                chain(ADDRESS, &[11, 0, 0, 1]),
                constraint(PERMITTED, ADDRESS, &whole_net),
            ),
            // Of these two kinds there is no judge: refused, whatever the names.
            (dns(), constraint(PERMITTED, DIRECTORY, &tlv(0x30, &[]))),
            (dns(), constraint(EXCLUDED, DIRECTORY, &tlv(0x30, &[]))),
            (dns(), constraint(PERMITTED, MAIL, b"example.org")),
        ] {
            assert_eq!(chain.spoiled(|c| with(c, constraint)), PathError::NameConstraint);
        }
    }
}

#[test]
fn every_signature_is_the_issuers() {
    for index in 1..4 {
        let refused = Chain::new().spoiled(|c| c.signers[index] = key("another"));
        assert_eq!(refused, PathError::SignatureInvalid, "{index}");
    }
    // The anchor's own signature says nothing.
    Chain::new().accepted(|c| c.signers[0] = key("another"));
    let chain = Chain::new();
    for index in 0..3 {
        let mut certificates = chain.certificates();
        *certificates[index].last_mut().unwrap() ^= 1;
        let refused = holds(&certificates, &[chain.root()]).unwrap_err();
        assert_eq!(refused, PathError::SignatureInvalid, "{index}");
    }
}

#[test]
fn names_chain() {
    let refused = Chain::new().spoiled(|c| c.leaf.issuer = name("another"));
    assert_eq!(refused, PathError::NoPath);
    let refused = Chain::new().spoiled(|c| c.upper.issuer = name("another"));
    assert_eq!(refused, PathError::NoPath);
    let refused = Chain::new().spoiled(|c| c.root.subject = name("another"));
    assert_eq!(refused, PathError::NoPath);
}

#[test]
fn only_what_was_configured_is_an_anchor() {
    let chain = Chain::new();
    let mut certificates = chain.certificates();
    certificates.push(chain.root());
    assert_eq!(holds(&certificates, &[chain.root()]), Ok(()));
    assert_eq!(holds(&certificates, &[]), Err(PathError::NoPath));
    // A root of the attacker's own, of the same name, that comes along.
    let genuine = CertificateDraft {
        subject_public_key_info: key("genuine").subject_public_key_info(),
        ..ca("root", "root")
    };
    assert_eq!(
        holds(&certificates, &[genuine.sign(&key("genuine"))]),
        Err(PathError::SignatureInvalid)
    );
    assert_eq!(
        holds(
            &certificates,
            &[ca("unrelated", "unrelated").sign(&key("unrelated"))]
        ),
        Err(PathError::NoPath)
    );
}

#[test]
fn an_intermediate_may_be_the_anchor() {
    let chain = Chain::new();
    let certificates = chain.certificates();
    for (length, anchor) in [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2)] {
        let sent = &certificates[..length];
        assert_eq!(
            holds(sent, &[certificates[anchor].clone()]),
            Ok(()),
            "{length} {anchor}"
        );
    }
    // Nothing above the anchor is looked at.
    let mut spoiled = chain.clone();
    spoiled.signers[1] = key("another");
    spoiled.upper.validity.1 = "20250102000000Z".into();
    let spoiled = spoiled.certificates();
    assert_eq!(holds(&spoiled, &[certificates[1].clone()]), Ok(()));
    assert_eq!(holds(&spoiled[..1], &[chain.root()]), Err(PathError::NoPath));
}

#[test]
fn a_leaf_may_be_the_anchor_of_itself_alone() {
    let chain = Chain::new();
    let leaf = chain.certificates().remove(0);
    assert_eq!(holds(from_ref(&leaf), from_ref(&leaf)), Ok(()));
    // Nothing is below the anchor: no date is judged.
    let ended = UnixTime::from_millis(i64::MAX);
    let alone = [leaf.clone()];
    assert_eq!(
        validate(&alone, &alone, &PathPolicy { at: ended, ..POLICY }),
        Ok(())
    );
    // Another certificate for the same key and name is another.
    let mut other = chain.clone();
    other.leaf.serial_number = vec![2];
    assert_eq!(
        holds(&other.certificates()[..1], from_ref(&leaf)),
        Err(PathError::NoPath)
    );
    // And what it has signed is not certified.
    let mut below = CertificateDraft::attestation(&key("below"), [7; 16]);
    below.issuer.clone_from(&chain.leaf.subject);
    let below = below.sign(&key("leaf"));
    assert_eq!(holds(from_ref(&below), from_ref(&leaf)), Err(PathError::NoPath));
    assert_eq!(
        holds(&[below, leaf.clone()], from_ref(&leaf)),
        Err(PathError::NotACa)
    );
    assert!(!anchor(&leaf).is_authority());
    assert!(anchor(&chain.root()).is_authority());
    let digest = ring::digest::digest(&ring::digest::SHA256, &leaf);
    assert_eq!(anchor(&leaf).fingerprint().as_slice(), digest.as_ref());
}

#[test]
fn intermediates_may_come_in_any_order_with_others_between() {
    let chain = Chain::new();
    let mut certificates = chain.certificates();
    certificates.swap(1, 2);
    assert_eq!(holds(&certificates, &[chain.root()]), Ok(()));
    certificates.insert(1, b"no certificate".to_vec());
    certificates.insert(1, ca("unrelated", "unrelated").sign(&key("unrelated")));
    // The same name with another key: tried, and left.
    let mut rival = ca("lower", "upper");
    rival.subject_public_key_info = key("rival").subject_public_key_info();
    certificates.insert(1, rival.sign(&key("upper")));
    assert_eq!(holds(&certificates, &[chain.root()]), Ok(()));
    // One that is missing is missed; the leaf comes first.
    let at = certificates.len() - 1;
    certificates.remove(at);
    assert_eq!(
        holds(&certificates, &[chain.root()]),
        Err(PathError::SignatureInvalid)
    );
    certificates.rotate_left(1);
    assert!(holds(&certificates, &[chain.root()]).is_err());
    assert_eq!(holds(&[], &[chain.root()]), Err(PathError::Malformed));
}

#[test]
fn four_certificates_of_one_name_are_tried() {
    let chain = Chain::new();
    let with_rivals = |count: usize| {
        let mut certificates = chain.certificates();
        for number in 0..count {
            let mut rival = ca("lower", "upper");
            rival.subject_public_key_info = key(&format!("rival {number}")).subject_public_key_info();
            certificates.insert(1, rival.sign(&key("upper")));
        }
        holds(&certificates, &[chain.root()])
    };
    assert_eq!(with_rivals(3), Ok(()));
    assert_eq!(with_rivals(4), Err(PathError::SignatureInvalid));
}

#[test]
fn certificates_that_no_anchor_vouches_for_make_no_paths() {
    // Four names in a circle, four certificates of each but the last: some thousand paths, all made up.
    let names = ["a", "b", "c", "d"];
    let mut leaf = Chain::new().leaf;
    leaf.issuer = name("a");
    let mut certificates = vec![leaf.sign(&key("a"))];
    for number in 0..15 {
        let (subject, issuer) = (names[number % 4], names[(number + 1) % 4]);
        let mut draft = ca(subject, issuer);
        draft.serial_number = vec![u8::try_from(number).unwrap() + 1];
        certificates.push(draft.sign(&key(issuer)));
    }
    let root = Chain::new().root();
    assert_eq!(holds(&certificates, from_ref(&root)), Err(PathError::NoPath));
    // What one of them is vouched for by, another one is not.
    let mut rival = ca("lower", "upper");
    rival.subject_public_key_info = key("rival").subject_public_key_info();
    let mut chain = Chain::new().certificates();
    chain.insert(1, rival.sign(&key("somebody else")));
    assert_eq!(holds(&chain, from_ref(&root)), Ok(()));
}

#[test]
fn made_up_certificates_do_not_use_up_the_search() {
    let chain = Chain::new();
    // 192 paths to the root's name, of which the library would try 100, before the one that holds, which is longer.
    let among = |of_the_root: &dyn Fn(&CertificateDraft) -> Vec<u8>| {
        let mut certificates = vec![chain.leaf.sign(&key("lower"))];
        let honest = [
            "lower",
            "fourth below",
            "third below",
            "second below",
            "first below",
            "root",
        ];
        for pair in honest.windows(2) {
            certificates.push(ca(pair[0], pair[1]).sign(&key(pair[1])));
        }
        for (subject, issuer, count) in [
            ("third", "root", 4),
            ("second", "third", 4),
            ("first", "second", 4),
            ("lower", "first", 3),
        ] {
            for number in 0..count {
                let mut draft = ca(subject, issuer);
                draft.serial_number = vec![number + 2];
                let made_up = match issuer {
                    "root" => of_the_root(&draft),
                    issuer => draft.sign(&key(issuer)),
                };
                certificates.insert(1, made_up);
            }
        }
        holds(&certificates, &[chain.root()])
    };
    assert_eq!(among(&|draft| draft.sign(&key("somebody else"))), Ok(()));
    // Signed by the root indeed, with another hash function than they say.
    let with_sha384 = tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03]);
    let root = key("root");
    let misnamed =
        |draft: &CertificateDraft| signed_with(&draft.sign(&root), &with_sha384, |signed| root.sign(signed));
    assert_eq!(among(&misnamed), Ok(()));
}

#[test]
fn every_certificate_is_of_version_3() {
    for version in [None, Some(0), Some(1), Some(3)] {
        let refused = Chain::new().spoiled(|c| c.leaf.version = version);
        assert_eq!(refused, PathError::Version, "{version:?}");
    }
}

#[test]
fn purposes_serial_numbers_and_names_are_free() {
    let purposes = |oids: &[u8]| extension(EXTENDED_KEY_USAGE, true, tlv(0x30, oids));
    // 2.23.133.8.3 alone, in leaf and CA.
    let aik = tlv(0x06, &[0x67, 0x81, 0x05, 0x08, 0x03]);
    Chain::new().accepted(|c| {
        c.leaf.extensions.push(purposes(&aik));
        c.lower.extensions.push(purposes(&aik));
    });
    // RFC 5280 §4.2.1.12: at least one, and identifiers; whichever they are, they can be read.
    for unreadable in [vec![], vec![0x06, 0x02, 0x67], [aik, tlv(0x02, &[1])].concat()] {
        assert_eq!(
            Chain::new().spoiled(|c| c.leaf.extensions.push(purposes(&unreadable))),
            PathError::Malformed,
            "{unreadable:x?}"
        );
    }
    for serial_number in [vec![0], vec![0x80], vec![0x7f; 21], vec![0x7f; 64]] {
        Chain::new().accepted(|c| {
            c.leaf.serial_number.clone_from(&serial_number);
            c.lower.serial_number.clone_from(&serial_number);
            c.root.serial_number.clone_from(&serial_number);
        });
    }
    Chain::new().accepted(|c| c.leaf.subject.clear());
}

#[test]
fn certificates_are_read_to_their_last_byte() {
    let chain = Chain::new();
    for index in 0..3 {
        let mut certificates = chain.certificates();
        certificates[index].push(0);
        assert!(holds(&certificates, &[chain.root()]).is_err(), "{index}");
        let mut certificates = chain.certificates();
        certificates[index].pop();
        assert!(holds(&certificates, &[chain.root()]).is_err(), "{index}");
    }
    let root = chain.root();
    for len in 0..root.len() {
        assert_eq!(
            TrustAnchor::from_der("cut", &root[..len]),
            Err(InvalidTrustAnchor),
            "{len}"
        );
    }
    assert!(TrustAnchor::from_der("longer", &[&root[..], &[0]].concat()).is_err());
}

#[test]
fn no_change_of_one_byte_goes_unnoticed_and_none_panics() {
    let chain = Chain::new();
    let good = chain.certificates();
    for index in 0..3 {
        for at in 0..good[index].len() {
            let mut certificates = good.clone();
            certificates[index][at] ^= 0x81;
            assert!(holds(&certificates, &[chain.root()]).is_err(), "{index} {at}");
        }
    }
    let root = chain.root();
    for at in 0..root.len() {
        let mut root = root.clone();
        root[at] ^= 0x81;
        let _ = TrustAnchor::from_der("changed", &root);
    }
}

/// A root with this key, a leaf below it signed with this algorithm.
fn by(spki: &[u8], algorithm: &[u8], sha1: Sha1, sign: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), PathError> {
    let mut chain = Chain::new();
    chain.root.subject_public_key_info = spki.to_vec();
    chain.leaf.issuer = name("root");
    let leaf = signed_with(&chain.certificates()[0], algorithm, sign);
    let verdict = validate(from_ref(&leaf), &[chain.root()], &PathPolicy { sha1, ..POLICY });
    if verdict.is_ok() {
        let mut spoiled = leaf;
        *spoiled.last_mut().unwrap() ^= 1;
        let refused = validate(&[spoiled], &[chain.root()], &PathPolicy { sha1, ..POLICY });
        assert_eq!(refused, Err(PathError::SignatureInvalid));
    }
    verdict
}

fn ecdsa_with(hash: u8) -> Vec<u8> {
    tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, hash])
}

fn hashed(algorithm: &'static ring::digest::Algorithm, message: &[u8]) -> Vec<u8> {
    ring::digest::digest(algorithm, message).as_ref().to_vec()
}

const SHA_2: [(u8, &ring::digest::Algorithm); 3] = [
    (2, &ring::digest::SHA256),
    (3, &ring::digest::SHA384),
    (4, &ring::digest::SHA512),
];

#[test]
fn ecdsa_signatures_of_each_curve_and_hash() {
    let (p256, p384) = (key("root"), SigningKey::new(-35, b"root").unwrap());
    for (number, hash) in SHA_2 {
        let verdict = by(
            &p256.subject_public_key_info(),
            &ecdsa_with(number),
            Sha1::Refuse,
            |tbs| p256.sign_digest(&hashed(hash, tbs)),
        );
        assert_eq!(verdict, Ok(()), "{hash:?}");
        let verdict = by(
            &p384.subject_public_key_info(),
            &ecdsa_with(number),
            Sha1::Refuse,
            |tbs| p384.sign_digest(&hashed(hash, tbs)),
        );
        assert_eq!(verdict, Ok(()), "{hash:?}");
    }
    // SHA-1 by policy only.
    let ecdsa_with_sha1 = tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01]);
    let with = |sha1| {
        by(&p256.subject_public_key_info(), &ecdsa_with_sha1, sha1, |tbs| {
            p256.sign_digest(&hashed(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, tbs))
        })
    };
    assert_eq!(with(Sha1::Allow), Ok(()));
    assert_eq!(with(Sha1::Refuse), Err(PathError::SignatureAlgorithm));
}

#[cfg(feature = "es512")]
#[test]
fn ecdsa_signatures_of_p_521() {
    use p521::ecdsa::signature::hazmat::PrehashSigner as _;
    let key = p521::ecdsa::SigningKey::from_slice(&[&[0; 2][..], &[7; 64]].concat()).unwrap();
    let point = p521::ecdsa::VerifyingKey::from(&key).to_sec1_point(false);
    let algorithm = [
        tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]),
        tlv(0x06, &[0x2b, 0x81, 0x04, 0x00, 0x23]),
    ]
    .concat();
    let key_bits = tlv(0x03, &[&[0], point.as_bytes()].concat());
    let spki = tlv(0x30, &[tlv(0x30, &algorithm), key_bits].concat());
    for (number, hash) in SHA_2 {
        let verdict = by(&spki, &ecdsa_with(number), Sha1::Refuse, |tbs| {
            let signature: p521::ecdsa::DerSignature = key.sign_prehash(&hashed(hash, tbs)).unwrap();
            signature.as_bytes().to_vec()
        });
        assert_eq!(verdict, Ok(()), "{hash:?}");
    }
}

#[test]
fn rsa_signatures_of_each_padding_and_hash() {
    use ring::signature::{self, RsaEncoding};
    let der = include_bytes!("../../keyhaven-testkit/src/authenticator/rsa-2048-test-key.pkcs8.der");
    let pair = ring::rsa::KeyPair::from_pkcs8(der).unwrap();
    let spki = SigningKey::new(-257, b"").unwrap().subject_public_key_info();
    let sign = |encoding: &'static dyn RsaEncoding| {
        let pair = &pair;
        move |tbs: &[u8]| {
            let mut signature = vec![0; pair.public().modulus_len()];
            let random = ring::rand::SystemRandom::new();
            pair.sign(encoding, &random, tbs, &mut signature).unwrap();
            signature
        }
    };
    let pkcs1 = |last: u8, parameters: &[u8]| {
        let oid = tlv(0x06, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last]);
        [&oid[..], parameters].concat()
    };
    // RFC 4055 §3.1, a salt as long as the hash.
    let pss = |hash: u8, salt: u8| {
        let hash = [
            tlv(0x06, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash]),
            tlv(0x05, &[]),
        ];
        let hash = tlv(0x30, &hash.concat());
        let mgf1 = tlv(0x30, &[pkcs1(0x08, &[]), hash.clone()].concat());
        let parameters = [tlv(0xa0, &hash), tlv(0xa1, &mgf1), tlv(0xa2, &tlv(0x02, &[salt]))];
        pkcs1(0x0a, &tlv(0x30, &parameters.concat()))
    };
    let refuse = Sha1::Refuse;
    let pkcs1_encodings: [(u8, &'static dyn RsaEncoding); 3] = [
        (0x0b, &signature::RSA_PKCS1_SHA256),
        (0x0c, &signature::RSA_PKCS1_SHA384),
        (0x0d, &signature::RSA_PKCS1_SHA512),
    ];
    for (last, encoding) in pkcs1_encodings {
        assert_eq!(
            by(&spki, &pkcs1(last, &[0x05, 0x00]), refuse, sign(encoding)),
            Ok(())
        );
        assert_eq!(by(&spki, &pkcs1(last, &[]), refuse, sign(encoding)), Ok(()));
    }
    let pss_encodings: [(u8, u8, &'static dyn RsaEncoding); 3] = [
        (1, 32, &signature::RSA_PSS_SHA256),
        (2, 48, &signature::RSA_PSS_SHA384),
        (3, 64, &signature::RSA_PSS_SHA512),
    ];
    for (hash, salt, encoding) in pss_encodings {
        let algorithm = pss(hash, salt);
        assert_eq!(by(&spki, &algorithm, refuse, sign(encoding)), Ok(()));
        // A key for this padding and hash alone.
        let bits = tlv(0x03, &[&[0], pair.public().as_ref()].concat());
        let restricted = tlv(0x30, &[tlv(0x30, &algorithm), bits].concat());
        assert_eq!(by(&restricted, &algorithm, refuse, sign(encoding)), Ok(()));
        assert_eq!(
            by(
                &restricted,
                &pkcs1(0x0b, &[0x05, 0x00]),
                refuse,
                sign(&signature::RSA_PKCS1_SHA256)
            ),
            Err(PathError::SignatureAlgorithm)
        );
    }
    assert_eq!(
        by(&spki, &pss(1, 20), refuse, sign(&signature::RSA_PSS_SHA256)),
        Err(PathError::SignatureAlgorithm)
    );
}

#[test]
fn rsa_signatures_with_sha_1_are_the_policys() {
    // Made with openssl 3: an RSA root of 2048 bits, and a leaf that it signed with sha1WithRSAEncryption.
    let root = include_bytes!("vectors/sha1-root.der").to_vec();
    let leaf = include_bytes!("vectors/sha1-leaf.der").to_vec();
    // 2027-01-01T00:00:00Z.
    let at = UnixTime::from_millis(1_798_761_600_000);
    let judge = |leaf: &[u8], sha1| {
        let policy = PathPolicy {
            at,
            sha1,
            revoked: None,
        };
        validate(&[leaf.to_vec()], from_ref(&root), &policy)
    };
    assert_eq!(judge(&leaf, Sha1::Allow), Ok(()));
    assert_eq!(judge(&leaf, Sha1::Refuse), Err(PathError::SignatureAlgorithm));
    let mut spoiled = leaf;
    *spoiled.last_mut().unwrap() ^= 1;
    assert_eq!(judge(&spoiled, Sha1::Allow), Err(PathError::SignatureInvalid));
}

#[test]
fn ed25519_signatures() {
    let issuer = SigningKey::new(-8, b"root").unwrap();
    let verdict = by(
        &issuer.subject_public_key_info(),
        &tlv(0x06, &[0x2b, 0x65, 0x70]),
        Sha1::Refuse,
        |tbs| issuer.sign(tbs),
    );
    assert_eq!(verdict, Ok(()));
}

#[test]
fn an_algorithm_is_not_taken_for_another() {
    // ECDSA's name over a key of another kind or curve.
    let p384 = SigningKey::new(-35, b"root").unwrap();
    let verdict = by(
        &SigningKey::new(-257, b"").unwrap().subject_public_key_info(),
        &ecdsa_with(2),
        Sha1::Refuse,
        |tbs| key("root").sign(tbs),
    );
    assert_eq!(verdict, Err(PathError::SignatureAlgorithm));
    let verdict = by(
        &p384.subject_public_key_info(),
        &ecdsa_with(2),
        Sha1::Refuse,
        |tbs| key("root").sign(tbs),
    );
    assert_eq!(verdict, Err(PathError::SignatureInvalid));
}
