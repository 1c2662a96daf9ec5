//! Attestation statements and certificates, in the specification's vectors.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use keyhaven_core::{AttestationFormat, Challenge, UserVerification};
use keyhaven_testkit::authenticator;

use super::ceremonies::NONE;
use super::readers::ciborium_value;
use crate::support::Registration;

/// An attestation statement in place of the one in a vector of the specification, with its format, authenticator data
/// and client data: whatever is said of the attestation, the credential is the vector's.
///
/// A byte for the vector, then the statement.
pub fn statement(data: &[u8]) {
    let Some((&number, statement)) = data.split_first() else {
        return;
    };
    let Ok(statement) = ciborium::from_reader::<ciborium::Value, _>(statement) else {
        return;
    };
    vector(number).judge(&statement);
}

/// A certificate in place of the first in a vector of the specification.
///
/// A byte for the vector, then the certificate.
pub fn certificate(data: &[u8]) {
    let Some((&number, certificate)) = data.split_first() else {
        return;
    };
    let vector = vector(number);
    let mut statement = vector.statement.clone();
    let path = statement
        .as_map_mut()
        .and_then(|entries| entries.iter_mut().find(|(name, _)| name.as_text() == Some("x5c")))
        .and_then(|(_, path)| path.as_array_mut());
    if let Some(leaf) = path.and_then(|path| path.first_mut()) {
        *leaf = ciborium::Value::Bytes(certificate.to_vec());
        vector.judge(&statement);
    }
}

/// A registration of the specification's.
pub struct Vector {
    /// What names it there.
    pub id: String,
    /// The RegistrationResponseJSON.
    pub response: serde_json::Value,
    /// `attStmt`.
    pub statement: ciborium::Value,
    challenge: String,
    object: BTreeMap<String, ciborium::Value>,
}

/// Those with a statement, in the document's order.
pub static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(|| {
    let file = include_str!("../../../crates/keyhaven-core/tests/vectors/w3c-webauthn-l3.json");
    let file: serde_json::Value = serde_json::from_str(file).unwrap();
    let pairs = file["vectors"].as_array().unwrap();
    pairs
        .iter()
        .map(|pair| {
            let case = &pair["registration"];
            let object = case["response"]["response"]["attestationObject"]
                .as_str()
                .unwrap();
            let object = ciborium_value(&authenticator::base64url_decode(object));
            let object: BTreeMap<String, ciborium::Value> = object
                .into_map()
                .unwrap()
                .into_iter()
                .map(|(name, value)| (name.into_text().unwrap(), value))
                .collect();
            Vector {
                id: pair["id"].as_str().unwrap().to_owned(),
                response: case["response"].clone(),
                statement: object["attStmt"].clone(),
                challenge: case["challenge_b64u"].as_str().unwrap().to_owned(),
                object,
            }
        })
        .filter(|vector| {
            vector
                .statement
                .as_map()
                .is_none_or(|entries| !entries.is_empty())
        })
        .collect()
});

fn vector(number: u8) -> &'static Vector {
    &VECTORS[usize::from(number) % VECTORS.len()]
}

impl Vector {
    fn judge(&self, statement: &ciborium::Value) {
        let text = |text: &str| ciborium::Value::Text(text.to_owned());
        let object = ciborium::Value::Map(vec![
            (text("fmt"), self.object["fmt"].clone()),
            (text("attStmt"), statement.clone()),
            (text("authData"), self.object["authData"].clone()),
        ]);
        let mut bytes = Vec::new();
        ciborium::into_writer(&object, &mut bytes).unwrap();
        let mut response = self.response.clone();
        response["response"]["attestationObject"] = authenticator::base64url(&bytes).into();
        let mut registration = NONE.with(Registration::clone);
        registration.challenge = Challenge::new(authenticator::base64url_decode(&self.challenge)).unwrap();
        registration.policy.user_verification = UserVerification::Preferred;
        let verdict = registration.judge_json(response.to_string().as_bytes());
        if let Ok(verified) = verdict {
            let auth_data = self.object["authData"].as_bytes().unwrap();
            let id = verified.credential_id().as_bytes();
            assert_eq!(id, &auth_data[55..55 + id.len()]);
            assert_eq!(verified.public_key(), &auth_data[55 + id.len()..]);
        } else {
            assert!(
                *statement != self.statement || !self.supported(),
                "{}: {verdict:?}",
                self.id
            );
        }
    }

    /// Whether this build verifies its format and algorithm.
    fn supported(&self) -> bool {
        let format = self.object["fmt"].as_text().unwrap();
        AttestationFormat::from_identifier(format).is_some()
            && !["packed-es512", "packed-ed448"].contains(&self.id.as_str())
    }
}
