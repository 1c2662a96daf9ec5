//! Statements of every format of WebAuthn L3 §8. Each field is written, and signed, as it stands, right or wrong.

use super::{Cbor, CertificateDraft, Extension, SigningKey, base64url, object_identifier, sha256, tlv};

/// What a statement is made over.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// `authData`.
    pub authenticator_data: &'a [u8],
    /// SHA-256 of clientDataJSON.
    pub client_data_hash: [u8; 32],
    /// `rpIdHash`.
    pub rp_id_hash: &'a [u8],
    /// The attested credential id.
    pub credential_id: &'a [u8],
    /// The credential key.
    pub credential: &'a SigningKey,
}

impl Evidence<'_> {
    fn signed(&self) -> Vec<u8> {
        [self.authenticator_data, &self.client_data_hash].concat()
    }
}

/// A statement to be made, with its format.
#[derive(Clone, Debug)]
pub enum Statement {
    /// `android-key`.
    AndroidKey(AndroidKey),
    /// `apple`.
    Apple(Apple),
    /// `compound`, of these.
    Compound(Vec<Self>),
    /// `fido-u2f`.
    FidoU2f(FidoU2f),
    /// `none`.
    None,
    /// `packed`.
    Packed(Packed),
    /// `android-safetynet`.
    SafetyNet(SafetyNet),
    /// `tpm`.
    Tpm(Box<Tpm>),
}

impl Statement {
    /// `fmt` and `attStmt`.
    #[must_use]
    pub fn encode(&self, evidence: &Evidence<'_>) -> (String, Cbor) {
        let (format, statement) = match self {
            Self::AndroidKey(statement) => ("android-key", statement.encode(evidence)),
            Self::Apple(statement) => ("apple", statement.encode(evidence)),
            Self::Compound(statements) => ("compound", compound(statements, evidence)),
            Self::FidoU2f(statement) => ("fido-u2f", statement.encode(evidence)),
            Self::None => ("none", Cbor::Map(Vec::new())),
            Self::Packed(statement) => ("packed", statement.encode(evidence)),
            Self::SafetyNet(statement) => ("android-safetynet", statement.encode(evidence)),
            Self::Tpm(statement) => ("tpm", statement.encode(evidence)),
        };
        (format.to_owned(), statement)
    }
}

fn compound(statements: &[Statement], evidence: &Evidence<'_>) -> Cbor {
    let members = statements.iter().map(|statement| {
        let (format, statement) = statement.encode(evidence);
        Cbor::Map(vec![
            ("fmt".into(), Cbor::Text(format)),
            ("attStmt".into(), statement),
        ])
    });
    Cbor::Array(members.collect())
}

/// A leaf, the key that signs it, and the certificates after it.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The leaf.
    pub leaf: CertificateDraft,
    /// Who signs the leaf.
    pub issuer: SigningKey,
    /// The rest of `x5c`, leaf's issuer first, each in DER.
    pub rest: Vec<Vec<u8>>,
}

impl Chain {
    fn x5c(&self) -> Cbor {
        let leaf = self.leaf.sign(&self.issuer);
        let certificates = std::iter::once(leaf).chain(self.rest.iter().cloned());
        Cbor::Array(certificates.map(Cbor::Bytes).collect())
    }
}

/// A `packed` statement (§8.2).
#[derive(Clone, Debug)]
pub struct Packed {
    /// `alg`.
    pub alg: i64,
    /// Who signs.
    pub key: SigningKey,
    /// `x5c`; `None` for self attestation.
    pub chain: Option<Chain>,
}

impl Packed {
    fn encode(&self, evidence: &Evidence<'_>) -> Cbor {
        let mut members = vec![
            ("alg".into(), Cbor::Int(self.alg)),
            ("sig".into(), Cbor::Bytes(self.key.sign(&evidence.signed()))),
        ];
        if let Some(chain) = &self.chain {
            members.push(("x5c".into(), chain.x5c()));
        }
        Cbor::Map(members)
    }
}

/// A `fido-u2f` statement (§8.6).
#[derive(Clone, Debug)]
pub struct FidoU2f {
    /// Who signs.
    pub key: SigningKey,
    /// `x5c`.
    pub chain: Chain,
    /// The first byte of what is signed.
    pub reserved: u8,
}

impl FidoU2f {
    fn encode(&self, evidence: &Evidence<'_>) -> Cbor {
        let signed = [
            &[self.reserved],
            evidence.rp_id_hash,
            &evidence.client_data_hash,
            evidence.credential_id,
            &evidence.credential.public_bytes(),
        ]
        .concat();
        Cbor::Map(vec![
            ("sig".into(), Cbor::Bytes(self.key.sign(&signed))),
            ("x5c".into(), self.chain.x5c()),
        ])
    }
}

