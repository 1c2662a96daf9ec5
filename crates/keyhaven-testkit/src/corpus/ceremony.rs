use std::fmt;
use std::rc::Rc;

use serde_json::{Value, json};

use crate::authenticator::{
    AssertionDraft, Attestation, Cbor, ClientData, RegistrationDraft, SigningKey, SoftwareAuthenticator,
    Statement, base64url,
};

pub(super) const RP_ID: &str = "example.org";
pub(super) const ORIGIN: &str = "https://example.org";
pub(super) const AAGUID: [u8; 16] = *b"keyhaven-testkit";
pub(super) const USER_HANDLE: &[u8] = b"user";
pub(super) const CREDENTIAL_ID: &[u8] = b"credential id 16";
/// In base64url it has both letters that standard base64 writes differently.
pub(super) const CHALLENGE: [u8; 16] = [0xfb, 0xff, 0xbe, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// A ceremony and what it is judged by.
pub(super) trait Ceremony: Clone {
    /// `reg` or `auth`.
    const NAME: &'static str;
    /// Steps of §7.1 or §7.2.
    const STEPS: Steps;

    /// The input without `response`, and the text of `response`.
    fn write(&self) -> (Value, String);
    fn client_data(&mut self) -> &mut ClientData;
    fn rp_id_hash(&mut self) -> &mut Vec<u8>;
    fn flags(&mut self) -> &mut u8;
    fn trailing(&mut self) -> &mut Vec<u8>;
    fn extensions(&mut self) -> &mut Option<Cbor>;
    fn whole_authenticator_data(&mut self) -> &mut Option<Vec<u8>>;
    fn input(&mut self) -> &mut Value;
    fn edits(&mut self) -> &mut Edits;

    /// Changes the response's JSON after signing.
    fn json(&mut self, edit: impl Fn(&mut Value) + 'static) {
        self.edits().json = Some(Rc::new(edit));
    }

    /// Changes the response's JSON text.
    fn text(&mut self, edit: impl Fn(&str) -> String + 'static) {
        self.edits().text = Some(Rc::new(edit));
    }
}

/// The steps, and the lines of the checklist, that both ceremonies have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub(super) envelope: Step,
    pub(super) authenticator_data: Step,
    pub(super) utf8: Step,
    pub(super) json: Step,
    pub(super) kind: Step,
    pub(super) challenge: Step,
    pub(super) origin: Step,
    pub(super) cross_origin: Step,
    pub(super) top_origin: Step,
    pub(super) rp_id: Step,
    pub(super) presence: Step,
    pub(super) verification: Step,
    pub(super) backup: Step,
}

/// A step, `7.1.8`, and the line of the checklist, `B8`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step(pub(super) &'static str, pub(super) &'static str);

type Edit<T> = Option<Rc<dyn Fn(&mut T)>>;
type Rewrite = Option<Rc<dyn Fn(&str) -> String>>;

/// Changes that are made after signing, in this order.
#[derive(Clone, Default)]
pub(super) struct Edits {
    object: Edit<Cbor>,
    bytes: Edit<Vec<u8>>,
    json: Edit<Value>,
    text: Rewrite,
}

impl fmt::Debug for Edits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edits(..)")
    }
}

impl Edits {
    fn finish(&self, mut json: Value) -> String {
        if let Some(edit) = &self.json {
            edit(&mut json);
        }
        let text = super::ordered(&json);
        match &self.text {
            None => text,
            Some(edit) => edit(&text),
        }
    }
}

/// A registration.
#[derive(Clone, Debug)]
pub(super) struct Registration {
    pub(super) draft: RegistrationDraft,
    pub(super) input: Value,
    edits: Edits,
}

impl Registration {
    /// With `none`, for a key of this algorithm.
    pub(super) fn new(algorithm: i64) -> Self {
        let mut authenticator = SoftwareAuthenticator::new("corpus");
        authenticator.aaguid = AAGUID;
        authenticator.algorithms = vec![algorithm];
        authenticator.counts = false;
        let mut draft = authenticator
            .draft_registration(&creation_options(algorithm), ORIGIN)
            .unwrap();
        draft.credential_id = CREDENTIAL_ID.to_vec();
        draft.envelope_id = CREDENTIAL_ID.to_vec();
        Self {
            draft,
            input: input("registration"),
            edits: Edits::default(),
        }
    }

