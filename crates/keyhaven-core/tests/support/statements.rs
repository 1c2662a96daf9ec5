//! Statements of the formats that the software authenticator does not make: written by hand, spoiled one way at a time.

use keyhaven_core::*;
use keyhaven_testkit::authenticator::{
    AttestationKind, BASIC_CONSTRAINTS, Cbor, CertificateDraft, Extension, FIDO_AAGUID, SigningKey, tlv,
};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest};

use super::Registration;

/// 2.5.29.17.
pub(crate) const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// 2.5.29.37.
pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// 1.3.6.1.4.1.11129.2.1.17.
pub(crate) const KEY_DESCRIPTION: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x01, 0x11];
/// 1.2.840.113635.100.8.2.
pub(crate) const APPLE_NONCE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x63, 0x64, 0x08, 0x02];
/// 1.3.6.1.4.1.45724.1.1.2.
pub(crate) const FIDO_SERIAL_NUMBER: &[u8] =
    &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xe5, 0x1c, 0x01, 0x01, 0x02];

/// What a statement is made over.
pub(crate) struct Ceremony {
    pub(crate) hash: Vec<u8>,
    /// `authData` and the hash.
    pub(crate) signed: Vec<u8>,
}

/// A registration with a statement of one format.
pub(crate) trait Statement: Clone {
    const FORMAT: &'static str;

    fn registration(&mut self) -> &mut Registration;

    fn statement(&self, ceremony: &Ceremony) -> Cbor;

    fn json(mut self, change: impl FnOnce(&mut Cbor)) -> Vec<u8> {
        let registration = self.registration().clone();
        let hash = digest(&SHA256, &registration.draft.client_data.to_json())
            .as_ref()
            .to_vec();
        let auth_data = registration.draft.authenticator_data();
        let ceremony = Ceremony {
            signed: [&auth_data[..], &hash].concat(),
            hash,
        };
        let mut statement = self.statement(&ceremony);
        change(&mut statement);
        let object = Cbor::Map(vec![
            ("fmt".into(), Self::FORMAT.into()),
            ("attStmt".into(), statement),
            ("authData".into(), Cbor::Bytes(auth_data)),
        ]);
        registration
            .draft
            .envelope(&object.encode())
            .to_string()
            .into_bytes()
    }

    fn judge_with(
        mut self,
        change: impl FnOnce(&mut Cbor),
    ) -> Result<VerifiedRegistration, RegistrationError> {
        let registration = self.registration().clone();
        registration.judge_json(&self.json(change))
    }

    fn traced(mut self, trace: &mut Trace) -> Result<VerifiedRegistration, RegistrationError> {
        let registration = self.registration().clone();
        let response = RegistrationResponse::from_json(&self.json(|_| {}))?;
        verify_registration_traced(&response, &registration.expected(), &registration.policy, trace)
    }

    /// As made, with one change before signing.
    fn accepted(mut self, change: impl FnOnce(&mut Self)) -> VerifiedRegistration {
        change(&mut self);
        let verified = self.judge_with(|_| {}).expect("accepted");
        assert_eq!(verified.attestation_format(), Self::FORMAT);
        verified
    }

    /// What refuses it after one change before signing. Unchanged it is accepted, or the case proves nothing.
    fn spoiled(mut self, spoil: impl FnOnce(&mut Self)) -> StatementFault {
        let _ = self
            .clone()
            .judge_with(|_| {})
            .expect("the unspoiled statement is accepted");
        spoil(&mut self);
        fault(Self::FORMAT, self.judge_with(|_| {}))
    }

    /// What refuses it after one change to the statement, made after signing.
    fn spoiled_statement(self, spoil: impl FnOnce(&mut Cbor)) -> StatementFault {
        let _ = self
            .clone()
            .judge_with(|_| {})
            .expect("the unspoiled statement is accepted");
        fault(Self::FORMAT, self.judge_with(spoil))
    }
}

/// The fault of a refusal, which carries the section of its format.
pub(crate) fn fault(
    format: &str,
    verdict: Result<VerifiedRegistration, RegistrationError>,
) -> StatementFault {
    let error = verdict.expect_err("the spoiled statement is refused");
    assert_eq!(error.code(), "attestation_invalid", "{error}");
    let RegistrationError::Attestation(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.format.as_str(), format);
    error.fault
}

/// A sequence of DER elements.
pub(crate) fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &elements.concat())
}

