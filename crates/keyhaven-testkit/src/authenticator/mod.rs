//! A software authenticator with the browser in front of it: makes credentials and assertions that a relying party
//! must accept, and, spoiled in one field before signing, ones that it must refuse.
//!
//! It shares no code with the verifier: CBOR, DER and base64url are written here on their own.
//!
//! ```
//! use keyhaven_testkit::authenticator::SoftwareAuthenticator;
//! # let creation_options = serde_json::json!({"rp": {"id": "example.org"}, "user": {"id": "dXNlcg"}, "challenge": "AQID",
//! #     "pubKeyCredParams": [{"type": "public-key", "alg": -7}]});
//! # let request_options = serde_json::json!({"rpId": "example.org", "challenge": "BAUG"});
//! let mut authenticator = SoftwareAuthenticator::new(b"seed");
//! let registration_response = authenticator.register(&creation_options, "https://example.org");
//! let authentication_response = authenticator.authenticate(&request_options, "https://example.org");
//! # assert_eq!(registration_response["id"], authentication_response["id"]);
//! ```
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod cbor;
mod certificate;
mod draft;
mod key;
mod rsa;
mod statement;

use base64::Engine as _;
use ring::digest::{SHA256, digest};
use serde_json::Value;

pub use cbor::Cbor;
pub use certificate::{
    Attribute, BASIC_CONSTRAINTS, CertificateDraft, Extension, FIDO_AAGUID, FIDO_FIRMWARE_VERSION,
    RevocationListDraft, object_identifier, tlv,
};
pub use draft::{AssertionDraft, Attestation, ClientData, RegistrationDraft};
pub use key::SigningKey;
pub use statement::{
    AndroidKey, Apple, CertInfo, Chain, Evidence, FidoU2f, KeyDescription, Packed, PubArea, SafetyNet,
    Statement, Tpm, tpm_algorithm, tpm_subject_alternative_name,
};

/// User present.
pub const UP: u8 = 0x01;
/// User verified.
pub const UV: u8 = 0x04;
/// Backup eligible.
pub const BE: u8 = 0x08;
/// Backed up.
pub const BS: u8 = 0x10;
/// Attested credential data included.
pub const AT: u8 = 0x40;
/// Extension data included.
pub const ED: u8 = 0x80;

/// One authenticator and its credentials. The same seed makes the same keys and ids.
#[derive(Clone, Debug)]
pub struct SoftwareAuthenticator {
    /// Its model.
    pub aaguid: [u8; 16],
    /// COSE algorithms it makes keys for; the first of the relying party's list that is among them is taken.
    pub algorithms: Vec<i64>,
    /// How it attests, whatever the relying party asks for.
    pub attestation: AttestationKind,
    /// The backup flags of new credentials: 0, [`BE`], or `BE | BS`.
    pub backup: u8,
    /// Whether it counts signatures.
    pub counts: bool,
    /// Whether it verifies the user.
    pub verifies_user: bool,
    /// What it holds, oldest first. A second credential for one account does not replace the first.
    pub credentials: Vec<SoftwareCredential>,
    seed: Vec<u8>,
    made: u32,
}

/// How an authenticator attests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AttestationKind {
    /// `none`.
    None,
    /// `packed`, signed by the credential key.
    PackedSelf,
    /// `packed`, signed by an attestation key of this COSE algorithm, with a certificate.
    PackedX5c(i64),
}

/// A credential with its private key.
#[derive(Clone, Debug)]
pub struct SoftwareCredential {
    /// Its id.
    pub id: Vec<u8>,
    /// What it is scoped to.
    pub rp_id: String,
    /// The account it is for.
    pub user_handle: Vec<u8>,
    /// Its key.
    pub key: SigningKey,
    /// How often it has signed.
    pub sign_count: u32,
    /// BE and BS.
    pub backup: u8,
}

/// Why the client refused without asking the authenticator, named as the `DOMException` a browser throws.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// A credential of `excludeCredentials` is here.
    InvalidState,
    /// No credential here is acceptable.
    NotAllowed,
    /// None of the algorithms is supported.
    NotSupported,
}