    /// With a statement.
    pub(super) fn attested(algorithm: i64, statement: impl FnOnce(&SigningKey) -> Statement) -> Self {
        let mut registration = Self::new(algorithm);
        let statement = statement(&registration.draft.key);
        registration.draft.attestation = Attestation::Statement(Box::new(statement));
        registration
    }

    /// Its statement.
    pub(super) fn statement(&mut self) -> &mut Statement {
        match &mut self.draft.attestation {
            Attestation::Statement(statement) => statement,
            _ => panic!("no statement"),
        }
    }

    /// Changes the attestation object after signing.
    pub(super) fn object(&mut self, edit: impl Fn(&mut Cbor) + 'static) {
        self.edits.object = Some(Rc::new(edit));
    }

    /// Changes the statement after signing.
    pub(super) fn signed_statement(&mut self, edit: impl Fn(&mut Cbor) + 'static) {
        self.object(move |object| edit(object.at("attStmt")));
    }

    /// Changes the encoded attestation object.
    pub(super) fn bytes(&mut self, edit: impl Fn(&mut Vec<u8>) + 'static) {
        self.edits.bytes = Some(Rc::new(edit));
    }
}

impl Ceremony for Registration {
    const NAME: &'static str = "reg";
    const STEPS: Steps = Steps {
        envelope: Step("7.1.3", "B3"),
        authenticator_data: Step("7.1.13", "S1"),
        utf8: Step("7.1.5", "B5"),
        json: Step("7.1.6", "B6"),
        kind: Step("7.1.7", "B7"),
        challenge: Step("7.1.8", "B8"),
        origin: Step("7.1.9", "B9"),
        cross_origin: Step("7.1.10", "B10"),
        top_origin: Step("7.1.11", "B11"),
        rp_id: Step("7.1.14", "B14"),
        presence: Step("7.1.15", "B15"),
        verification: Step("7.1.16", "B16"),
        backup: Step("7.1.17", "B17"),
    };

    fn write(&self) -> (Value, String) {
        let mut object = self.draft.attestation_object();
        if let Some(edit) = &self.edits.object {
            edit(&mut object);
        }
        let mut bytes = object.encode();
        if let Some(edit) = &self.edits.bytes {
            edit(&mut bytes);
        }
        let mut json = self.draft.envelope(&bytes);
        // Members that nothing here depends on would only make the lines longer.
        json["clientExtensionResults"] = json!({});
        json["response"].as_object_mut().unwrap().remove("transports");
        json.as_object_mut().unwrap().remove("authenticatorAttachment");
        (self.input.clone(), self.edits.finish(json))
    }

    fn client_data(&mut self) -> &mut ClientData {
        &mut self.draft.client_data
    }
    fn rp_id_hash(&mut self) -> &mut Vec<u8> {
        &mut self.draft.rp_id_hash
    }
    fn flags(&mut self) -> &mut u8 {
        &mut self.draft.flags
    }
    fn trailing(&mut self) -> &mut Vec<u8> {
        &mut self.draft.trailing
    }
    fn extensions(&mut self) -> &mut Option<Cbor> {
        &mut self.draft.extensions
    }
    fn whole_authenticator_data(&mut self) -> &mut Option<Vec<u8>> {
        &mut self.draft.authenticator_data
    }
    fn input(&mut self) -> &mut Value {
        &mut self.input
    }
    fn edits(&mut self) -> &mut Edits {
        &mut self.edits
    }
}

/// An authentication.
#[derive(Clone, Debug)]
pub(super) struct Assertion {
    pub(super) draft: AssertionDraft,
    pub(super) input: Value,
    signature: Option<SignatureEdit>,
    edits: Edits,
}

#[derive(Clone)]
struct SignatureEdit(Rc<dyn Fn(&[u8], &[u8]) -> Vec<u8>>);

impl fmt::Debug for SignatureEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignatureEdit(..)")
    }
}