/// An element under an explicit context tag.
pub(crate) fn explicit(tag: u32, element: &[u8]) -> Vec<u8> {
    match u8::try_from(tag) {
        Ok(tag @ 0..=30) => tlv(0xa0 | tag, element),
        _ => {
            // Two bytes of seven bits each.
            let low = tlv((tag & 0x7f).try_into().unwrap(), element);
            let high = u8::try_from(tag >> 7).unwrap();
            [&[0xbf, 0x80 | high], &low[..]].concat()
        }
    }
}

fn x5c(certificates: &[Vec<u8>]) -> Cbor {
    Cbor::Array(certificates.iter().cloned().map(Cbor::Bytes).collect())
}

fn issuer() -> SigningKey {
    SigningKey::new(-7, b"attestation root").unwrap()
}

/// A certificate like those of packed attestation, without the AAGUID.
fn certificate(key: &SigningKey) -> CertificateDraft {
    let mut certificate = CertificateDraft::attestation(key, [0; 16]);
    certificate
        .extensions
        .retain(|extension| extension.oid != FIDO_AAGUID);
    certificate
}

pub(crate) fn extension(oid: &[u8], critical: bool, value: Vec<u8>) -> Extension {
    Extension {
        oid: oid.to_vec(),
        critical,
        value,
    }
}

// packed, with enterprise extensions.

#[derive(Clone)]
pub(crate) struct Packed {
    pub(crate) registration: Registration,
    pub(crate) alg: i64,
    pub(crate) key: SigningKey,
    pub(crate) certificate: CertificateDraft,
}

impl Packed {
    pub(crate) fn new() -> Self {
        let key = SigningKey::new(-7, b"batch").unwrap();
        Self {
            registration: Registration::none(),
            alg: -7,
            certificate: certificate(&key),
            key,
        }
    }

    pub(crate) fn with_serial_number(critical: bool, value: Vec<u8>) -> Self {
        let mut packed = Self::new();
        packed.registration.policy.attestation.enterprise = EnterpriseAttestation::Requested;
        packed
            .certificate
            .extensions
            .push(extension(FIDO_SERIAL_NUMBER, critical, value));
        packed
    }
}

impl Statement for Packed {
    const FORMAT: &'static str = "packed";

    fn registration(&mut self) -> &mut Registration {
        &mut self.registration
    }

    fn statement(&self, ceremony: &Ceremony) -> Cbor {
        Cbor::Map(vec![
            ("alg".into(), self.alg.into()),
            ("sig".into(), Cbor::Bytes(self.key.sign(&ceremony.signed))),
            ("x5c".into(), x5c(&[self.certificate.sign(&issuer())])),
        ])
    }
}

// tpm

pub(crate) const TPM_ALG_SHA1: u16 = 0x0004;
pub(crate) const TPM_ALG_SHA256: u16 = 0x000b;
pub(crate) const TPM_ALG_SHA384: u16 = 0x000c;
pub(crate) const TPM_ALG_SHA512: u16 = 0x000d;

#[derive(Clone)]
pub(crate) struct Tpm {
    pub(crate) registration: Registration,
    pub(crate) ver: String,
    pub(crate) alg: i64,
    pub(crate) aik: SigningKey,
    pub(crate) certificate: CertificateDraft,
    // pubArea, all but the last three in the order they are written.
    pub(crate) kind: u16,
    pub(crate) name_algorithm: u16,
    pub(crate) attributes: u32,
    pub(crate) symmetric: Vec<u8>,
    pub(crate) scheme: Vec<u8>,
    /// Of RSA: keyBits and exponent; of ECC: curveID and kdf.
    pub(crate) details: Vec<u8>,
    pub(crate) unique: Vec<Vec<u8>>,
    pub(crate) pub_area_end: Vec<u8>,
    // certInfo.
    pub(crate) magic: u32,
    pub(crate) attest_kind: u16,
    pub(crate) extra_data: Option<Vec<u8>>,
    pub(crate) clock_info: Vec<u8>,
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) cert_info_end: Vec<u8>,
}