/// An `apple` statement (§8.8).
#[derive(Clone, Debug)]
pub struct Apple {
    /// `x5c`. The nonce is added to the leaf.
    pub chain: Chain,
    /// The nonce's extension instead of the right one; `Some(None)` for none at all.
    pub nonce: Option<Option<Vec<u8>>>,
    /// `alg`, which the specification does not name and devices send.
    pub alg: Option<i64>,
}

impl Apple {
    fn encode(&self, evidence: &Evidence<'_>) -> Cbor {
        let nonce = tlv(0x04, &sha256(&evidence.signed()));
        let right = Some(tlv(0x30, &tlv(0xa1, &nonce)));
        let mut chain = self.chain.clone();
        if let Some(value) = self.nonce.clone().unwrap_or(right) {
            chain
                .leaf
                .extensions
                .push(Extension::new("1.2.840.113635.100.8.2", false, value));
        }
        let mut members = vec![("x5c".into(), chain.x5c())];
        if let Some(alg) = self.alg {
            members.insert(0, ("alg".into(), Cbor::Int(alg)));
        }
        Cbor::Map(members)
    }
}

/// An `android-key` statement (§8.4).
#[derive(Clone, Debug)]
pub struct AndroidKey {
    /// `alg`.
    pub alg: i64,
    /// Who signs: the credential key, unless something is wrong.
    pub key: SigningKey,
    /// `x5c`. The key description is added to the leaf.
    pub chain: Chain,
    /// The key description; `None` leaves the extension out.
    pub description: Option<KeyDescription>,
}

/// The extension of Android's keystore, 1.3.6.1.4.1.11129.2.1.17.
#[derive(Clone, Debug)]
pub struct KeyDescription {
    /// `attestationVersion`.
    pub version: u8,
    /// `attestationSecurityLevel`: 0 software, 1 TEE, 2 StrongBox.
    pub level: u8,
    /// `attestationChallenge` instead of the hash of the client data.
    pub challenge: Option<Vec<u8>>,
    /// The list that software enforces: tags and the elements inside them.
    pub software: Vec<(u32, Vec<u8>)>,
    /// The list that the TEE enforces.
    pub tee: Vec<(u32, Vec<u8>)>,
    /// Bytes after the last element.
    pub trailing: Vec<u8>,
}

impl AndroidKey {
    fn encode(&self, evidence: &Evidence<'_>) -> Cbor {
        let mut chain = self.chain.clone();
        if let Some(description) = &self.description {
            chain.leaf.extensions.push(Extension::new(
                "1.3.6.1.4.1.11129.2.1.17",
                false,
                description.encode(&evidence.client_data_hash),
            ));
        }
        Cbor::Map(vec![
            ("alg".into(), Cbor::Int(self.alg)),
            ("sig".into(), Cbor::Bytes(self.key.sign(&evidence.signed()))),
            ("x5c".into(), chain.x5c()),
        ])
    }
}

impl KeyDescription {
    fn encode(&self, client_data_hash: &[u8]) -> Vec<u8> {
        let challenge = self.challenge.as_deref().unwrap_or(client_data_hash);
        let list = |entries: &[(u32, Vec<u8>)]| {
            let elements = entries.iter().flat_map(|(tag, value)| explicit(*tag, value));
            tlv(0x30, &elements.collect::<Vec<u8>>())
        };
        let fields = [
            tlv(0x02, &[self.version]),
            tlv(0x0a, &[self.level]),
            tlv(0x02, &[self.version]),
            tlv(0x0a, &[self.level]),
            tlv(0x04, challenge),
            tlv(0x04, &[]),
            list(&self.software),
            list(&self.tee),
            self.trailing.clone(),
        ];
        tlv(0x30, &fields.concat())
    }
}

/// `value` in an explicit context-specific tag, in the long form from 31 on.
fn explicit(tag: u32, value: &[u8]) -> Vec<u8> {
    if tag < 31 {
        return tlv(0xa0 | u8::try_from(tag).unwrap(), value);
    }
    let (high, low) = (u8::try_from(tag >> 7).unwrap(), u8::try_from(tag & 0x7f).unwrap());
    let rest = tlv(0, value).split_off(1);
    [vec![0xbf, 0x80 | high, low], rest].concat()
}

/// An `android-safetynet` statement (§8.5).
#[derive(Clone, Debug)]
pub struct SafetyNet {
    /// Who signs, by RS256.
    pub key: SigningKey,
    /// The chain in the JWS header.
    pub chain: Chain,
    /// What becomes of the texts of header and payload before they are signed.
    pub edit: fn(&mut String, &mut String),
}

