use keyhaven_types::CoseAlgorithm;
use x509_cert::der::Decode as _;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::super::spki::{SpkiError, verifying_key};
use super::openssl::cases;
use super::*;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
const NULL: &[u8] = &[5, 0];

fn oid(bytes: &[u8]) -> Vec<u8> {
    tlv(6, bytes)
}

fn spki(algorithm: &[u8], parameters: &[u8], key: &[u8]) -> Vec<u8> {
    let algorithm = tlv(0x30, &[&oid(algorithm)[..], parameters].concat());
    tlv(0x30, &[&algorithm[..], &tlv(3, &[&[0], key].concat())].concat())
}

fn import(der: &[u8], algorithm: i64) -> Result<VerifyingKey, SpkiError> {
    let spki = SubjectPublicKeyInfoOwned::from_der(der).unwrap();
    verifying_key(&spki, CoseAlgorithm::new(algorithm), Sha1::Allow)
}

fn rsa_key() -> Vec<u8> {
    let signer = Signer::new(-257, 1).unwrap();
    tlv(
        0x30,
        &[
            tlv(2, &[&[0], &signer.bytes(-1)[..]].concat()),
            tlv(2, &signer.bytes(-2)),
        ]
        .concat(),
    )
}

#[test]
fn a_certificate_key_is_for_the_algorithms_of_its_kind() {
    // What each key of each kind may verify.
    let kinds: [&[i64]; 8] = [
        &[-7, -9],
        &[-35, -51],
        &[-36, -52],
        &[-47],
        &[-8, -19],
        &[-53],
        &[-37, -38, -39, -257, -258, -259, -65535],
        &[],
    ];
    for case in cases() {
        let own = case.algorithm.identifier();
        let kind = kinds
            .iter()
            .find(|kind| kind.contains(&own))
            .copied()
            .unwrap_or(&[]);
        for algorithm in ALL.into_iter().chain([-65535]) {
            if Scheme::of_statement(CoseAlgorithm::new(algorithm), Sha1::Allow).is_none() {
                continue;
            }
            let result = import(&case.spki, algorithm);
            if kind.contains(&algorithm) || algorithm == own {
                assert!(result.is_ok(), "{own} {algorithm}");
            } else {
                assert_eq!(result.err(), Some(SpkiError::Mismatch), "{own} {algorithm}");
            }
        }
        for algorithm in [0, -6, -10, -65534, 7] {
            assert_eq!(import(&case.spki, algorithm).err(), Some(SpkiError::Unsupported));
        }
    }
}

#[test]
fn an_ec_key_names_its_curve_and_is_uncompressed() {
    let signer = Signer::new(-7, 1).unwrap();
    let (x, y) = (signer.bytes(-2), signer.bytes(-3));
    let point = [&[4], &x[..], &y].concat();
    let good = |point: &[u8]| import(&spki(EC, &oid(P256), point), -7).err();
    assert_eq!(good(&point), None);
    let malformed = Some(SpkiError::Malformed);
    assert_eq!(good(&[&[2 + (y[31] & 1)], &x[..]].concat()), malformed);
    assert_eq!(good(&[&[6 + (y[31] & 1)], &point[1..]].concat()), malformed);
    assert_eq!(good(&[0]), malformed);
    assert_eq!(good(&[]), malformed);
    assert_eq!(good(&point[..20]), malformed);
    let length = |received| {
        Some(SpkiError::Material(KeyMaterialError::CoordinateLength {
            expected: 32,
            received,
        }))
    };
    assert_eq!(good(&point[..64]), length(31));
    assert_eq!(good(&[&point[..], &[0]].concat()), length(33));
    let mut off = point.clone();
    off[64] ^= 1;
    let off = import(&spki(EC, &oid(P256), &off), -7).unwrap();
    assert_eq!(off.judge(), Err(KeyMaterialError::NotOnCurve));
    let mismatch = Some(SpkiError::Mismatch);
    for parameters in [&oid(EC)[..], NULL, &[]] {
        assert_eq!(import(&spki(EC, parameters, &point), -7).err(), mismatch);
    }
    assert_eq!(import(&spki(RSA, &oid(P256), &point), -7).err(), mismatch);
    // A bit string of 519 bits is no point.
    let mut bits = spki(EC, &oid(P256), &point);
    let at = bits.len() - point.len() - 1;
    bits[at] = 1;
    let last = bits.len() - 1;
    bits[last] &= 0xfe;
    assert_eq!(import(&bits, -7).err(), malformed);
}