impl Tpm {
    /// A credential key and an attestation identity key of these algorithms.
    pub(crate) fn new(credential: i64, aik: i64) -> Self {
        let registration = Registration::new(credential, AttestationKind::None);
        let public = registration.draft.key.public_bytes();
        let (kind, details, unique) = match credential {
            -7 => (0x0023, vec![0, 3, 0, 0x10], halves(&public)),
            -35 => (0x0023, vec![0, 4, 0, 0x10], halves(&public)),
            // The modulus out of SEQUENCE { INTEGER 00 || n, INTEGER 65537 }.
            -257 => (0x0001, vec![8, 0, 0, 0, 0, 0], vec![public[9..265].to_vec()]),
            other => panic!("no TPM key for {other}"),
        };
        let aik = SigningKey::new(aik, b"aik").unwrap();
        let mut certificate = certificate(&aik);
        certificate.subject.clear();
        certificate.extensions.push(extension(
            SUBJECT_ALTERNATIVE_NAME,
            true,
            tpm_names(&[&[(1, "id:494E5443")], &[(2, "Model")], &[(3, "id:13")]]),
        ));
        certificate.extensions.push(extension(
            EXTENDED_KEY_USAGE,
            false,
            sequence(&[tlv(6, &[0x67, 0x81, 0x05, 0x08, 0x03])]),
        ));
        Self {
            registration,
            ver: "2.0".into(),
            alg: aik.algorithm(),
            aik,
            certificate,
            kind,
            name_algorithm: TPM_ALG_SHA256,
            // sign, decrypt, userWithAuth, sensitiveDataOrigin, fixedParent, fixedTPM.
            attributes: 0x0006_0072,
            symmetric: vec![0, 0x10],
            scheme: vec![0, 0x10],
            details,
            unique,
            pub_area_end: Vec::new(),
            magic: 0xff54_4347,
            attest_kind: 0x8017,
            extra_data: None,
            clock_info: vec![7; 17],
            name: None,
            cert_info_end: Vec::new(),
        }
    }

    pub(crate) fn pub_area(&self) -> Vec<u8> {
        [
            &self.kind.to_be_bytes()[..],
            &self.name_algorithm.to_be_bytes(),
            &self.attributes.to_be_bytes(),
            &tpm2b(&[9; 32]),
            &self.symmetric,
            &self.scheme,
            &self.details,
            &self
                .unique
                .iter()
                .flat_map(|part| tpm2b(part))
                .collect::<Vec<u8>>(),
            &self.pub_area_end,
        ]
        .concat()
    }

    fn cert_info(&self, signed: &[u8]) -> Vec<u8> {
        let extra_data = self.extra_data.clone().unwrap_or_else(|| {
            let algorithm = if self.alg == -35 { &SHA384 } else { &SHA256 };
            digest(algorithm, signed).as_ref().to_vec()
        });
        let name = self.name.clone().unwrap_or_else(|| {
            let algorithm = match self.name_algorithm {
                TPM_ALG_SHA1 => &SHA1_FOR_LEGACY_USE_ONLY,
                TPM_ALG_SHA384 => &SHA384,
                TPM_ALG_SHA512 => &SHA512,
                _ => &SHA256,
            };
            [
                &self.name_algorithm.to_be_bytes()[..],
                digest(algorithm, &self.pub_area()).as_ref(),
            ]
            .concat()
        });
        [
            &self.magic.to_be_bytes()[..],
            &self.attest_kind.to_be_bytes(),
            &tpm2b(b"signer"),
            &tpm2b(&extra_data),
            &self.clock_info,
            &[8; 8],
            &tpm2b(&name),
            &tpm2b(b"qualified"),
            &self.cert_info_end,
        ]
        .concat()
    }
}

impl Statement for Tpm {
    const FORMAT: &'static str = "tpm";

    fn registration(&mut self) -> &mut Registration {
        &mut self.registration
    }

    fn statement(&self, ceremony: &Ceremony) -> Cbor {
        let cert_info = self.cert_info(&ceremony.signed);
        Cbor::Map(vec![
            ("alg".into(), self.alg.into()),
            ("sig".into(), Cbor::Bytes(self.aik.sign(&cert_info))),
            ("ver".into(), Cbor::text(&self.ver)),
            ("x5c".into(), x5c(&[self.certificate.sign(&issuer())])),
            ("pubArea".into(), Cbor::Bytes(self.pub_area())),
            ("certInfo".into(), Cbor::Bytes(cert_info)),
        ])
    }
}

/// x and y of an uncompressed point.
fn halves(point: &[u8]) -> Vec<Vec<u8>> {
    let (x, y) = point[1..].split_at(point.len() / 2);
    vec![x.to_vec(), y.to_vec()]
}

