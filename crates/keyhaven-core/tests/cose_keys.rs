//! Which parameters a credential public key must have, and may not have, is told by its key type (RFC 9052 §7, RFC 9053
//! §7, RFC 8230 §4, and for ML-DSA draft-ietf-cose-dilithium §3).

use keyhaven_core::{CanonicalCbor, CoseKey, CoseKeyError};
use keyhaven_testkit::authenticator::Cbor;

/// A key type: its number, one of its algorithms, and its parameters by label and name.
type KeyType = (i64, i64, &'static [(i8, &'static str)]);

const KEY_TYPES: [KeyType; 4] = [
    (1, -8, &[(-1, "crv"), (-2, "x")]),
    (2, -7, &[(-1, "crv"), (-2, "x"), (-3, "y")]),
    (3, -257, &[(-1, "n"), (-2, "e")]),
    (7, -48, &[(-1, "pub")]),
];
const COMMON: [(i8, &str); 2] = [(1, "kty"), (3, "alg")];

fn key((kty, alg, parameters): KeyType) -> Cbor {
    let mut key = Cbor::Map(Vec::new());
    key.set(1, Cbor::Int(kty));
    key.set(3, Cbor::Int(alg));
    for (label, name) in parameters {
        let value = match *name {
            "crv" => Cbor::Int(1),
            _ => Cbor::Bytes(vec![1; 32]),
        };
        key.set(i64::from(*label), value);
    }
    key
}

fn refusal(key: &Cbor) -> Option<CoseKeyError> {
    CoseKey::parse(&key.encode(), CanonicalCbor::AnyKeyOrder).err()
}

#[test]
fn what_is_missing_or_of_another_type_is_named() {
    for kind in KEY_TYPES {
        let whole = key(kind);
        assert_eq!(refusal(&whole), None, "{kind:?}");
        for (label, name) in COMMON.iter().chain(kind.2).copied() {
            let (mut without, mut null) = (whole.clone(), whole.clone());
            without.remove(i64::from(label));
            null.set(i64::from(label), Cbor::Null);
            assert_eq!(
                refusal(&without),
                Some(CoseKeyError::Missing { label, name }),
                "{kind:?}"
            );
            assert_eq!(
                refusal(&null),
                Some(CoseKeyError::WrongType { label, name }),
                "{kind:?}"
            );
        }
    }
}

#[test]
fn a_parameter_of_another_key_type_is_refused_alone() {
    for kind in KEY_TYPES {
        for label in [-1, -2, -3, -4, 2, 4, 5] {
            if kind.2.iter().any(|(own, _)| i64::from(*own) == label) {
                continue;
            }
            let mut more = key(kind);
            more.set(label, Cbor::Bytes(vec![1; 32]));
            assert_eq!(refusal(&more), Some(CoseKeyError::Unexpected), "{kind:?} {label}");
        }
    }
}
