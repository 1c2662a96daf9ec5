//! The formats of §8 beside `none` and plain `packed`: a valid statement of each, spoiled in one way per line, refused by
//! exactly the check that must.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod support;

use keyhaven_core::*;
use keyhaven_testkit::authenticator::{BASIC_CONSTRAINTS, Cbor, Extension, FIDO_AAGUID, SigningKey, tlv};
use support::Registration;
use support::statements::*;

const INVALID: StatementFault = StatementFault::SignatureInvalid;

fn missing(member: &'static str) -> StatementFault {
    StatementFault::MissingMember { member }
}

fn wrong_type(member: &'static str) -> StatementFault {
    StatementFault::WrongType { member }
}

/// Of a statement with these members: each is required, each has its type, and there is no other.
fn has_exactly<S: Statement>(statement: &S, members: &[&'static str]) {
    for &member in members {
        let spoiled = |spoil: fn(&mut Cbor, &'static str)| {
            statement
                .clone()
                .spoiled_statement(|statement| spoil(statement, member))
        };
        assert_eq!(
            spoiled(|statement, member| statement.remove(member)),
            missing(member)
        );
        assert_eq!(
            spoiled(|statement, member| statement.set(member, Cbor::Null)),
            wrong_type(member)
        );
    }
    let spoiled = |spoil: fn(&mut Cbor)| statement.clone().spoiled_statement(spoil);
    assert_eq!(
        spoiled(|statement| statement
            .entries()
            .push((Cbor::text("ecdaaKeyId"), Cbor::Bytes(vec![])))),
        StatementFault::UnexpectedMember
    );
    assert_eq!(
        spoiled(|statement| statement.entries().insert(0, (1.into(), Cbor::Bytes(vec![])))),
        StatementFault::UnexpectedMember
    );
    assert_eq!(
        spoiled(|statement| *statement = Cbor::Array(vec![])),
        StatementFault::NotAMap
    );
    if members.contains(&"x5c") {
        assert_eq!(
            spoiled(|statement| statement.set("x5c", Cbor::Array(vec![]))),
            StatementFault::CertificateCount { count: 0 }
        );
        assert_eq!(
            spoiled(|statement| {
                let Cbor::Array(path) = statement.at("x5c") else {
                    panic!("no array")
                };
                path.push(Cbor::Null);
            }),
            wrong_type("x5c")
        );
        assert_eq!(
            spoiled(|statement| {
                let Cbor::Array(path) = statement.at("x5c") else {
                    panic!("no array")
                };
                let Cbor::Bytes(leaf) = &mut path[0] else {
                    panic!("no certificate")
                };
                leaf.push(0);
            }),
            StatementFault::Certificate(CertificateError::Malformed)
        );
    }
    if members.contains(&"sig") {
        assert_eq!(
            spoiled(|statement| {
                let Cbor::Bytes(sig) = statement.at("sig") else {
                    panic!("no bytes")
                };
                *sig.last_mut().unwrap() ^= 1;
            }),
            INVALID
        );
    }
}

fn extension(oid: &[u8], critical: bool, value: Vec<u8>) -> Extension {
    Extension {
        oid: oid.to_vec(),
        critical,
        value,
    }
}

fn certificate(error: CertificateError) -> StatementFault {
    StatementFault::Certificate(error)
}

fn mismatch(algorithm: CoseAlgorithm) -> StatementFault {
    certificate(CertificateError::AlgorithmMismatch { algorithm })
}

#[test]
fn section_8_2_packed_by_hand_has_its_members() {
    // x5c is optional there: without it the statement is a self attestation by the wrong key.
    has_exactly(&Packed::new(), &["alg", "sig"]);
    assert_eq!(
        Packed::new().spoiled_statement(|statement| statement.remove("x5c")),
        INVALID
    );
}

#[test]
fn section_8_2_sha_1_signatures_are_refused_unless_allowed() {
    let mut packed = Packed::new();
    packed.key = SigningKey::new(-257, b"").unwrap();
    packed.alg = -257;
    packed.certificate.subject_public_key_info = packed.key.subject_public_key_info();
    assert_eq!(
        packed.clone().spoiled(|p| p.alg = -65_535),
        certificate(CertificateError::AlgorithmUnsupported {
            algorithm: CoseAlgorithm::RS1
        })
    );
    // Allowed, RS1 is verified: this signature is SHA-256's.
    packed.registration.policy.attestation.sha1 = Sha1::Allow;
    assert_eq!(packed.clone().spoiled(|p| p.alg = -65_535), INVALID);
    // And one of SHA-1 is accepted, end to end.
    packed.key = packed.key.renamed(-65_535);
    packed.alg = -65_535;
    let verified = packed.clone().accepted(|_| {});
    assert_eq!(verified.attestation_type(), AttestationType::Uncertain);
    assert_eq!(
        packed.spoiled(|p| p.registration.policy.attestation.sha1 = Sha1::Refuse),
        certificate(CertificateError::AlgorithmUnsupported {
            algorithm: CoseAlgorithm::RS1
        })
    );
}

#[test]
fn section_8_2_2_a_serial_number_is_told_only_to_those_who_asked() {
    let serial = tlv(4, b"serial");
    let packed = Packed::with_serial_number(false, serial.clone());
    let verified = packed.clone().accepted(|_| {});
    assert_eq!(verified.enterprise_serial_number(), Some(&b"serial"[..]));
    let verified = packed.clone().accepted(|p| p.certificate.extensions.truncate(1));
    assert_eq!(verified.enterprise_serial_number(), None);
    assert_eq!(
        packed
            .spoiled(|p| p.registration.policy.attestation.enterprise = EnterpriseAttestation::NotRequested),
        StatementFault::SerialNumberUnsolicited
    );
    let malformed = certificate(CertificateError::Extension {
        name: "serial number",
    });
    for (critical, value) in [
        (true, serial.clone()),
        (false, b"serial".to_vec()),
        (false, tlv(4, &[])),
        (false, tlv(12, b"serial")),
        (false, [serial, vec![0]].concat()),
    ] {
        let spoiled = Packed::new().spoiled(|p| *p = Packed::with_serial_number(critical, value));
        assert_eq!(spoiled, malformed);
    }
}

#[test]
fn section_8_3_tpm_has_its_members() {
    let tpm = Tpm::new(-7, -7);
    has_exactly(&tpm, &["alg", "sig", "ver", "x5c", "pubArea", "certInfo"]);
    for ver in ["1.2", "2.0 ", "2", ""] {
        let spoiled = tpm.clone().spoiled(|t| t.ver = ver.into());
        assert_eq!(spoiled, StatementFault::Tpm(TpmFault::Version), "{ver:?}");
    }
}

#[test]
fn section_8_3_keys_of_every_kind_are_certified_by_keys_of_every_kind() {
    for credential in [-7, -35, -257] {
        for aik in [-7, -35, -257] {
            let verified = Tpm::new(credential, aik).accepted(|_| {});
            assert_eq!(verified.attestation_type(), AttestationType::AttCa);
        }
    }
    for name_algorithm in [TPM_ALG_SHA384, TPM_ALG_SHA512] {
        let _ = Tpm::new(-7, -7).accepted(|t| t.name_algorithm = name_algorithm);
    }
}

#[test]
fn section_8_3_every_form_of_public_area_is_read() {
    // symmetric: AES-128-CFB.
    let aes = vec![0, 6, 0, 128, 0, 0x43];
    // ECDSA with SHA-256, ECDAA with SHA-256 and a count.
    for scheme in [vec![0, 0x18, 0, 0x0b], vec![0, 0x1a, 0, 0x0b, 0, 1]] {
        let _ = Tpm::new(-7, -7).accepted(|t| {
            t.scheme = scheme;
            t.symmetric = aes.clone();
            // kdf: KDF1_SP800_108 with SHA-256.
            t.details = vec![0, 3, 0, 0x22, 0, 0x0b];
        });
    }
    // RSASSA with SHA-256, RSAES; the exponent 65537 written out.
    for scheme in [vec![0, 0x14, 0, 0x0b], vec![0, 0x15]] {
        let _ = Tpm::new(-257, -7).accepted(|t| {
            t.scheme = scheme;
            t.symmetric = aes.clone();
            t.details = vec![8, 0, 0, 1, 0, 1];
        });
    }
}

#[test]
fn section_8_3_the_public_area_is_read_exactly() {
    let spoiled = |spoil: fn(&mut Tpm)| Tpm::new(-7, -7).spoiled(spoil);
    let rsa = |spoil: fn(&mut Tpm)| Tpm::new(-257, -7).spoiled(spoil);
    let fault = |error| StatementFault::Tpm(TpmFault::PubArea(error));
    let unknown = |field, identifier| fault(TpmStructureError::UnknownIdentifier { field, identifier });
    assert_eq!(
        spoiled(|t| t.pub_area_end.push(0)),
        fault(TpmStructureError::TrailingBytes { count: 1 })
    );
    assert_eq!(
        spoiled(|t| {
            t.unique.pop();
        }),
        fault(TpmStructureError::EndOfInput)
    );
    // TPM_ALG_KEYEDHASH.
    assert_eq!(spoiled(|t| t.kind = 8), unknown("type", 8));
    // XOR is no cipher of an object; an RSA scheme in ECC and the other way round; SM2's curve.
    assert_eq!(
        spoiled(|t| t.symmetric = vec![0, 0x0a, 0, 0x0b]),
        unknown("symmetric", 10)
    );
    assert_eq!(
        spoiled(|t| t.scheme = vec![0, 0x14, 0, 0x0b]),
        unknown("scheme", 0x14)
    );
    assert_eq!(
        rsa(|t| t.scheme = vec![0, 0x18, 0, 0x0b]),
        unknown("scheme", 0x18)
    );
    assert_eq!(spoiled(|t| t.details[1] = 0x20), unknown("curve", 0x20));
    assert_eq!(spoiled(|t| t.details[3] = 0x11), unknown("kdf", 0x11));
    // Numbers.
    assert_eq!(
        spoiled(|t| t.unique[0].clear()),
        fault(TpmStructureError::NumberLength)
    );
    assert_eq!(
        spoiled(|t| t.unique[1].insert(0, 0)),
        fault(TpmStructureError::NumberLength)
    );
    assert_eq!(
        rsa(|t| t.unique[0].insert(0, 0)),
        fault(TpmStructureError::NumberLength)
    );
    assert_eq!(
        rsa(|t| t.unique[0].clear()),
        fault(TpmStructureError::NumberLength)
    );
}

#[test]
fn section_8_3_the_public_area_is_the_credential_s_key() {
    let other = StatementFault::Tpm(TpmFault::PublicKeyMismatch);
    let spoiled = |spoil: fn(&mut Tpm)| Tpm::new(-7, -7).spoiled(spoil);
    let rsa = |spoil: fn(&mut Tpm)| Tpm::new(-257, -7).spoiled(spoil);
    assert_eq!(spoiled(|t| t.unique[0][5] ^= 1), other);
    assert_eq!(spoiled(|t| t.unique[1][5] ^= 1), other);
    assert_eq!(spoiled(|t| t.unique.swap(0, 1)), other);
    // Another curve, the same numbers.
    assert_eq!(spoiled(|t| t.details[1] = 4), other);
    assert_eq!(rsa(|t| t.unique[0][5] ^= 1), other);
    // keyBits, and the exponent.
    assert_eq!(rsa(|t| t.details[1] = 1), other);
    assert_eq!(rsa(|t| t.details[5] = 3), other);
    // Of another kind altogether.
    assert_eq!(
        spoiled(|t| {
            let rsa = Tpm::new(-257, -7);
            (t.kind, t.details, t.unique) = (rsa.kind, rsa.details, rsa.unique);
        }),
        other
    );
    // A coordinate is a number, whatever its leading zeros: x of this key has one.
    let mut tpm = Tpm::new(-7, -7);
    let key = (0_u32..)
        .map(|seed| SigningKey::new(-7, &seed.to_be_bytes()).unwrap())
        .find(|key| key.public_bytes()[1] == 0)
        .unwrap();
    tpm.unique = vec![
        key.public_bytes()[2..33].to_vec(),
        key.public_bytes()[33..].to_vec(),
    ];
    tpm.registration.draft.public_key = key.cose();
    let _ = tpm.clone().accepted(|_| {});
    assert_eq!(tpm.spoiled(|t| t.unique[0][0] ^= 1), other);
}

#[test]
fn section_8_3_cert_info_certifies_this_key_in_this_ceremony() {
    let spoiled = |spoil: fn(&mut Tpm)| Tpm::new(-7, -7).spoiled(spoil);
    let fault = StatementFault::Tpm;
    assert_eq!(spoiled(|t| t.magic ^= 1), fault(TpmFault::Magic));
    // TPM_ST_ATTEST_QUOTE.
    assert_eq!(spoiled(|t| t.attest_kind = 0x8018), fault(TpmFault::Type));
    assert_eq!(
        spoiled(|t| t.extra_data = Some(vec![0; 32])),
        fault(TpmFault::ExtraData)
    );
    assert_eq!(
        spoiled(|t| t.extra_data = Some(vec![])),
        fault(TpmFault::ExtraData)
    );
    assert_eq!(
        Tpm::new(-7, -35).spoiled(|t| t.alg = -7),
        mismatch(CoseAlgorithm::ES256)
    );
    // Another name, none, one without its algorithm, one of another algorithm.
    assert_eq!(
        spoiled(|t| t.name = Some([&[0, 0x0b][..], &[0; 32]].concat())),
        fault(TpmFault::AttestedName)
    );
    assert_eq!(spoiled(|t| t.name = Some(vec![])), fault(TpmFault::AttestedName));
    let name = |algorithm: u16| {
        let hash = ring::digest::digest(&ring::digest::SHA256, &Tpm::new(-7, -7).pub_area());
        [&algorithm.to_be_bytes()[..], hash.as_ref()].concat()
    };
    let _ = Tpm::new(-7, -7).accepted(|t| t.name = Some(name(TPM_ALG_SHA256)));
    for wrong in [
        name(TPM_ALG_SHA256)[2..].to_vec(),
        name(TPM_ALG_SHA384),
        [name(TPM_ALG_SHA256), vec![0]].concat(),
    ] {
        assert_eq!(
            Tpm::new(-7, -7).spoiled(|t| t.name = Some(wrong)),
            fault(TpmFault::AttestedName)
        );
    }
    // The structure, exactly.
    let structure = |error| StatementFault::Tpm(TpmFault::CertInfo(error));
    assert_eq!(
        spoiled(|t| t.cert_info_end.push(0)),
        structure(TpmStructureError::TrailingBytes { count: 1 })
    );
    assert_eq!(
        spoiled(|t| t.clock_info.push(0xff)),
        structure(TpmStructureError::EndOfInput)
    );
    // What is ignored: a clock with a safe byte that is neither yes nor no.
    let _ = Tpm::new(-7, -7).accepted(|t| t.clock_info[16] = 0x33);
}

#[test]
fn section_8_3_name_algorithms_are_hash_functions_and_sha_1_is_a_policy() {
    let refused = |identifier| StatementFault::Tpm(TpmFault::NameAlgorithm { identifier });
    // TPM_ALG_NULL, SHA3-256, 0.
    for identifier in [0x0010, 0x0027, 0, TPM_ALG_SHA1] {
        let spoiled = Tpm::new(-7, -7).spoiled(|t| t.name_algorithm = identifier);
        assert_eq!(spoiled, refused(identifier));
    }
    let _ = Tpm::new(-7, -7).accepted(|t| {
        t.name_algorithm = TPM_ALG_SHA1;
        t.registration.policy.attestation.sha1 = Sha1::Allow;
    });
}

#[test]
fn section_8_3_an_alg_without_a_hash_has_no_extra_data() {
    assert_eq!(
        Tpm::new(-7, -7).spoiled(|t| *t = Tpm::new(-7, -8)),
        StatementFault::Tpm(TpmFault::AlgorithmWithoutHash)
    );
}

#[test]
fn section_8_3_1_the_certificate_is_an_attestation_identity_key_s() {
    let spoiled = |spoil: fn(&mut Tpm)| Tpm::new(-7, -7).spoiled(spoil);
    let fault = StatementFault::Tpm;
    assert_eq!(
        spoiled(|t| t.certificate.version = Some(1)),
        certificate(CertificateError::Version)
    );
    assert_eq!(
        spoiled(|t| t.certificate.subject = t.certificate.issuer.clone()),
        fault(TpmFault::Subject)
    );
    assert_eq!(
        spoiled(|t| make_ca(&mut t.certificate)),
        certificate(CertificateError::BasicConstraints)
    );
    assert_eq!(
        spoiled(|t| t.certificate.extensions.retain(|e| e.oid != BASIC_CONSTRAINTS)),
        certificate(CertificateError::BasicConstraints)
    );
    // Extended key usage: there, well formed, tcg-kp-AIKCertificate among its purposes.
    assert_eq!(
        spoiled(|t| t.certificate.extensions.retain(|e| e.oid != EXTENDED_KEY_USAGE)),
        fault(TpmFault::ExtendedKeyUsage)
    );
    // anyExtendedKeyUsage is another purpose; tcg-kp-EKCertificate too.
    let (any, ek) = (tlv(6, &[0x55, 0x1d, 0x25, 0]), tlv(6, &[0x67, 0x81, 5, 8, 1]));
    let aik = tlv(6, &[0x67, 0x81, 5, 8, 3]);
    for value in [sequence(&[any]), sequence(std::slice::from_ref(&ek)), aik.clone()] {
        let refused = Tpm::new(-7, -7).spoiled(|t| t.certificate.extension(EXTENDED_KEY_USAGE).value = value);
        assert_eq!(refused, fault(TpmFault::ExtendedKeyUsage));
    }
    let _ = Tpm::new(-7, -7)
        .accepted(|t| t.certificate.extension(EXTENDED_KEY_USAGE).value = sequence(&[ek, aik]));
    // The AAGUID extension.
    let aaguid = |aaguid: [u8; 16]| extension(FIDO_AAGUID, false, tlv(4, &aaguid));
    let right = Registration::none().draft.aaguid;
    let _ = Tpm::new(-7, -7).accepted(|t| t.certificate.extensions.push(aaguid(right)));
    assert_eq!(
        Tpm::new(-7, -7).spoiled(|t| t.certificate.extensions.push(aaguid([7; 16]))),
        StatementFault::AaguidMismatch
    );
}

#[test]
fn section_8_3_1_the_alternative_name_is_the_tpm_s() {
    let named =
        |value: Vec<u8>| move |t: &mut Tpm| t.certificate.extension(SUBJECT_ALTERNATIVE_NAME).value = value;
    let (vendor, model, version) = ((1, "id:494E5443"), (2, "Model"), (3, "id:13"));
    // One relative name of three, three of one, any order, and names of other kinds beside.
    let one = [&[vendor, model, version][..]];
    let beside = sequence(&[
        tlv(0x82, b"tpm.example.org"),
        explicit(
            4,
            &directory_name(&[&[(9, "other")], &[version], &[vendor], &[model]]),
        ),
    ]);
    let apart = sequence(&[
        explicit(4, &directory_name(&[&[vendor]])),
        explicit(4, &directory_name(&[&[model, version]])),
    ]);
    for value in [tpm_names(&one), beside, apart] {
        let _ = Tpm::new(-7, -7).accepted(named(value));
    }
    let refused = StatementFault::Tpm(TpmFault::SubjectAlternativeName);
    let spoiled = |value: Vec<u8>| Tpm::new(-7, -7).spoiled(named(value));
    for attributes in [
        &[vendor, model][..],
        &[vendor, version],
        &[model, version],
        &[vendor, model, version, version],
        &[vendor, vendor, model, version],
        &[vendor, (2, ""), version],
        &[vendor, model, (3, "")],
        &[(1, "494E5443"), model, version],
        &[(1, "id:494E544"), model, version],
        &[(1, "Intel"), model, version],
    ] {
        assert_eq!(spoiled(tpm_names(&[attributes])), refused, "{attributes:?}");
    }
    let names = tpm_names(&one);
    assert_eq!(spoiled([names.clone(), vec![0]].concat()), refused);
    assert_eq!(spoiled(directory_name(&one)), refused);
    assert_eq!(spoiled(vec![5, 0]), refused);
    assert_eq!(spoiled(sequence(&[tlv(0xa5, &directory_name(&one))])), refused);
    assert_eq!(
        Tpm::new(-7, -7).spoiled(|t| t.certificate.extension(SUBJECT_ALTERNATIVE_NAME).critical = false),
        refused
    );
    assert_eq!(
        Tpm::new(-7, -7).spoiled(|t| t
            .certificate
            .extensions
            .retain(|e| e.oid != SUBJECT_ALTERNATIVE_NAME)),
        refused
    );
}

#[test]
fn section_8_3_vendors_are_the_fido_profile_s() {
    let mut tpm = Tpm::new(-7, -7);
    let unknown = |t: &mut Tpm| {
        let names: &[(u8, &str)] = &[(1, "id:FFFFF1D0"), (2, "Model"), (3, "id:13")];
        t.certificate.extension(SUBJECT_ALTERNATIVE_NAME).value = tpm_names(&[names]);
    };
    let _ = tpm.clone().accepted(unknown);
    tpm.registration.policy.attestation.profile = Profile::Fido;
    assert_eq!(tpm.spoiled(unknown), StatementFault::Tpm(TpmFault::Vendor));
}

#[test]
fn section_8_4_android_key_has_its_members() {
    has_exactly(&AndroidKey::new(), &["alg", "sig", "x5c"]);
    let verified = AndroidKey::new().accepted(|_| {});
    assert_eq!(verified.attestation_type(), AttestationType::Basic);
    assert_eq!(
        AndroidKey::new().spoiled(|a| a.alg = -35),
        mismatch(CoseAlgorithm::ES384)
    );
}

#[test]
fn section_8_4_the_certificate_is_the_credential_key_s() {
    // Another key, which did sign.
    let spoiled = AndroidKey::new().spoiled(|a| {
        a.key = SigningKey::new(-7, b"another").unwrap();
        a.certificate.subject_public_key_info = a.key.subject_public_key_info();
    });
    assert_eq!(spoiled, StatementFault::AndroidKey(AndroidKeyFault::KeyMismatch));
}

#[test]
fn section_8_4_the_key_description_is_of_this_ceremony() {
    let spoiled = |spoil: fn(&mut AndroidKey)| AndroidKey::new().spoiled(spoil);
    let fault = StatementFault::AndroidKey;
    assert_eq!(
        spoiled(|a| a.described = false),
        fault(AndroidKeyFault::DescriptionMissing)
    );
    assert_eq!(
        spoiled(|a| a.challenge = Some(vec![0; 32])),
        fault(AndroidKeyFault::Challenge)
    );
    assert_eq!(
        spoiled(|a| a.challenge = Some(vec![])),
        fault(AndroidKeyFault::Challenge)
    );
}

#[test]
fn section_8_4_only_the_leaf_has_a_key_description() {
    // Of a key that certifies others: what it says of them is not the keystore's word.
    let issuer = |described: bool| {
        let key = SigningKey::new(-7, b"certifying key").unwrap();
        let mut certificate = AndroidKey::new().certificate;
        certificate.subject_public_key_info = key.subject_public_key_info();
        if described {
            certificate
                .extensions
                .push(extension(KEY_DESCRIPTION, false, vec![0x30, 0]));
        }
        certificate.sign(&key)
    };
    let _ = AndroidKey::new().accepted(|a| a.issuers = vec![issuer(false), vec![1, 2, 3]]);
    for issuers in [vec![issuer(true)], vec![issuer(false), issuer(true)]] {
        let spoiled = AndroidKey::new().spoiled(|a| a.issuers.clone_from(&issuers));
        assert_eq!(
            spoiled,
            StatementFault::AndroidKey(AndroidKeyFault::DescriptionAboveLeaf)
        );
    }
}

#[test]
fn section_8_4_the_key_description_is_read_exactly() {
    let fields = |a: &AndroidKey| a.fields(&[1; 32]);
    // Well formed, it is refused for its challenge only.
    let spoiled = |spoil: fn(&mut Vec<Vec<u8>>)| {
        AndroidKey::new().spoiled(|a| {
            let mut fields = fields(a);
            spoil(&mut fields);
            a.description = Some(sequence(&fields));
        })
    };
    let malformed = StatementFault::AndroidKey(AndroidKeyFault::DescriptionMalformed);
    let well_formed = StatementFault::AndroidKey(AndroidKeyFault::Challenge);
    assert_eq!(spoiled(|_| {}), well_formed);
    for index in 0..8 {
        let spoiled = AndroidKey::new().spoiled(|a| {
            let mut fields = fields(a);
            fields.remove(index);
            a.description = Some(sequence(&fields));
        });
        assert_eq!(spoiled, malformed, "{index}");
    }
    assert_eq!(spoiled(|fields| fields.push(vec![0x30, 0])), malformed);
    assert_eq!(spoiled(|fields| fields[1] = vec![10, 1, 3]), malformed);
    assert_eq!(spoiled(|fields| fields[3] = vec![2, 1, 1]), malformed);
    // Version 1 and 400, which are written alike.
    for version in [vec![2, 1, 1], vec![2, 2, 1, 0x90]] {
        let spoiled = AndroidKey::new().spoiled(|a| {
            let mut fields = fields(a);
            fields[0] = version;
            a.description = Some(sequence(&fields));
        });
        assert_eq!(spoiled, well_formed);
    }
    let trailing = AndroidKey::new().spoiled(|a| {
        let fields = fields(a);
        a.description = Some([sequence(&fields), vec![0]].concat());
    });
    assert_eq!(trailing, malformed);
    // The lists: tags explicit, none twice, one element under each.
    let list = |spoil: fn(&mut Vec<(u32, Vec<u8>)>)| AndroidKey::new().spoiled(|a| spoil(&mut a.tee));
    assert_eq!(list(|tee| tee.insert(1, tee[0].clone())), malformed);
    assert_eq!(list(|tee| tee.push(tee[0].clone())), malformed);
    assert_eq!(list(|tee| tee[1].1.clear()), malformed);
    assert_eq!(list(|tee| tee[1].1.push(0)), malformed);
    assert_eq!(list(|tee| tee[6].1 = vec![5, 0]), malformed);
    assert_eq!(list(|tee| tee[6].1 = vec![2, 2, 0, 0]), malformed);
    assert_eq!(list(|tee| tee[0].1 = integer(2)), malformed);
    assert_eq!(list(|tee| tee[0].1 = tlv(0x31, &[5, 0])), malformed);
    assert_eq!(
        AndroidKey::new().spoiled(|a| {
            let mut fields = a.fields(&[1; 32]);
            // An element without a context tag.
            fields[7] = sequence(&[integer(2)]);
            a.description = Some(sequence(&fields));
        }),
        malformed
    );
    // What later versions may add is let pass, and any order, as some devices have it.
    let _ = AndroidKey::new().accepted(|a| a.tee.push((999, vec![5, 0])));
    let _ = AndroidKey::new().accepted(|a| a.tee.reverse());
}

#[test]
fn section_8_4_the_key_belongs_to_one_application() {
    let lists: [fn(&mut AndroidKey); 2] = [
        |a| put(&mut a.tee, 600, Some(vec![5, 0])),
        |a| put(&mut a.software, 600, Some(vec![5, 0])),
    ];
    for list in lists {
        let spoiled = AndroidKey::new().spoiled(list);
        assert_eq!(
            spoiled,
            StatementFault::AndroidKey(AndroidKeyFault::AllApplications)
        );
    }
}

fn put(list: &mut Vec<(u32, Vec<u8>)>, tag: u32, element: Option<Vec<u8>>) {
    list.retain(|(other, _)| *other != tag);
    list.extend(element.map(|element| (tag, element)));
    list.sort_by_key(|(tag, _)| *tag);
}

#[test]
fn section_8_4_origin_and_purpose_in_the_union_of_both_lists() {
    let origin = StatementFault::AndroidKey(AndroidKeyFault::Origin);
    let purpose = StatementFault::AndroidKey(AndroidKeyFault::Purpose);
    let key = AndroidKey::new;
    // imported; encrypt, verify, sign and verify, nothing.
    let wrong_purposes = [&[0][..], &[3], &[2, 3], &[0, 2], &[]];
    assert_eq!(key().spoiled(|a| put(&mut a.tee, 702, Some(integer(2)))), origin);
    assert_eq!(
        key().spoiled(|a| put(&mut a.software, 702, Some(integer(2)))),
        origin
    );
    for wrong in wrong_purposes {
        assert_eq!(
            key().spoiled(|a| put(&mut a.tee, 1, Some(purposes(wrong)))),
            purpose,
            "{wrong:?}"
        );
        assert_eq!(
            key().spoiled(|a| put(&mut a.software, 1, Some(purposes(wrong)))),
            purpose
        );
    }
    // Told by either list, or by none.
    for tag in [1, 702] {
        let element = if tag == 1 { purposes(&[2]) } else { integer(0) };
        let _ = key().accepted(|a| put(&mut a.tee, tag, None));
        let _ = key().accepted(|a| {
            put(&mut a.tee, tag, None);
            put(&mut a.software, tag, Some(element));
        });
    }
    // Software keys are accepted.
    let _ = key().accepted(|a| a.levels = [0, 0]);
}

#[test]
fn section_8_4_origin_and_purpose_in_the_trusted_environment_s_list_alone() {
    let origin = StatementFault::AndroidKey(AndroidKeyFault::Origin);
    let purpose = StatementFault::AndroidKey(AndroidKeyFault::Purpose);
    let key = AndroidKey::tee;
    for element in [None, Some(integer(2))] {
        assert_eq!(
            key().spoiled(|a| {
                put(&mut a.tee, 702, element);
                put(&mut a.software, 702, Some(integer(0)));
            }),
            origin
        );
    }
    for element in [None, Some(purposes(&[0])), Some(purposes(&[2, 3]))] {
        assert_eq!(
            key().spoiled(|a| {
                put(&mut a.tee, 1, element);
                put(&mut a.software, 1, Some(purposes(&[2])));
            }),
            purpose
        );
    }
    // What software says is not listened to.
    let _ = key().accepted(|a| {
        put(&mut a.software, 702, Some(integer(2)));
        put(&mut a.software, 1, Some(purposes(&[0])));
    });
    // The levels: StrongBox is as good, software is not.
    for levels in [[1, 1], [1, 2], [2, 1], [2, 2]] {
        let _ = key().accepted(|a| a.levels = levels);
    }
    for levels in [[0, 1], [1, 0], [0, 0]] {
        assert_eq!(
            key().spoiled(|a| a.levels = levels),
            StatementFault::AndroidKey(AndroidKeyFault::SecurityLevel)
        );
    }
}

#[test]
fn section_8_5_safetynet_is_off_unless_allowed() {
    let mut statement = SafetyNet::new();
    let verified = statement.clone().accepted(|_| {});
    assert_eq!(verified.attestation_type(), AttestationType::Basic);
    statement.registration.policy.attestation.safetynet = SafetyNetPolicy::Refuse;
    let error = statement.judge_with(|_| {}).unwrap_err();
    assert_eq!(error.code(), "unsupported_format");
    assert_eq!(error.step(), Step::Registration(21));
}

#[test]
fn section_8_5_safetynet_has_its_members() {
    has_exactly(&SafetyNet::new(), &["ver", "response"]);
    assert_eq!(
        SafetyNet::new().spoiled(|s| s.ver.clear()),
        StatementFault::SafetyNet(SafetyNetFault::Version)
    );
}

#[test]
fn section_8_5_the_response_is_the_service_s_of_this_ceremony() {
    let spoiled = |spoil: fn(&mut SafetyNet)| SafetyNet::new().spoiled(spoil);
    let fault = StatementFault::SafetyNet;
    for host in [
        "attest.android.com.",
        "xattest.android.com",
        "android.com",
        "*.android.com",
    ] {
        assert_eq!(
            SafetyNet::new().spoiled(|s| s.host = host.into()),
            fault(SafetyNetFault::Hostname),
            "{host}"
        );
    }
    assert_eq!(
        spoiled(|s| set(&mut s.payload, "nonce", "AAAA")),
        fault(SafetyNetFault::Nonce)
    );
    assert_eq!(
        spoiled(|s| set(&mut s.payload, "nonce", 1)),
        fault(SafetyNetFault::Json(JsonError::WrongType { member: "nonce" }))
    );
    assert_eq!(
        spoiled(|s| set(&mut s.payload, "ctsProfileMatch", false)),
        fault(SafetyNetFault::CtsProfileMatch)
    );
    assert_eq!(
        spoiled(|s| s.payload.retain(|(name, _)| name != "ctsProfileMatch")),
        fault(SafetyNetFault::CtsProfileMatch)
    );
    assert_eq!(
        spoiled(|s| set(&mut s.header, "alg", "none")),
        fault(SafetyNetFault::Algorithm)
    );
    assert_eq!(
        spoiled(|s| set(&mut s.header, "crit", vec!["exp"])),
        fault(SafetyNetFault::Critical)
    );
    assert_eq!(
        spoiled(|s| set(&mut s.header, "x5c", vec![""; 0])),
        fault(SafetyNetFault::Certificates)
    );
    assert_eq!(
        spoiled(|s| set(&mut s.header, "x5c", vec!["AAAA"])),
        certificate(CertificateError::Malformed)
    );
    // An RS256 header over another kind of key.
    assert_eq!(
        spoiled(|s| s.key = SigningKey::new(-7, b"batch").unwrap()),
        mismatch(CoseAlgorithm::RS256)
    );
    // The signature's last character, and a payload it is not of.
    let response = |spoil: fn(&mut Vec<u8>)| {
        SafetyNet::new().spoiled_statement(|statement| {
            let Cbor::Bytes(response) = statement.at("response") else {
                panic!("no bytes")
            };
            spoil(response);
        })
    };
    assert_eq!(
        response(|response| {
            let end = response.len() - 10;
            response[end] = if response[end] == b'A' { b'B' } else { b'A' };
        }),
        INVALID
    );
    assert_eq!(
        response(|response| response.push(b'.')),
        fault(SafetyNetFault::Serialization)
    );
    assert_eq!(
        response(|response| response[0] = 0xff),
        fault(SafetyNetFault::Serialization)
    );
}

#[test]
fn section_8_6_fido_u2f_has_its_members() {
    has_exactly(&FidoU2f::new(), &["sig", "x5c"]);
    let verified = FidoU2f::new().accepted(|_| {});
    assert_eq!(verified.attestation_type(), AttestationType::Uncertain);
    assert_eq!(
        FidoU2f::new()
            .spoiled_statement(|statement| statement.entries().insert(0, ("alg".into(), (-7).into()))),
        StatementFault::UnexpectedMember
    );
    // Exactly one certificate.
    let spoiled = FidoU2f::new().spoiled_statement(|statement| {
        let Cbor::Array(path) = statement.at("x5c") else {
            panic!("no array")
        };
        path.push(path[0].clone());
    });
    assert_eq!(
        spoiled,
        StatementFault::FidoU2f(FidoU2fFault::CertificateCount { count: 2 })
    );
}

#[test]
fn section_8_6_both_keys_are_on_p_256() {
    for algorithm in [-8, -35, -257] {
        let spoiled = FidoU2f::new().spoiled(|u| {
            u.key = SigningKey::new(algorithm, b"u2f").unwrap();
            u.certificate.subject_public_key_info = u.key.subject_public_key_info();
        });
        assert_eq!(spoiled, StatementFault::FidoU2f(FidoU2fFault::CertificateKey));
        let spoiled = FidoU2f::new().spoiled(|u| {
            u.registration =
                Registration::new(algorithm, keyhaven_testkit::authenticator::AttestationKind::None);
        });
        assert_eq!(spoiled, StatementFault::FidoU2f(FidoU2fFault::CredentialKey));
    }
}

#[test]
fn section_8_6_the_signature_covers_the_registration_message() {
    for (index, wrong) in [
        vec![1],
        vec![0; 32],
        vec![0; 32],
        vec![0; 32],
        SigningKey::new(-7, b"another").unwrap().public_bytes(),
    ]
    .into_iter()
    .enumerate()
    {
        let spoiled = FidoU2f::new().spoiled(|u| u.message[index] = Some(wrong));
        assert_eq!(spoiled, INVALID, "{index}");
    }
    // The message of other formats.
    let spoiled = FidoU2f::new().spoiled(|u| u.message[0] = Some(vec![]));
    assert_eq!(spoiled, INVALID);
}

#[test]
fn section_8_6_the_aaguid_is_zero_under_the_fido_profile() {
    let mut statement = FidoU2f::new();
    let _ = statement
        .clone()
        .accepted(|u| u.registration.draft.aaguid = [7; 16]);
    statement.registration.policy.attestation.profile = Profile::Fido;
    statement.registration.draft.aaguid = [0; 16];
    assert_eq!(
        statement.spoiled(|u| u.registration.draft.aaguid[15] = 1),
        StatementFault::FidoU2f(FidoU2fFault::AaguidNotZero)
    );
}

#[test]
fn section_8_8_apple_has_x5c_and_maybe_a_true_alg() {
    has_exactly(&Apple::new(-7), &["x5c"]);
    for algorithm in [-7, -8, -35, -257] {
        let verified = Apple::new(algorithm).accepted(|_| {});
        assert_eq!(verified.attestation_type(), AttestationType::AnonCa);
        let _ = Apple::new(algorithm).accepted(|a| a.alg = Some(algorithm.into()));
    }
    assert_eq!(
        Apple::new(-7).spoiled(|a| a.alg = Some(Cbor::Null)),
        wrong_type("alg")
    );
    assert_eq!(
        Apple::new(-7).spoiled(|a| a.alg = Some((-257).into())),
        mismatch(CoseAlgorithm::RS256)
    );
    assert_eq!(
        Apple::new(-7).spoiled_statement(|statement| {
            statement.entries().insert(0, ("sig".into(), Cbor::Bytes(vec![])));
        }),
        StatementFault::UnexpectedMember
    );
}

#[test]
fn section_8_8_the_nonce_is_this_ceremony_s() {
    let spoiled = |spoil: fn(&mut Apple)| Apple::new(-7).spoiled(spoil);
    let fault = StatementFault::Apple;
    assert_eq!(spoiled(|a| a.nonce = None), fault(AppleFault::NonceMissing));
    let nonce = |value: fn(&[u8]) -> Vec<u8>| Apple::new(-7).spoiled(|a| a.nonce = Some(value));
    assert_eq!(
        nonce(|_| sequence(&[explicit(1, &tlv(4, &[0; 32]))])),
        fault(AppleFault::NonceMismatch)
    );
    assert_eq!(
        nonce(|nonce| sequence(&[explicit(1, &tlv(4, &nonce[..31]))])),
        fault(AppleFault::NonceMismatch)
    );
    // Without the sequence, without the tag, with another, bare, with something after it.
    let malformed: [NonceValue; 6] = [
        |nonce| explicit(1, &tlv(4, nonce)),
        |nonce| sequence(&[tlv(4, nonce)]),
        |nonce| sequence(&[explicit(0, &tlv(4, nonce))]),
        |nonce| nonce.to_vec(),
        |nonce| sequence(&[explicit(1, &tlv(4, nonce)), vec![5, 0]]),
        |nonce| [sequence(&[explicit(1, &tlv(4, nonce))]), vec![0]].concat(),
    ];
    for malformed in malformed {
        assert_eq!(nonce(malformed), fault(AppleFault::NonceMalformed));
    }
}

#[test]
fn section_8_8_the_certificate_is_the_credential_key_s() {
    for algorithm in [-7, -8, -35] {
        let spoiled = Apple::new(-7).spoiled(|a| {
            let another = SigningKey::new(algorithm, b"another").unwrap();
            a.certificate.subject_public_key_info = another.subject_public_key_info();
        });
        assert_eq!(
            spoiled,
            StatementFault::Apple(AppleFault::KeyMismatch),
            "{algorithm}"
        );
    }
}

fn compound(members: &[&'static str]) -> Compound {
    Compound {
        members: members.to_vec(),
        ..Compound::new()
    }
}

#[test]
fn section_8_9_compound_is_two_or_more_statements_each_of_another_format_than_compound() {
    let all = [
        "packed",
        "tpm",
        "android-key",
        "apple",
        "fido-u2f",
        "none",
        "self",
        "packed",
    ];
    let _ = compound(&all).accepted(|_| {});
    let _ = compound(&["packed", "packed"]).accepted(|_| {});
    let fault = StatementFault::Compound;
    let spoiled = |spoil: fn(&mut Vec<Cbor>)| {
        Compound::new().spoiled_statement(|statement| {
            let Cbor::Array(members) = statement else {
                panic!("no array")
            };
            spoil(members);
        })
    };
    assert_eq!(spoiled(Vec::clear), fault(CompoundFault::Count { count: 0 }));
    assert_eq!(
        spoiled(|members| members.truncate(1)),
        fault(CompoundFault::Count { count: 1 })
    );
    assert_eq!(
        spoiled(|members| members.resize(9, members[0].clone())),
        fault(CompoundFault::Count { count: 9 })
    );
    assert_eq!(
        Compound::new().spoiled_statement(|statement| *statement = Cbor::Map(vec![])),
        fault(CompoundFault::NotAnArray)
    );
    let member = fault(CompoundFault::Member);
    assert_eq!(spoiled(|members| members[1] = Cbor::Null), member);
    assert_eq!(spoiled(|members| members[1].remove("fmt")), member);
    assert_eq!(spoiled(|members| members[1].remove("attStmt")), member);
    assert_eq!(spoiled(|members| members[1].set("fmt", Cbor::Null)), member);
    assert_eq!(
        spoiled(|members| members[1].set("authData", Cbor::Bytes(vec![]))),
        member
    );
    for format in ["", "Packed", "android-safetynet"] {
        let refused = Compound::new().spoiled_statement(|statement| {
            let Cbor::Array(members) = statement else {
                panic!("no array")
            };
            members[1].set("fmt", format.into());
        });
        assert_eq!(refused, fault(CompoundFault::UnsupportedFormat), "{format:?}");
    }
    // Nested, as far as the depth of CBOR lets it: whatever policy says.
    let nested = fault(CompoundFault::Nested);
    assert_eq!(
        spoiled(|members| members[1].set("fmt", "compound".into())),
        nested
    );
    for policy in [CompoundPolicy::All, CompoundPolicy::Any] {
        let mut statement = Compound::new();
        statement.registration.policy.attestation.compound = policy;
        let refused = statement.spoiled_statement(|statement| {
            let Cbor::Array(members) = statement else {
                panic!("no array")
            };
            members[1] = Cbor::Map(vec![
                ("fmt".into(), "compound".into()),
                ("attStmt".into(), Cbor::Array(vec![])),
            ]);
        });
        assert_eq!(refused, nested);
    }
}

#[test]
fn section_8_9_policy_says_how_many_statements_must_verify() {
    // All: a fault is that of the statement's own format, at its section.
    for (index, format) in [(0, "packed"), (1, "tpm")] {
        let mut statement = Compound::new();
        let _ = statement.clone().accepted(|_| {});
        statement.broken = vec![index];
        assert_eq!(fault(format, statement.judge_with(|_| {})), INVALID);
    }
    // Any: one is enough, none is not.
    let any = || {
        let mut statement = Compound::new();
        statement.registration.policy.attestation.compound = CompoundPolicy::Any;
        statement
    };
    for (index, kind) in [(0, AttestationType::AttCa), (1, AttestationType::Uncertain)] {
        let verified = any().accepted(|c| c.broken = vec![index]);
        assert_eq!(verified.attestation_type(), kind);
    }
    let _ = any().accepted(|c| c.members = vec!["unheard-of", "packed"]);
    assert_eq!(
        any().spoiled(|c| c.broken = vec![0, 1]),
        StatementFault::Compound(CompoundFault::NoneVerifies)
    );
}

#[test]
fn section_8_9_each_statement_is_traced() {
    let mut trace = Trace::default();
    let _ = compound(&["tpm", "packed"]).traced(&mut trace).unwrap();
    let sections: Vec<String> = trace
        .entries()
        .iter()
        .filter(|entry| matches!(entry.step, Step::Statement(_)))
        .map(|entry| format!("{} {}", entry.step, entry.detail))
        .collect();
    assert_eq!(
        sections,
        [
            "L3 8.3 attestation type \"attca\"",
            "L3 8.2 attestation type \"uncertain\"",
            "L3 8.9 attestation type \"uncertain\"",
        ]
    );
}

#[test]
fn section_8_9_the_type_of_the_whole() {
    for (members, kind) in [
        (&["packed", "fido-u2f"], AttestationType::Uncertain),
        (&["tpm", "tpm"], AttestationType::AttCa),
        (&["apple", "apple"], AttestationType::AnonCa),
        (&["apple", "tpm"], AttestationType::Uncertain),
        (&["tpm", "self"], AttestationType::SelfAttestation),
        (&["self", "tpm"], AttestationType::SelfAttestation),
        (&["self", "none"], AttestationType::None),
        (&["none", "tpm"], AttestationType::None),
        (&["none", "none"], AttestationType::None),
    ] {
        let verified = compound(members).accepted(|_| {});
        assert_eq!(verified.attestation_type(), kind, "{members:?}");
    }
}

#[test]
fn section_8_9_the_policies_of_the_whole_are_those_of_each_statement() {
    let mut statement = compound(&["tpm", "packed"]);
    statement.packed = Packed::with_serial_number(false, tlv(4, b"serial"));
    statement.registration.policy.attestation.enterprise = EnterpriseAttestation::Requested;
    let verified = statement.clone().accepted(|_| {});
    assert_eq!(verified.enterprise_serial_number(), Some(&b"serial"[..]));
    statement.registration.policy.attestation.enterprise = EnterpriseAttestation::NotRequested;
    assert_eq!(
        fault("packed", statement.judge_with(|_| {})),
        StatementFault::SerialNumberUnsolicited
    );
    let mut statement = compound(&["packed", "android-safetynet"]);
    statement.registration.policy.attestation.safetynet = SafetyNetPolicy::Allow;
    let _ = statement.clone().accepted(|_| {});
    statement.registration.policy.attestation.safetynet = SafetyNetPolicy::Refuse;
    assert_eq!(
        fault("compound", statement.judge_with(|_| {})),
        StatementFault::Compound(CompoundFault::UnsupportedFormat)
    );
}