impl SoftwareAuthenticator {
    /// An authenticator without credentials: ES256 first, attestation `none`, synced, verifying its user, counting.
    #[must_use]
    pub fn new(seed: impl AsRef<[u8]>) -> Self {
        Self {
            aaguid: *b"keyhaven-testkit",
            algorithms: vec![-7, -8, -35, -257],
            attestation: AttestationKind::None,
            backup: BE | BS,
            counts: true,
            verifies_user: true,
            credentials: Vec::new(),
            seed: seed.as_ref().to_vec(),
            made: 0,
        }
    }

    /// `navigator.credentials.create()` and `toJSON()`: a RegistrationResponseJSON.
    ///
    /// `options` is a PublicKeyCredentialCreationOptionsJSON. Panics where a browser would throw; see
    /// [`Self::try_register`].
    pub fn register(&mut self, options: &Value, origin: &str) -> Value {
        self.try_register(options, origin).expect("the registration")
    }

    /// `navigator.credentials.get()` and `toJSON()`: an AuthenticationResponseJSON.
    ///
    /// `options` is a PublicKeyCredentialRequestOptionsJSON; without `allowCredentials` the newest credential of the RP
    /// ID answers. Panics where a browser would throw; see [`Self::try_authenticate`].
    pub fn authenticate(&mut self, options: &Value, origin: &str) -> Value {
        self.try_authenticate(options, origin)
            .expect("the authentication")
    }

    /// [`Self::register`], with a browser's refusals as values.
    ///
    /// # Errors
    /// An excluded credential is here, or no algorithm is supported.
    pub fn try_register(&mut self, options: &Value, origin: &str) -> Result<Value, Refusal> {
        Ok(self.draft_registration(options, origin)?.finish())
    }

    /// [`Self::authenticate`], with a browser's refusals as values.
    ///
    /// # Errors
    /// No credential here is acceptable.
    pub fn try_authenticate(&mut self, options: &Value, origin: &str) -> Result<Value, Refusal> {
        Ok(self.draft_assertion(options, origin)?.finish())
    }