#[test]
fn an_edwards_key_has_no_parameters() {
    let signer = Signer::new(-8, 1).unwrap();
    let key = signer.bytes(-2);
    assert_eq!(import(&spki(&[0x2b, 0x65, 0x70], &[], &key), -8).err(), None);
    assert_eq!(
        import(&spki(&[0x2b, 0x65, 0x70], NULL, &key), -8).err(),
        Some(SpkiError::Mismatch)
    );
    // X25519.
    assert_eq!(
        import(&spki(&[0x2b, 0x65, 0x6e], &[], &key), -8).err(),
        Some(SpkiError::Mismatch)
    );
    if let Some(signer) = Signer::new(-53, 1) {
        let key = signer.bytes(-2);
        assert_eq!(import(&spki(&[0x2b, 0x65, 0x71], &[], &key), -53).err(), None);
        assert_eq!(
            import(&spki(&[0x2b, 0x65, 0x71], NULL, &key), -53).err(),
            Some(SpkiError::Mismatch)
        );
    }
    if let Some(signer) = Signer::new(-49, 1) {
        let key = signer.bytes(-1);
        let ml_dsa = |last, parameters| {
            let oid = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, last];
            import(&spki(&oid, parameters, &key), -49).err()
        };
        assert_eq!(ml_dsa(0x12, &[]), None);
        assert_eq!(ml_dsa(0x12, NULL), Some(SpkiError::Mismatch));
        assert_eq!(ml_dsa(0x11, &[]), Some(SpkiError::Mismatch));
        assert_eq!(ml_dsa(0x13, &[]), Some(SpkiError::Mismatch));
    }
}

#[test]
fn an_rsa_key_is_der_with_null_parameters() {
    let key = rsa_key();
    assert_eq!(import(&spki(RSA, NULL, &key), -257).err(), None);
    for parameters in [&[][..], &oid(RSA), &[0x30, 0]] {
        assert_eq!(
            import(&spki(RSA, parameters, &key), -257).err(),
            Some(SpkiError::Mismatch)
        );
    }
    let malformed = Some(SpkiError::Malformed);
    for key in [
        [&key[..], &[0]].concat(),
        key[..key.len() - 1].to_vec(),
        tlv(0x31, &key[4..]),
        tlv(0x30, &[&key[4..], &[2, 1, 1]].concat()),
        tlv(0x30, &[&key[4..key.len() - 5], &[2, 4, 0, 1, 0, 1]].concat()),
        // A negative modulus.
        tlv(0x30, &[&tlv(2, &key[9..265])[..], &[2, 3, 1, 0, 1]].concat()),
        Vec::new(),
    ] {
        assert_eq!(import(&spki(RSA, NULL, &key), -257).err(), malformed);
    }
    let small = tlv(
        0x30,
        &[
            &tlv(2, &[&[0], &key[9..200], &[1]].concat())[..],
            &[2, 3, 1, 0, 1],
        ]
        .concat(),
    );
    assert_eq!(
        import(&spki(RSA, NULL, &small), -257).err(),
        Some(SpkiError::Material(KeyMaterialError::RsaModulus))
    );
}

#[test]
fn pss_parameters_of_a_key_are_the_algorithms_or_absent() {
    let key = rsa_key();
    let hash = |hash: &[u8], null: &[u8]| tlv(0x30, &[&oid(hash)[..], null].concat());
    let parameters = |hash_id: &[u8], mgf: &[u8], mgf_hash: &[u8], salt: u8, more: &[u8]| {
        let mgf = tlv(0x30, &[&oid(mgf)[..], mgf_hash].concat());
        let body = [
            tlv(0xa0, hash_id),
            tlv(0xa1, &mgf),
            tlv(0xa2, &[2, 1, salt]),
            more.to_vec(),
        ];
        tlv(0x30, &body.concat())
    };
    let pss = |parameters: &[u8], algorithm| import(&spki(PSS, parameters, &key), algorithm).err();
    let mismatch = Some(SpkiError::Mismatch);
    for algorithm in [-37, -38, -39] {
        assert_eq!(pss(&[], algorithm), None);
    }
    // Never for PKCS #1 v1.5.
    assert_eq!(pss(&[], -257), mismatch);
    let (with, without) = (hash(SHA256, NULL), hash(SHA256, &[]));
    for (first, second) in [
        (&with, &with),
        (&with, &without),
        (&without, &with),
        (&without, &without),
    ] {
        let good = parameters(first, MGF1, second, 32, &[]);
        assert_eq!(pss(&good, -37), None);
        assert_eq!(pss(&good, -38), mismatch);
        assert_eq!(pss(&good, -257), mismatch);
    }
    let other = hash(SHA384, NULL);
    assert_eq!(pss(&parameters(&other, MGF1, &other, 48, &[]), -38), None);
    for bad in [
        parameters(&with, MGF1, &with, 31, &[]),
        parameters(&with, MGF1, &with, 20, &[]),
        parameters(&with, MGF1, &hash(SHA1, NULL), 32, &[]),
        parameters(&with, MGF1, &other, 32, &[]),
        parameters(&other, MGF1, &with, 32, &[]),
        parameters(&with, PSS, &with, 32, &[]),
        // The trailer's default, which DER leaves out, and another.
        parameters(&with, MGF1, &with, 32, &[0xa3, 3, 2, 1, 1]),
        parameters(&with, MGF1, &with, 32, &[0xa3, 3, 2, 1, 2]),
        // All defaults: SHA-1.
        vec![0x30, 0],
        NULL.to_vec(),
    ] {
        assert_eq!(pss(&bad, -37), mismatch, "{bad:?}");
    }
}