impl SafetyNet {
    /// Signed by `key`, with the certificates of `chain`.
    #[must_use]
    pub fn new(key: SigningKey, chain: Chain) -> Self {
        Self {
            key,
            chain,
            edit: |_, _| {},
        }
    }

    fn encode(&self, evidence: &Evidence<'_>) -> Cbor {
        use base64::Engine as _;
        let standard = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let Cbor::Array(x5c) = self.chain.x5c() else {
            unreachable!()
        };
        let x5c: Vec<String> = x5c
            .iter()
            .map(|der| match der {
                Cbor::Bytes(der) => standard(der),
                _ => unreachable!(),
            })
            .collect();
        let mut header = format!(r#"{{"alg":"RS256","x5c":["{}"]}}"#, x5c.join("\",\""));
        let mut payload = format!(
            r#"{{"nonce":"{}","timestampMs":1767225600000,"apkPackageName":"com.google.android.gms","ctsProfileMatch":true,"basicIntegrity":true}}"#,
            standard(&sha256(&evidence.signed()))
        );
        (self.edit)(&mut header, &mut payload);
        let signed = format!(
            "{}.{}",
            base64url(header.as_bytes()),
            base64url(payload.as_bytes())
        );
        let signature = base64url(&self.key.sign(signed.as_bytes()));
        Cbor::Map(vec![
            ("ver".into(), "17122037".into()),
            (
                "response".into(),
                Cbor::Bytes(format!("{signed}.{signature}").into_bytes()),
            ),
        ])
    }
}

/// A `tpm` statement (§8.3).
#[derive(Clone, Debug)]
pub struct Tpm {
    /// `ver`.
    pub ver: String,
    /// `alg`.
    pub alg: i64,
    /// The attestation identity key.
    pub key: SigningKey,
    /// `x5c`.
    pub chain: Chain,
    /// `pubArea`.
    pub pub_area: PubArea,
    /// `certInfo`.
    pub cert_info: CertInfo,
}

/// `TPMT_PUBLIC`.
#[derive(Clone, Debug)]
pub struct PubArea {
    /// `type`: `TPM_ALG_RSA` 0x0001, `TPM_ALG_ECC` 0x0023.
    pub kind: u16,
    /// `nameAlg`: SHA-1 0x0004, SHA-256 0x000b, SHA-384 0x000c, SHA-512 0x000d.
    pub name_alg: u16,
    /// `objectAttributes`.
    pub attributes: u32,
    /// `authPolicy`.
    pub policy: Vec<u8>,
    /// `parameters`, encoded.
    pub parameters: Vec<u8>,
    /// `unique`, encoded.
    pub unique: Vec<u8>,
    /// Bytes after the last field.
    pub trailing: Vec<u8>,
}

/// `TPMS_ATTEST`.
#[derive(Clone, Debug)]
pub struct CertInfo {
    /// `magic`.
    pub magic: u32,
    /// `type`.
    pub kind: u16,
    /// `qualifiedSigner`.
    pub qualified_signer: Vec<u8>,
    /// `extraData` instead of the right hash.
    pub extra_data: Option<Vec<u8>>,
    /// `clockInfo`: clock, reset and restart counts, and whether they are safe.
    pub clock_info: [u8; 17],
    /// `attested.name` instead of the right one.
    pub name: Option<Vec<u8>>,
    /// `attested.qualifiedName`.
    pub qualified_name: Vec<u8>,
    /// Bytes after the last field.
    pub trailing: Vec<u8>,
}

impl Tpm {
    /// A right statement about `credential`, signed by `key`, whose certificate leads `chain`.
    #[must_use]
    pub fn new(credential: &SigningKey, key: SigningKey, chain: Chain) -> Self {
        Self {
            ver: "2.0".into(),
            alg: key.algorithm(),
            key,
            chain,
            pub_area: PubArea::new(credential),
            cert_info: CertInfo {
                magic: 0xff54_4347,
                kind: 0x8017,
                qualified_signer: vec![0, 0x0b, 1, 2, 3],
                extra_data: None,
                clock_info: [0, 0, 0, 0, 9, 0, 0, 0, 7, 0, 0, 0, 5, 0, 0, 0, 1],
                name: None,
                qualified_name: vec![0, 0x0b, 4, 5, 6],
                trailing: Vec::new(),
            },
        }
    }