    /// Makes a credential, and everything of its registration up to signing, open to being spoiled.
    ///
    /// # Errors
    /// As [`Self::try_register`].
    pub fn draft_registration(
        &mut self,
        options: &Value,
        origin: &str,
    ) -> Result<RegistrationDraft, Refusal> {
        let rp_id = options["rp"]["id"]
            .as_str()
            .map_or_else(|| host(origin), str::to_owned);
        let excluded = descriptor_ids(&options["excludeCredentials"]);
        if self
            .credentials
            .iter()
            .any(|held| held.rp_id == rp_id && excluded.contains(&held.id))
        {
            return Err(Refusal::InvalidState);
        }
        let offered = options["pubKeyCredParams"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let algorithm = offered
            .iter()
            .filter_map(|parameters| parameters["alg"].as_i64())
            .find(|algorithm| self.algorithms.contains(algorithm))
            .ok_or(Refusal::NotSupported)?;
        let number = self.made;
        self.made += 1;
        let derive = |what: &[u8]| [&self.seed, what, &number.to_be_bytes()[..], rp_id.as_bytes()].concat();
        let key = SigningKey::new(algorithm, &derive(b"key")).ok_or(Refusal::NotSupported)?;
        let credential = SoftwareCredential {
            id: sha256(&derive(b"id")).to_vec(),
            user_handle: base64url_decode(options["user"]["id"].as_str().unwrap_or_default()),
            key,
            sign_count: u32::from(self.counts),
            backup: self.backup,
            rp_id,
        };
        let attestation = match self.attestation {
            AttestationKind::None => Attestation::None,
            AttestationKind::PackedSelf => Attestation::PackedSelf,
            AttestationKind::PackedX5c(algorithm) => {
                let key = SigningKey::new(algorithm, &[&self.seed[..], b"attestation"].concat()).unwrap();
                let certificate = CertificateDraft::attestation(&key, self.aaguid);
                Attestation::PackedX5c { key, certificate }
            }
        };
        let draft = RegistrationDraft::new(
            ClientData::new(
                "webauthn.create",
                options["challenge"].as_str().unwrap_or_default(),
                origin,
            ),
            &credential,
            self.aaguid,
            self.presence(),
            attestation,
        );
        self.credentials.push(credential);
        Ok(draft)
    }

    /// Chooses a credential, and makes everything of its assertion up to signing, open to being spoiled.
    ///
    /// # Errors
    /// As [`Self::try_authenticate`].
    pub fn draft_assertion(&mut self, options: &Value, origin: &str) -> Result<AssertionDraft, Refusal> {
        let rp_id = options["rpId"]
            .as_str()
            .map_or_else(|| host(origin), str::to_owned);
        let allowed = descriptor_ids(&options["allowCredentials"]);
        let presence = self.presence();
        let counts = self.counts;
        let credential = self
            .credentials
            .iter_mut()
            .rev()
            .find(|held| held.rp_id == rp_id && (allowed.is_empty() || allowed.contains(&held.id)))
            .ok_or(Refusal::NotAllowed)?;
        if counts {
            credential.sign_count += 1;
        }
        let client_data = ClientData::new(
            "webauthn.get",
            options["challenge"].as_str().unwrap_or_default(),
            origin,
        );
        Ok(AssertionDraft::new(client_data, credential, presence))
    }

    fn presence(&self) -> u8 {
        if self.verifies_user { UP | UV } else { UP }
    }
}

/// Encodes base64url without padding.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64url without padding.
#[must_use]
pub fn base64url_decode(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .expect("base64url")
}

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

fn host(origin: &str) -> String {
    let authority = origin.split("://").last().unwrap_or_default();
    authority.split([':', '/']).next().unwrap_or_default().to_owned()
}

fn descriptor_ids(descriptors: &Value) -> Vec<Vec<u8>> {
    let descriptors = descriptors.as_array().cloned().unwrap_or_default();
    descriptors
        .iter()
        .map(|descriptor| base64url_decode(descriptor["id"].as_str().unwrap()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn creation(user: &str) -> Value {
        json!({
            "rp": {"id": "example.org"}, "user": {"id": base64url(user.as_bytes())}, "challenge": "AQID",
            "pubKeyCredParams": [{"type": "public-key", "alg": -65535}, {"type": "public-key", "alg": -7}]
        })
    }

    #[test]
    fn credentials_are_found_by_name_and_without() {
        let mut authenticator = SoftwareAuthenticator::new("seed");
        let first = authenticator.register(&creation("a"), "https://example.org");
        let second = authenticator.register(&creation("b"), "https://example.org");
        assert_ne!(first["id"], second["id"]);
        let newest = authenticator.authenticate(
            &json!({"rpId": "example.org", "challenge": ""}),
            "https://example.org",
        );
        assert_eq!(newest["id"], second["id"]);
        assert_eq!(newest["response"]["userHandle"], base64url(b"b"));
        let named =
            json!({"rpId": "example.org", "challenge": "", "allowCredentials": [{"id": first["id"]}]});
        assert_eq!(
            authenticator.authenticate(&named, "https://example.org")["id"],
            first["id"]
        );
        let elsewhere = json!({"challenge": ""});
        assert_eq!(
            authenticator.try_authenticate(&elsewhere, "https://example.com:1"),
            Err(Refusal::NotAllowed)
        );
    }

    #[test]
    fn what_a_browser_refuses_is_refused() {
        let mut authenticator = SoftwareAuthenticator::new("seed");
        let first = authenticator.register(&creation("a"), "https://example.org");
        let mut excluded = creation("a");
        excluded["excludeCredentials"] = json!([{"id": first["id"]}]);
        assert_eq!(
            authenticator.try_register(&excluded, "https://example.org"),
            Err(Refusal::InvalidState)
        );
        let mut unsupported = creation("a");
        unsupported["pubKeyCredParams"] = json!([{"alg": -36}]);
        assert_eq!(
            authenticator.try_register(&unsupported, "https://example.org"),
            Err(Refusal::NotSupported)
        );
    }

    #[test]
    fn cbor_is_written_in_its_shortest_form() {
        assert_eq!(Cbor::Int(23).encode(), [0x17]);
        assert_eq!(Cbor::Int(24).encode(), [0x18, 24]);
        assert_eq!(Cbor::Int(-257).encode(), [0x39, 1, 0]);
        assert_eq!(Cbor::Int(65_536).encode(), [0x1a, 0, 1, 0, 0]);
        assert_eq!(Cbor::Bytes(vec![0; 256]).encode()[..3], [0x59, 1, 0]);
        assert_eq!(
            Cbor::Map(vec![("a".into(), Cbor::Bool(true))]).encode(),
            [0xa1, 0x61, b'a', 0xf5]
        );
    }
}
