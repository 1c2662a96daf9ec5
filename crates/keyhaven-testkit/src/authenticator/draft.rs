use serde_json::{Value, json};

use super::{
    AT, Cbor, CertificateDraft, ED, Evidence, SigningKey, SoftwareCredential, Statement, base64url, sha256,
};

/// `CollectedClientData`, as the browser would write it.
#[derive(Clone, Debug)]
pub struct ClientData {
    /// The members in the order they are written.
    pub members: Vec<(String, Value)>,
    /// Written instead of the members.
    pub raw: Option<Vec<u8>>,
}

impl ClientData {
    pub(super) fn new(kind: &str, challenge: &str, origin: &str) -> Self {
        let member = |name: &str, value: Value| (name.to_owned(), value);
        Self {
            members: vec![
                member("type", kind.into()),
                member("challenge", challenge.into()),
                member("origin", origin.into()),
                member("crossOrigin", false.into()),
            ],
            raw: None,
        }
    }

    /// Replaces a member, or adds it at the end.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.members.iter_mut().find(|(member, _)| member == name) {
            Some((_, old)) => *old = value,
            None => self.members.push((name.to_owned(), value)),
        }
    }

    /// Leaves a member out.
    pub fn remove(&mut self, name: &str) {
        self.members.retain(|(member, _)| member != name);
    }

    /// The bytes that are hashed and sent.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        self.raw.clone().unwrap_or_else(|| {
            let members: Vec<String> = self
                .members
                .iter()
                .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
                .collect();
            format!("{{{}}}", members.join(",")).into_bytes()
        })
    }
}

/// How a registration is attested.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a handful exist at a time; how large depends on the features"
)]
pub enum Attestation {
    /// `none`: the empty statement.
    None,
    /// `packed`, signed by the credential key.
    PackedSelf,
    /// `packed`, signed by `key`, which `certificate` names.
    PackedX5c {
        /// The attestation key.
        key: SigningKey,
        /// Its certificate.
        certificate: CertificateDraft,
    },
    /// Any other format.
    Statement(Box<Statement>),
}

/// Everything of a registration before it is signed. What is changed here is signed as it stands.
#[derive(Clone, Debug)]
pub struct RegistrationDraft {
    /// The client data.
    pub client_data: ClientData,
    /// `rpIdHash`.
    pub rp_id_hash: Vec<u8>,
    /// The flags byte; AT and ED are not set by themselves.
    pub flags: u8,
    /// The sign count.
    pub sign_count: u32,
    /// The AAGUID.
    pub aaguid: [u8; 16],
    /// The attested credential id.
    pub credential_id: Vec<u8>,
    /// The credential public key.
    pub public_key: Cbor,
    /// Authenticator extension outputs, written where this is something.
    pub extensions: Option<Cbor>,
    /// Bytes after the last item of authenticator data.
    pub trailing: Vec<u8>,
    /// Written instead of all the authenticator data above.
    pub authenticator_data: Option<Vec<u8>>,
    /// How it is attested.
    pub attestation: Attestation,
    /// The key that signs for the credential.
    pub key: SigningKey,
    /// `id` and `rawId`.
    pub envelope_id: Vec<u8>,
}

impl RegistrationDraft {
    pub(super) fn new(
        client_data: ClientData,
        credential: &SoftwareCredential,
        aaguid: [u8; 16],
        presence: u8,
        attestation: Attestation,
    ) -> Self {
        Self {
            client_data,
            rp_id_hash: sha256(credential.rp_id.as_bytes()).to_vec(),
            flags: presence | credential.backup | AT,
            sign_count: credential.sign_count,
            aaguid,
            credential_id: credential.id.clone(),
            public_key: credential.key.cose(),
            extensions: None,
            trailing: Vec::new(),
            authenticator_data: None,
            attestation,
            key: credential.key.clone(),
            envelope_id: credential.id.clone(),
        }
    }

    /// Adds authenticator extension outputs, flag and all.
    pub fn set_extensions(&mut self, extensions: Cbor) {
        self.extensions = Some(extensions);
        self.flags |= ED;
    }

    /// The authenticator data as they are signed.
    #[must_use]
    pub fn authenticator_data(&self) -> Vec<u8> {
        if let Some(bytes) = &self.authenticator_data {
            return bytes.clone();
        }
        let mut out = head(&self.rp_id_hash, self.flags, self.sign_count);
        if self.flags & AT != 0 {
            out.extend(self.aaguid);
            out.extend(u16::try_from(self.credential_id.len()).unwrap().to_be_bytes());
            out.extend(&self.credential_id);
            out.extend(self.public_key.encode());
        }
        out.extend(self.extensions.iter().flat_map(Cbor::encode));
        out.extend(&self.trailing);
        out
    }