    fn encode(&self, evidence: &Evidence<'_>) -> Cbor {
        let pub_area = self.pub_area.encode();
        let cert_info = self
            .cert_info
            .encode(&self.key, evidence, &self.pub_area.name(&pub_area));
        Cbor::Map(vec![
            ("alg".into(), Cbor::Int(self.alg)),
            ("sig".into(), Cbor::Bytes(self.key.sign(&cert_info))),
            ("ver".into(), Cbor::text(&self.ver)),
            ("x5c".into(), self.chain.x5c()),
            ("pubArea".into(), Cbor::Bytes(pub_area)),
            ("certInfo".into(), Cbor::Bytes(cert_info)),
        ])
    }
}

impl PubArea {
    /// The public area of a key: fixed to its TPM and parent, made there, signing only.
    ///
    /// # Panics
    /// For a key that a TPM has no type for.
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        const NULL: [u8; 2] = [0, 0x10];
        let mut cose = key.cose();
        let mut bytes = |label: i64| match cose.at(label).clone() {
            Cbor::Bytes(bytes) => bytes,
            other => panic!("{other:?} is no byte string"),
        };
        let (kind, parameters, unique) = match key.algorithm() {
            -7 | -9 | -35 | -51 | -36 | -52 => {
                let curve = match key.algorithm() {
                    -7 | -9 => 3,
                    -35 | -51 => 4,
                    _ => 5,
                };
                // symmetric, scheme, curveID, kdf.
                let parameters = [NULL, NULL, [0, curve], NULL].concat();
                (
                    0x0023,
                    parameters,
                    [sized(&bytes(-2)), sized(&bytes(-3))].concat(),
                )
            }
            _ => {
                let n = bytes(-1);
                let bits = u16::try_from(n.len() * 8).unwrap().to_be_bytes();
                // symmetric, scheme, keyBits, exponent.
                let parameters = [&NULL[..], &NULL, &bits, &[0; 4]].concat();
                (0x0001, parameters, sized(&n))
            }
        };
        Self {
            kind,
            name_alg: 0x000b,
            // fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, sign.
            attributes: 0x0004_0472,
            policy: Vec::new(),
            parameters,
            unique,
            trailing: Vec::new(),
        }
    }

    /// The structure.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [
            &self.kind.to_be_bytes()[..],
            &self.name_alg.to_be_bytes(),
            &self.attributes.to_be_bytes(),
            &sized(&self.policy),
            &self.parameters,
            &self.unique,
            &self.trailing,
        ]
        .concat()
    }

    /// The Name of an encoded public area: `nameAlg` and the hash by it.
    fn name(&self, encoded: &[u8]) -> Vec<u8> {
        let hash = tpm_algorithm(self.name_alg).unwrap_or(&ring::digest::SHA256);
        [
            &self.name_alg.to_be_bytes()[..],
            ring::digest::digest(hash, encoded).as_ref(),
        ]
        .concat()
    }
}

impl CertInfo {
    fn encode(&self, key: &SigningKey, evidence: &Evidence<'_>, name: &[u8]) -> Vec<u8> {
        let extra_data = key.digest(&evidence.signed());
        [
            &self.magic.to_be_bytes()[..],
            &self.kind.to_be_bytes(),
            &sized(&self.qualified_signer),
            &sized(self.extra_data.as_deref().unwrap_or(&extra_data)),
            &self.clock_info,
            &[0; 8],
            &sized(self.name.as_deref().unwrap_or(name)),
            &sized(&self.qualified_name),
            &self.trailing,
        ]
        .concat()
    }
}

/// The hash function of a `TPM_ALG_ID`.
#[must_use]
pub fn tpm_algorithm(identifier: u16) -> Option<&'static ring::digest::Algorithm> {
    match identifier {
        0x0004 => Some(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY),
        0x000b => Some(&ring::digest::SHA256),
        0x000c => Some(&ring::digest::SHA384),
        0x000d => Some(&ring::digest::SHA512),
        _ => None,
    }
}

/// A `TPM2B`: the length in two bytes, then the bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// The subject alternative name of an attestation identity key (TCG EK profile §3.2.9): manufacturer, model, version.
#[must_use]
pub fn tpm_subject_alternative_name(manufacturer: &str, model: &str, version: &str) -> Vec<u8> {
    let attributes = [
        ("2.23.133.2.1", manufacturer),
        ("2.23.133.2.2", model),
        ("2.23.133.2.3", version),
    ];
    let names = attributes.iter().flat_map(|(oid, text)| {
        let attribute = [object_identifier(oid), tlv(0x0c, text.as_bytes())].concat();
        tlv(0x31, &tlv(0x30, &attribute))
    });
    // GeneralNames { directoryName [4] Name }
    tlv(0x30, &tlv(0xa4, &tlv(0x30, &names.collect::<Vec<u8>>())))
}
