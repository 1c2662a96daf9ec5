use super::key::SigningKey;

/// An X.509 certificate to be signed. Every field is written as it stands, right or wrong.
#[derive(Clone, Debug)]
pub struct CertificateDraft {
    /// 2 for version 3; `None` leaves the field out, which means version 1.
    pub version: Option<u8>,
    /// The serial number, a positive integer's bytes.
    pub serial_number: Vec<u8>,
    /// The issuer's name.
    pub issuer: Vec<Attribute>,
    /// The subject's name.
    pub subject: Vec<Attribute>,
    /// First and last second of validity, `YYYYMMDDHHMMSSZ`.
    pub validity: (String, String),
    /// SubjectPublicKeyInfo in DER.
    pub subject_public_key_info: Vec<u8>,
    /// Extensions in order.
    pub extensions: Vec<Extension>,
}

/// A certificate revocation list to be signed.
#[derive(Clone, Debug)]
pub struct RevocationListDraft {
    /// The issuer's name.
    pub issuer: Vec<Attribute>,
    /// When it was made and when the next one comes, `YYYYMMDDHHMMSSZ`.
    pub updates: (String, String),
    /// The serial numbers of what is revoked.
    pub revoked: Vec<Vec<u8>>,
}

/// One attribute of a name.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// The last arc of `2.5.4`: 3 CN, 6 C, 10 O, 11 OU.
    pub kind: u8,
    /// The string type's tag: 0x0c UTF8String, 0x13 PrintableString.
    pub tag: u8,
    /// The text.
    pub text: String,
}

/// One extension.
#[derive(Clone, Debug)]
pub struct Extension {
    /// The object identifier's encoded content.
    pub oid: Vec<u8>,
    /// Whether it is critical.
    pub critical: bool,
    /// What its octet string wraps.
    pub value: Vec<u8>,
}

/// `basicConstraints`.
pub const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// `id-fido-gen-ce-aaguid`, 1.3.6.1.4.1.45724.1.1.4.
pub const FIDO_AAGUID: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xe5, 0x1c, 0x01, 0x01, 0x04];
/// `id-fido-gen-ce-fw-version`, 1.3.6.1.4.1.45724.1.1.5.
pub const FIDO_FIRMWARE_VERSION: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xe5, 0x1c, 0x01, 0x01, 0x05];

impl CertificateDraft {
    /// An attestation certificate that meets the profile of packed attestation, for `key`, naming `aaguid`.
    #[must_use]
    pub fn attestation(key: &SigningKey, aaguid: [u8; 16]) -> Self {
        let name = |unit: &str, common: &str| {
            vec![
                Attribute {
                    kind: 6,
                    tag: 0x13,
                    text: "AA".into(),
                },
                Attribute {
                    kind: 10,
                    tag: 0x0c,
                    text: "Keyhaven test".into(),
                },
                Attribute {
                    kind: 11,
                    tag: 0x0c,
                    text: unit.into(),
                },
                Attribute {
                    kind: 3,
                    tag: 0x0c,
                    text: common.into(),
                },
            ]
        };
        Self {
            version: Some(2),
            serial_number: vec![1],
            issuer: name("Authenticator Attestation CA", "Keyhaven test root"),
            subject: name("Authenticator Attestation", "Keyhaven software authenticator"),
            validity: ("20240101000000Z".into(), "20990101000000Z".into()),
            subject_public_key_info: key.subject_public_key_info(),
            extensions: vec![
                Extension {
                    oid: BASIC_CONSTRAINTS.to_vec(),
                    critical: true,
                    value: tlv(0x30, &[]),
                },
                Extension {
                    oid: FIDO_AAGUID.to_vec(),
                    critical: false,
                    value: tlv(0x04, &aaguid),
                },
            ],
        }
    }

    /// The extension with this identifier.
    ///
    /// # Panics
    /// When there is none.
    pub fn extension(&mut self, oid: &[u8]) -> &mut Extension {
        self.extensions
            .iter_mut()
            .find(|extension| extension.oid == oid)
            .unwrap()
    }

    /// The subject's attribute of this kind.
    ///
    /// # Panics
    /// When there is none.
    pub fn subject(&mut self, kind: u8) -> &mut Attribute {
        self.subject
            .iter_mut()
            .find(|attribute| attribute.kind == kind)
            .unwrap()
    }