    /// The attestation object, its statement signed. Members in canonical order: `fmt`, `attStmt`, `authData`.
    #[must_use]
    pub fn attestation_object(&self) -> Cbor {
        let authenticator_data = self.authenticator_data();
        let signed = [&authenticator_data[..], &sha256(&self.client_data.to_json())].concat();
        let (format, statement) = match &self.attestation {
            Attestation::Statement(statement) => {
                let evidence = Evidence {
                    authenticator_data: &authenticator_data,
                    client_data_hash: sha256(&self.client_data.to_json()),
                    rp_id_hash: &self.rp_id_hash,
                    credential_id: &self.credential_id,
                    credential: &self.key,
                };
                let (format, statement) = statement.encode(&evidence);
                return Cbor::Map(vec![
                    ("fmt".into(), Cbor::Text(format)),
                    ("attStmt".into(), statement),
                    ("authData".into(), Cbor::Bytes(authenticator_data)),
                ]);
            }
            Attestation::None => ("none", Vec::new()),
            Attestation::PackedSelf => (
                "packed",
                vec![
                    ("alg".into(), Cbor::Int(self.key.algorithm())),
                    ("sig".into(), Cbor::Bytes(self.key.sign(&signed))),
                ],
            ),
            Attestation::PackedX5c { key, certificate } => {
                let issuer = SigningKey::new(-7, b"attestation root").unwrap();
                (
                    "packed",
                    vec![
                        ("alg".into(), Cbor::Int(key.algorithm())),
                        ("sig".into(), Cbor::Bytes(key.sign(&signed))),
                        (
                            "x5c".into(),
                            Cbor::Array(vec![Cbor::Bytes(certificate.sign(&issuer))]),
                        ),
                    ],
                )
            }
        };
        Cbor::Map(vec![
            ("fmt".into(), Cbor::text(format)),
            ("attStmt".into(), Cbor::Map(statement)),
            ("authData".into(), Cbor::Bytes(authenticator_data)),
        ])
    }

    /// A RegistrationResponseJSON around an attestation object.
    #[must_use]
    pub fn envelope(&self, attestation_object: &[u8]) -> Value {
        let response = json!({
            "clientDataJSON": base64url(&self.client_data.to_json()),
            "attestationObject": base64url(attestation_object),
            "transports": ["internal", "hybrid"],
        });
        envelope(&self.envelope_id, &response, &json!({"credProps": {"rk": true}}))
    }

    /// Signs, and gives the RegistrationResponseJSON.
    #[must_use]
    pub fn finish(&self) -> Value {
        self.envelope(&self.attestation_object().encode())
    }
}

/// Everything of an assertion before it is signed. What is changed here is signed as it stands.
#[derive(Clone, Debug)]
pub struct AssertionDraft {
    /// The client data.
    pub client_data: ClientData,
    /// `rpIdHash`.
    pub rp_id_hash: Vec<u8>,
    /// The flags byte; ED is not set by itself.
    pub flags: u8,
    /// The sign count.
    pub sign_count: u32,
    /// Authenticator extension outputs, written where this is something.
    pub extensions: Option<Cbor>,
    /// Bytes after the last item of authenticator data.
    pub trailing: Vec<u8>,
    /// Written instead of all the authenticator data above.
    pub authenticator_data: Option<Vec<u8>>,
    /// The key that signs.
    pub key: SigningKey,
    /// `id` and `rawId`.
    pub envelope_id: Vec<u8>,
    /// `userHandle`; `None` leaves it out.
    pub user_handle: Option<Vec<u8>>,
}

impl AssertionDraft {
    pub(super) fn new(client_data: ClientData, credential: &SoftwareCredential, presence: u8) -> Self {
        Self {
            client_data,
            rp_id_hash: sha256(credential.rp_id.as_bytes()).to_vec(),
            flags: presence | credential.backup,
            sign_count: credential.sign_count,
            extensions: None,
            trailing: Vec::new(),
            authenticator_data: None,
            key: credential.key.clone(),
            envelope_id: credential.id.clone(),
            user_handle: Some(credential.user_handle.clone()),
        }
    }

    /// Adds authenticator extension outputs, flag and all.
    pub fn set_extensions(&mut self, extensions: Cbor) {
        self.extensions = Some(extensions);
        self.flags |= ED;
    }

    /// The authenticator data as they are signed.
    #[must_use]
    pub fn authenticator_data(&self) -> Vec<u8> {
        if let Some(bytes) = &self.authenticator_data {
            return bytes.clone();
        }
        let mut out = head(&self.rp_id_hash, self.flags, self.sign_count);
        out.extend(self.extensions.iter().flat_map(Cbor::encode));
        out.extend(&self.trailing);
        out
    }

    /// The signature over authenticator data and the hash of the client data.
    #[must_use]
    pub fn signature(&self) -> Vec<u8> {
        self.key.sign(
            &[
                &self.authenticator_data()[..],
                &sha256(&self.client_data.to_json()),
            ]
            .concat(),
        )
    }

    /// An AuthenticationResponseJSON around a signature.
    #[must_use]
    pub fn envelope(&self, signature: &[u8]) -> Value {
        let mut response = json!({
            "clientDataJSON": base64url(&self.client_data.to_json()),
            "authenticatorData": base64url(&self.authenticator_data()),
            "signature": base64url(signature),
        });
        if let Some(user_handle) = &self.user_handle {
            response["userHandle"] = base64url(user_handle).into();
        }
        envelope(&self.envelope_id, &response, &json!({}))
    }

    /// Signs, and gives the AuthenticationResponseJSON.
    #[must_use]
    pub fn finish(&self) -> Value {
        self.envelope(&self.signature())
    }
}

fn head(rp_id_hash: &[u8], flags: u8, sign_count: u32) -> Vec<u8> {
    [rp_id_hash, &[flags], &sign_count.to_be_bytes()].concat()
}

fn envelope(id: &[u8], response: &Value, extensions: &Value) -> Value {
    let id = base64url(id);
    json!({
        "id": id, "rawId": id, "type": "public-key", "response": response,
        "authenticatorAttachment": "platform", "clientExtensionResults": extensions,
    })
}