impl Assertion {
    /// By a credential of this algorithm, registered with BE and BS, its count 0 before and now.
    pub(super) fn new(algorithm: i64) -> Self {
        let mut authenticator = SoftwareAuthenticator::new("corpus");
        authenticator.algorithms = vec![algorithm];
        authenticator.counts = false;
        authenticator
            .draft_registration(&creation_options(algorithm), ORIGIN)
            .unwrap();
        let options = json!({"rpId": RP_ID, "challenge": base64url(&CHALLENGE)});
        let mut draft = authenticator.draft_assertion(&options, ORIGIN).unwrap();
        draft.envelope_id = CREDENTIAL_ID.to_vec();
        let mut assertion = Self {
            input: input("authentication"),
            draft,
            signature: None,
            edits: Edits::default(),
        };
        assertion.store();
        assertion
    }

    /// Makes the draft's key and id the stored credential.
    pub(super) fn store(&mut self) {
        let public_key = self.draft.key.cose();
        self.store_key(&public_key);
    }

    /// Makes this the stored public key.
    pub(super) fn store_key(&mut self, public_key: &Cbor) {
        self.input["credential"] = json!({
            "id": base64url(CREDENTIAL_ID), "publicKey": base64url(&public_key.encode()), "signCount": 0,
            "userHandle": base64url(USER_HANDLE), "backupEligible": true,
        });
    }

    /// Replaces the signature: from the right one, and what it covers.
    pub(super) fn signature(&mut self, edit: impl Fn(&[u8], &[u8]) -> Vec<u8> + 'static) {
        self.signature = Some(SignatureEdit(Rc::new(edit)));
    }

    /// What is signed.
    pub(super) fn signed(&self) -> Vec<u8> {
        let hash = crate::authenticator::sha256(&self.draft.client_data.to_json());
        [&self.draft.authenticator_data()[..], &hash].concat()
    }
}

impl Ceremony for Assertion {
    const NAME: &'static str = "auth";
    const STEPS: Steps = Steps {
        envelope: Step("7.2.3", "C3"),
        authenticator_data: Step("7.2.7", "C7"),
        utf8: Step("7.2.8", "C8"),
        json: Step("7.2.9", "C9"),
        kind: Step("7.2.10", "C10"),
        challenge: Step("7.2.11", "C11"),
        origin: Step("7.2.12", "C12"),
        cross_origin: Step("7.2.13", "C13"),
        top_origin: Step("7.2.14", "C14"),
        rp_id: Step("7.2.15", "C15"),
        presence: Step("7.2.16", "C16"),
        verification: Step("7.2.17", "C17"),
        backup: Step("7.2.18", "C18"),
    };

    fn write(&self) -> (Value, String) {
        let mut signature = self.draft.signature();
        if let Some(edit) = &self.signature {
            signature = edit.0(&signature, &self.signed());
        }
        let mut json = self.draft.envelope(&signature);
        json.as_object_mut().unwrap().remove("authenticatorAttachment");
        (self.input.clone(), self.edits.finish(json))
    }

    fn client_data(&mut self) -> &mut ClientData {
        &mut self.draft.client_data
    }
    fn rp_id_hash(&mut self) -> &mut Vec<u8> {
        &mut self.draft.rp_id_hash
    }
    fn flags(&mut self) -> &mut u8 {
        &mut self.draft.flags
    }
    fn trailing(&mut self) -> &mut Vec<u8> {
        &mut self.draft.trailing
    }
    fn extensions(&mut self) -> &mut Option<Cbor> {
        &mut self.draft.extensions
    }
    fn whole_authenticator_data(&mut self) -> &mut Option<Vec<u8>> {
        &mut self.draft.authenticator_data
    }
    fn input(&mut self) -> &mut Value {
        &mut self.input
    }
    fn edits(&mut self) -> &mut Edits {
        &mut self.edits
    }
}

fn creation_options(algorithm: i64) -> Value {
    json!({
        "rp": {"id": RP_ID}, "user": {"id": base64url(USER_HANDLE)}, "challenge": base64url(&CHALLENGE),
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm}],
    })
}

fn input(kind: &str) -> Value {
    json!({"kind": kind, "rpId": RP_ID, "origins": [ORIGIN], "challenge": base64url(&CHALLENGE)})
}