    /// The certificate in DER, signed by the issuer's key with the algorithm of that key.
    #[must_use]
    pub fn sign(&self, issuer: &SigningKey) -> Vec<u8> {
        let algorithm = issuer.signature_algorithm_identifier();
        let mut tbs = Vec::new();
        if let Some(version) = self.version {
            tbs.extend(tlv(0xa0, &tlv(0x02, &[version])));
        }
        tbs.extend(tlv(0x02, &self.serial_number));
        tbs.extend(&algorithm);
        tbs.extend(name(&self.issuer));
        tbs.extend(tlv(
            0x30,
            &[time(&self.validity.0), time(&self.validity.1)].concat(),
        ));
        tbs.extend(name(&self.subject));
        tbs.extend(&self.subject_public_key_info);
        if !self.extensions.is_empty() {
            let extensions: Vec<u8> = self.extensions.iter().flat_map(Extension::encode).collect();
            tbs.extend(tlv(0xa3, &tlv(0x30, &extensions)));
        }
        signed(&tbs, &algorithm, issuer)
    }
}

impl RevocationListDraft {
    /// The list in DER, signed by the issuer's key with the algorithm of that key. Its number is 1.
    #[must_use]
    pub fn sign(&self, issuer: &SigningKey) -> Vec<u8> {
        self.sign_numbered(issuer, Some(&[1]))
    }

    /// The same, with another CRL number, the content of an INTEGER, or none.
    #[must_use]
    pub fn sign_numbered(&self, issuer: &SigningKey, number: Option<&[u8]>) -> Vec<u8> {
        let algorithm = issuer.signature_algorithm_identifier();
        let revoked = |serial: &Vec<u8>| tlv(0x30, &[tlv(0x02, serial), time(&self.updates.0)].concat());
        let mut tbs = [
            tlv(0x02, &[1]),
            algorithm.clone(),
            name(&self.issuer),
            time(&self.updates.0),
            time(&self.updates.1),
        ]
        .concat();
        if !self.revoked.is_empty() {
            let list: Vec<u8> = self.revoked.iter().flat_map(revoked).collect();
            tbs.extend(tlv(0x30, &list));
        }
        // Extensions there must be: of no number, an authority key identifier of nothing.
        let extension = match number {
            Some(number) => Extension::new("2.5.29.20", false, tlv(0x02, number)),
            None => Extension::new("2.5.29.35", false, tlv(0x30, &[])),
        };
        tbs.extend(tlv(0xa0, &tlv(0x30, &extension.encode())));
        signed(&tbs, &algorithm, issuer)
    }
}

/// Something to be signed, its content given, with its signature.
fn signed(content: &[u8], algorithm: &[u8], issuer: &SigningKey) -> Vec<u8> {
    let content = tlv(0x30, content);
    let signature = tlv(0x03, &[&[0][..], &issuer.sign(&content)].concat());
    tlv(0x30, &[&content[..], algorithm, &signature].concat())
}

/// A moment: UTCTime before 2050, as RFC 5280 wants it.
fn time(text: &str) -> Vec<u8> {
    if text < "2050" {
        tlv(0x17, &text.as_bytes()[2..])
    } else {
        tlv(0x18, text.as_bytes())
    }
}

impl Extension {
    /// An extension by its identifier in dotted form.
    #[must_use]
    pub fn new(oid: &str, critical: bool, value: Vec<u8>) -> Self {
        // Without the tag and the length.
        let oid = object_identifier(oid).split_off(2);
        Self { oid, critical, value }
    }

    fn encode(&self) -> Vec<u8> {
        let critical = if self.critical {
            tlv(0x01, &[0xff])
        } else {
            Vec::new()
        };
        tlv(
            0x30,
            &[tlv(0x06, &self.oid), critical, tlv(0x04, &self.value)].concat(),
        )
    }
}

fn name(attributes: &[Attribute]) -> Vec<u8> {
    let one = |attribute: &Attribute| {
        let oid = tlv(0x06, &[0x55, 0x04, attribute.kind]);
        tlv(
            0x31,
            &tlv(
                0x30,
                &[oid, tlv(attribute.tag, attribute.text.as_bytes())].concat(),
            ),
        )
    };
    tlv(0x30, &attributes.iter().flat_map(one).collect::<Vec<u8>>())
}

/// A DER element: tag, length, value.
#[must_use]
pub fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let len = value.len().to_be_bytes();
    let mut out = vec![tag];
    match value.len() {
        0..=0x7f => out.push(len[7]),
        0x80..=0xff => out.extend([0x81, len[7]]),
        _ => out.extend([0x82, len[6], len[7]]),
    }
    out.extend(value);
    out
}

/// A DER object identifier from its dotted form.
///
/// # Panics
/// When the text is no such form.
#[must_use]
pub fn object_identifier(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u32> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut value = Vec::new();
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        let groups = (0..5).rev().map(|group| (arc >> (7 * group)) & 0x7f);
        let mut bytes: Vec<u8> = groups
            .skip_while(|group| *group == 0)
            .map(|group| u8::try_from(group).unwrap() | 0x80)
            .collect();
        if bytes.is_empty() {
            bytes.push(0);
        }
        *bytes.last_mut().unwrap() &= 0x7f;
        value.extend(bytes);
    }
    tlv(0x06, &value)
}