fn tpm2b(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// An alternative name of one directory name: relative names, each of attributes `2.23.133.2.N`.
pub(crate) fn tpm_names(relative_names: &[&[(u8, &str)]]) -> Vec<u8> {
    sequence(&[explicit(4, &directory_name(relative_names))])
}

pub(crate) fn directory_name(relative_names: &[&[(u8, &str)]]) -> Vec<u8> {
    let attribute = |(number, text): &(u8, &str)| {
        sequence(&[
            tlv(6, &[0x67, 0x81, 0x05, 0x02, *number]),
            tlv(0x0c, text.as_bytes()),
        ])
    };
    let relative_name =
        |attributes: &&[(u8, &str)]| tlv(0x31, &attributes.iter().flat_map(attribute).collect::<Vec<u8>>());
    tlv(
        0x30,
        &relative_names.iter().flat_map(relative_name).collect::<Vec<u8>>(),
    )
}

// android-key

#[derive(Clone)]
pub(crate) struct AndroidKey {
    pub(crate) registration: Registration,
    pub(crate) alg: i64,
    pub(crate) key: SigningKey,
    pub(crate) certificate: CertificateDraft,
    /// In place of the hash.
    pub(crate) challenge: Option<Vec<u8>>,
    pub(crate) levels: [u8; 2],
    pub(crate) software: Vec<(u32, Vec<u8>)>,
    pub(crate) tee: Vec<(u32, Vec<u8>)>,
    /// In place of everything above in the extension.
    pub(crate) description: Option<Vec<u8>>,
    pub(crate) described: bool,
    /// Above the leaf.
    pub(crate) issuers: Vec<Vec<u8>>,
}

/// `SET { INTEGER … }`.
pub(crate) fn purposes(values: &[u8]) -> Vec<u8> {
    tlv(
        0x31,
        &values
            .iter()
            .flat_map(|value| [2, 1, *value])
            .collect::<Vec<u8>>(),
    )
}

pub(crate) fn integer(value: u8) -> Vec<u8> {
    vec![2, 1, value]
}

impl AndroidKey {
    pub(crate) fn new() -> Self {
        let registration = Registration::none();
        let key = registration.draft.key.clone();
        Self {
            certificate: certificate(&key),
            registration,
            alg: key.algorithm(),
            key,
            challenge: None,
            levels: [1, 1],
            // creationDateTime and attestationApplicationId.
            software: vec![(701, integer(5)), (709, vec![4, 1, 7])],
            // purpose, algorithm, keySize, digest, ecCurve, noAuthRequired, origin, rootOfTrust, osVersion.
            tee: vec![
                (1, purposes(&[2])),
                (2, integer(3)),
                (3, vec![2, 2, 1, 0]),
                (5, purposes(&[4])),
                (10, integer(1)),
                (503, vec![5, 0]),
                (702, integer(0)),
                (
                    704,
                    sequence(&[vec![4, 1, 1], vec![1, 1, 0xff], vec![10, 1, 0], vec![4, 1, 2]]),
                ),
                (705, integer(7)),
            ],
            description: None,
            described: true,
            issuers: Vec::new(),
        }
    }

    /// Judged by the trusted environment's list alone.
    pub(crate) fn tee() -> Self {
        let mut statement = Self::new();
        statement.registration.policy.attestation.android_key = AndroidKeyPolicy::Tee;
        statement
    }

    /// The elements of the key description.
    pub(crate) fn fields(&self, hash: &[u8]) -> Vec<Vec<u8>> {
        let list = |elements: &[(u32, Vec<u8>)]| {
            tlv(
                0x30,
                &elements
                    .iter()
                    .flat_map(|(tag, element)| explicit(*tag, element))
                    .collect::<Vec<u8>>(),
            )
        };
        vec![
            vec![2, 2, 1, 0x90],
            vec![10, 1, self.levels[0]],
            vec![2, 2, 1, 0x90],
            vec![10, 1, self.levels[1]],
            tlv(4, self.challenge.as_deref().unwrap_or(hash)),
            vec![4, 0],
            list(&self.software),
            list(&self.tee),
        ]
    }
}

impl Statement for AndroidKey {
    const FORMAT: &'static str = "android-key";

    fn registration(&mut self) -> &mut Registration {
        &mut self.registration
    }

    fn statement(&self, ceremony: &Ceremony) -> Cbor {
        let mut certificate = self.certificate.clone();
        let description = self
            .description
            .clone()
            .unwrap_or_else(|| sequence(&self.fields(&ceremony.hash)));
        if self.described {
            certificate
                .extensions
                .push(extension(KEY_DESCRIPTION, false, description));
        }
        Cbor::Map(vec![
            ("alg".into(), self.alg.into()),
            ("sig".into(), Cbor::Bytes(self.key.sign(&ceremony.signed))),
            (
                "x5c".into(),
                x5c(&[vec![certificate.sign(&issuer())], self.issuers.clone()].concat()),
            ),
        ])
    }
}

// apple

/// Makes an extension's value out of a nonce.
pub(crate) type NonceValue = fn(&[u8]) -> Vec<u8>;

#[derive(Clone)]
pub(crate) struct Apple {
    pub(crate) registration: Registration,
    pub(crate) alg: Option<Cbor>,
    pub(crate) certificate: CertificateDraft,
    /// `None` leaves the extension out.
    pub(crate) nonce: Option<NonceValue>,
}

impl Apple {
    pub(crate) fn new(algorithm: i64) -> Self {
        let registration = Registration::new(algorithm, AttestationKind::None);
        Self {
            certificate: certificate(&registration.draft.key),
            registration,
            alg: None,
            nonce: Some(|nonce| sequence(&[explicit(1, &tlv(4, nonce))])),
        }
    }
}

impl Statement for Apple {
    const FORMAT: &'static str = "apple";

    fn registration(&mut self) -> &mut Registration {
        &mut self.registration
    }

    fn statement(&self, ceremony: &Ceremony) -> Cbor {
        let mut certificate = self.certificate.clone();
        if let Some(nonce) = self.nonce {
            let value = nonce(digest(&SHA256, &ceremony.signed).as_ref());
            certificate.extensions.push(extension(APPLE_NONCE, false, value));
        }
        let alg = self.alg.clone().map(|alg| ("alg".into(), alg));
        let x5c = ("x5c".into(), x5c(&[certificate.sign(&issuer())]));
        Cbor::Map(alg.into_iter().chain([x5c]).collect())
    }
}

// fido-u2f

#[derive(Clone)]
pub(crate) struct FidoU2f {
    pub(crate) registration: Registration,
    pub(crate) key: SigningKey,
    pub(crate) certificate: CertificateDraft,
    /// What is signed for 00, rpIdHash, hash, credentialId, public key.
    pub(crate) message: Vec<Option<Vec<u8>>>,
}

impl FidoU2f {
    pub(crate) fn new() -> Self {
        let key = SigningKey::new(-7, b"u2f").unwrap();
        Self {
            registration: Registration::none(),
            certificate: certificate(&key),
            key,
            message: vec![None; 5],
        }
    }
}

impl Statement for FidoU2f {
    const FORMAT: &'static str = "fido-u2f";

    fn registration(&mut self) -> &mut Registration {
        &mut self.registration
    }

    fn statement(&self, ceremony: &Ceremony) -> Cbor {
        let draft = &self.registration.draft;
        let parts = [
            vec![0],
            draft.rp_id_hash.clone(),
            ceremony.hash.clone(),
            draft.credential_id.clone(),
            draft.key.public_bytes(),
        ];
        let message: Vec<u8> = parts
            .iter()
            .zip(&self.message)
            .flat_map(|(right, wrong)| wrong.as_ref().unwrap_or(right).clone())
            .collect();
        Cbor::Map(vec![
            ("sig".into(), Cbor::Bytes(self.key.sign(&message))),
            ("x5c".into(), x5c(&[self.certificate.sign(&issuer())])),
        ])
    }
}

// android-safetynet

#[derive(Clone)]
pub(crate) struct SafetyNet {
    pub(crate) registration: Registration,
    pub(crate) ver: String,
    pub(crate) host: String,
    pub(crate) header: Vec<(String, serde_json::Value)>,
    pub(crate) payload: Vec<(String, serde_json::Value)>,
    pub(crate) key: SigningKey,
}

impl SafetyNet {
    pub(crate) fn new() -> Self {
        let mut registration = Registration::none();
        registration.policy.attestation.safetynet = SafetyNetPolicy::Allow;
        Self {
            registration,
            ver: "200313035".into(),
            host: "attest.android.com".into(),
            header: vec![("alg".into(), "RS256".into())],
            payload: vec![
                ("timestampMs".into(), 1_584_000_000_000_u64.into()),
                ("apkPackageName".into(), "com.google.android.gms".into()),
                ("ctsProfileMatch".into(), true.into()),
                ("basicIntegrity".into(), true.into()),
            ],
            key: SigningKey::new(-257, b"").unwrap(),
        }
    }
}

/// Replaces a member, or adds it.
pub(crate) fn set(
    members: &mut Vec<(String, serde_json::Value)>,
    name: &str,
    value: impl Into<serde_json::Value>,
) {
    members.retain(|(member, _)| member != name);
    members.push((name.into(), value.into()));
}

impl Statement for SafetyNet {
    const FORMAT: &'static str = "android-safetynet";

    fn registration(&mut self) -> &mut Registration {
        &mut self.registration
    }

    fn statement(&self, ceremony: &Ceremony) -> Cbor {
        use base64::Engine as _;
        let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let mut certificate = certificate(&self.key);
        certificate.extensions.push(extension(
            SUBJECT_ALTERNATIVE_NAME,
            false,
            sequence(&[tlv(0x82, self.host.as_bytes())]),
        ));
        let (mut header, mut payload) = (self.header.clone(), self.payload.clone());
        let missing = |members: &[(String, serde_json::Value)], name: &str| {
            members.iter().all(|(member, _)| member != name)
        };
        if missing(&header, "x5c") {
            set(&mut header, "x5c", vec![base64(&certificate.sign(&issuer()))]);
        }
        if missing(&payload, "nonce") {
            set(
                &mut payload,
                "nonce",
                base64(digest(&SHA256, &ceremony.signed).as_ref()),
            );
        }
        let part = |members: Vec<(String, serde_json::Value)>| {
            let object: serde_json::Map<_, _> = members.into_iter().collect();
            base64url::encode(serde_json::Value::Object(object).to_string().as_bytes())
        };
        let signed = format!("{}.{}", part(header), part(payload));
        let response = format!(
            "{signed}.{}",
            base64url::encode(&self.key.sign(signed.as_bytes()))
        );
        Cbor::Map(vec![
            ("ver".into(), Cbor::text(&self.ver)),
            ("response".into(), Cbor::Bytes(response.into_bytes())),
        ])
    }
}

// compound

#[derive(Clone)]
pub(crate) struct Compound {
    pub(crate) registration: Registration,
    /// Made over the same credential.
    pub(crate) members: Vec<&'static str>,
    /// The statement of members that are packed.
    pub(crate) packed: Packed,
    /// The members whose signature is spoiled.
    pub(crate) broken: Vec<usize>,
}

impl Compound {
    pub(crate) fn new() -> Self {
        Self {
            registration: Registration::none(),
            members: vec!["packed", "tpm"],
            packed: Packed::new(),
            broken: Vec::new(),
        }
    }

    fn member(&self, format: &str, ceremony: &Ceremony) -> Cbor {
        match format {
            "none" => Cbor::Map(Vec::new()),
            "apple" => Apple::new(-7).statement(ceremony),
            "android-key" => AndroidKey::new().statement(ceremony),
            "android-safetynet" => SafetyNet::new().statement(ceremony),
            "fido-u2f" => FidoU2f::new().statement(ceremony),
            "packed" => self.packed.statement(ceremony),
            "self" => {
                let key = &self.registration.draft.key;
                Cbor::Map(vec![
                    ("alg".into(), key.algorithm().into()),
                    ("sig".into(), Cbor::Bytes(key.sign(&ceremony.signed))),
                ])
            }
            "tpm" => Tpm::new(-7, -7).statement(ceremony),
            _ => Cbor::Map(Vec::new()),
        }
    }
}

impl Statement for Compound {
    const FORMAT: &'static str = "compound";

    fn registration(&mut self) -> &mut Registration {
        &mut self.registration
    }

    fn statement(&self, ceremony: &Ceremony) -> Cbor {
        let member = |(index, format): (usize, &&str)| {
            let mut statement = self.member(format, ceremony);
            if self.broken.contains(&index) {
                statement.set("sig", Cbor::Bytes(vec![0x30, 6, 2, 1, 1, 2, 1, 1]));
            }
            let format = if *format == "self" { "packed" } else { format };
            Cbor::Map(vec![("fmt".into(), format.into()), ("attStmt".into(), statement)])
        };
        Cbor::Array(self.members.iter().enumerate().map(member).collect())
    }
}

/// Basic constraints that say CA.
pub(crate) fn make_ca(certificate: &mut CertificateDraft) {
    certificate.extension(BASIC_CONSTRAINTS).value = tlv(0x30, &[1, 1, 0xff]);
}
