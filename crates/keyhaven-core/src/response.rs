use keyhaven_types::{AuthenticatorAttachment, AuthenticatorTransport, base64url};

use crate::error::{AssertionError, RegistrationError};
use crate::extensions::ClientExtensionResults;
use crate::json::{Json, JsonError, Object};

/// A `RegistrationResponseJSON` (WebAuthn L3 §5.1), decoded as far as base64url.
///
/// Evidence is only what `clientDataJSON` and `attestationObject` hold. The convenience copies beside them
/// (`authenticatorData`, `publicKey`, `publicKeyAlgorithm`) and unknown members are ignored.
#[derive(Clone, Debug)]
pub struct RegistrationResponse {
    decoded: Decoded,
    credential_id: Part,
    client_data_json: Part,
    attestation_object: Part,
    transports: Vec<AuthenticatorTransport>,
    authenticator_attachment: Option<AuthenticatorAttachment>,
    client_extension_results: ClientExtensionResults,
}

/// An `AuthenticationResponseJSON` (WebAuthn L3 §5.1), decoded as far as base64url.
#[derive(Clone, Debug)]
pub struct AuthenticationResponse {
    decoded: Decoded,
    credential_id: Part,
    client_data_json: Part,
    authenticator_data: Part,
    signature: Part,
    user_handle: Option<Part>,
    authenticator_attachment: Option<AuthenticatorAttachment>,
    client_extension_results: ClientExtensionResults,
}

/// Why JSON is not a response of the kind asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EnvelopeError {
    /// A member is not base64url without padding.
    #[error("{member} is not base64url without padding")]
    Base64Url {
        /// Its name.
        member: &'static str,
    },
    /// `id` and `rawId` differ.
    #[error("id and rawId differ")]
    IdMismatch,
    /// Not a JSON object with the members of the specification.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// `type` is not `public-key`.
    #[error("type is not \"public-key\"")]
    Type,
}

impl RegistrationResponse {
    /// Reads a response from its JSON text.
    ///
    /// # Errors
    /// [`RegistrationError::Envelope`], at step 7.1.3.
    pub fn from_json(json: &[u8]) -> Result<Self, RegistrationError> {
        Self::read(json).map_err(RegistrationError::Envelope)
    }

    fn read(json: &[u8]) -> Result<Self, EnvelopeError> {
        let Envelope {
            mut decoded,
            credential_id,
            mut response,
            authenticator_attachment,
            client_extension_results,
        } = Envelope::read(json)?;
        Ok(Self {
            credential_id,
            client_data_json: decoded.member(&response.text("clientDataJSON")?, "clientDataJSON")?,
            attestation_object: decoded.member(&response.text("attestationObject")?, "attestationObject")?,
            decoded,
            transports: transports(&mut response)?,
            authenticator_attachment,
            client_extension_results,
        })
    }

    /// `rawId`, which `id` equals. Any length: it is judged at step 7.1.25.
    #[must_use]
    pub fn credential_id(&self) -> &[u8] {
        self.decoded.part(self.credential_id)
    }

    /// `clientDataJSON`, the bytes that are hashed.
    #[must_use]
    pub fn client_data_json(&self) -> &[u8] {
        self.decoded.part(self.client_data_json)
    }

    /// `attestationObject`.
    #[must_use]
    pub fn attestation_object(&self) -> &[u8] {
        self.decoded.part(self.attestation_object)
    }

    /// `transports`, each once, in the order received: the first 16 of at most 32 bytes, as what a client invents is kept.
    /// Asserted by the client.
    #[must_use]
    pub fn transports(&self) -> &[AuthenticatorTransport] {
        &self.transports
    }

    /// `authenticatorAttachment`; unknown values count as absent. Asserted by the client.
    #[must_use]
    pub const fn authenticator_attachment(&self) -> Option<AuthenticatorAttachment> {
        self.authenticator_attachment
    }

    /// `clientExtensionResults`.
    #[must_use]
    pub const fn client_extension_results(&self) -> &ClientExtensionResults {
        &self.client_extension_results
    }
}

impl AuthenticationResponse {
    /// Reads a response from its JSON text.
    ///
    /// # Errors
    /// [`AssertionError::Envelope`], at step 7.2.3.
    pub fn from_json(json: &[u8]) -> Result<Self, AssertionError> {
        Self::read(json).map_err(AssertionError::Envelope)
    }

    fn read(json: &[u8]) -> Result<Self, EnvelopeError> {
        let Envelope {
            mut decoded,
            credential_id,
            mut response,
            authenticator_attachment,
            client_extension_results,
        } = Envelope::read(json)?;
        // Clients in the field write null for no user handle.
        response.null_is_absent("userHandle");
        Ok(Self {
            credential_id,
            client_data_json: decoded.member(&response.text("clientDataJSON")?, "clientDataJSON")?,
            authenticator_data: decoded.member(&response.text("authenticatorData")?, "authenticatorData")?,
            signature: decoded.member(&response.text("signature")?, "signature")?,
            user_handle: response
                .optional_text("userHandle")?
                .map(|text| decoded.member(&text, "userHandle"))
                .transpose()?,
            decoded,
            authenticator_attachment,
            client_extension_results,
        })
    }

    /// `rawId`, which `id` equals.
    #[must_use]
    pub fn credential_id(&self) -> &[u8] {
        self.decoded.part(self.credential_id)
    }

    /// `clientDataJSON`, the bytes that are hashed.
    #[must_use]
    pub fn client_data_json(&self) -> &[u8] {
        self.decoded.part(self.client_data_json)
    }

    /// `authenticatorData`, the bytes that are signed.
    #[must_use]
    pub fn authenticator_data(&self) -> &[u8] {
        self.decoded.part(self.authenticator_data)
    }

    /// `signature`.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.decoded.part(self.signature)
    }

    /// The same, an empty `userHandle` being none. Safari 15.4 to 17.3 and Chrome 70 wrote one for security keys that keep
    /// no user handle (WebKit bug 239737), and no user handle is empty (§5.4.3). For relying parties whose users use them: as
    /// it stands, an empty user handle is no account's.
    #[must_use]
    pub fn without_empty_user_handle(self) -> Self {
        let is_empty = self.user_handle().is_some_and(<[u8]>::is_empty);
        Self {
            user_handle: if is_empty { None } else { self.user_handle },
            ..self
        }
    }

    /// `userHandle`, where the authenticator gave one.
    #[must_use]
    pub fn user_handle(&self) -> Option<&[u8]> {
        self.user_handle.map(|part| self.decoded.part(part))
    }

    /// `authenticatorAttachment`; unknown values count as absent. Asserted by the client.
    #[must_use]
    pub const fn authenticator_attachment(&self) -> Option<AuthenticatorAttachment> {
        self.authenticator_attachment
    }

    /// `clientExtensionResults`.
    #[must_use]
    pub const fn client_extension_results(&self) -> &ClientExtensionResults {
        &self.client_extension_results
    }
}

/// What both responses have around their `response` member.
struct Envelope<'a> {
    decoded: Decoded,
    credential_id: Part,
    response: Object<'a>,
    authenticator_attachment: Option<AuthenticatorAttachment>,
    client_extension_results: ClientExtensionResults,
}

impl<'a> Envelope<'a> {
    fn read(json: &'a [u8]) -> Result<Self, EnvelopeError> {
        let text = std::str::from_utf8(json).map_err(|_| EnvelopeError::NotUtf8)?;
        let mut object = Object::parse(text)?;
        if object.text("type")? != "public-key" {
            return Err(EnvelopeError::Type);
        }
        let mut decoded = Decoded::with_room_for(json);
        let raw_id = object.text("rawId")?;
        let credential_id = decoded.member(&raw_id, "rawId")?;
        // Strict base64url has one text per byte string, so the texts can be compared.
        let id = object.text("id")?;
        if id != raw_id {
            decoded.member(&id, "id")?;
            return Err(EnvelopeError::IdMismatch);
        }
        // Clients in the field write null for no attachment.
        object.null_is_absent("authenticatorAttachment");
        let authenticator_attachment = match object.optional_text("authenticatorAttachment")?.as_deref() {
            Some("cross-platform") => Some(AuthenticatorAttachment::CrossPlatform),
            Some("platform") => Some(AuthenticatorAttachment::Platform),
            Some(_) | None => None,
        };
        // Nothing in the extension outputs is evidence, so clients that leave them out, or write null, are served too.
        object.null_is_absent("clientExtensionResults");
        let client_extension_results = object
            .optional_object("clientExtensionResults")?
            .map(ClientExtensionResults::read)
            .transpose()?
            .unwrap_or_default();
        let response = object.object("response")?;
        Ok(Self {
            decoded,
            credential_id,
            response,
            authenticator_attachment,
            client_extension_results,
        })
    }
}

/// The byte strings of a response, one after the other in one allocation.
#[derive(Clone, Debug)]
struct Decoded(Vec<u8>);

/// Where a byte string lies in [`Decoded`].
#[derive(Clone, Copy, Debug)]
struct Part {
    start: usize,
    end: usize,
}

impl Decoded {
    /// Room for everything that `json` can hold: four of its characters are three bytes.
    fn with_room_for(json: &[u8]) -> Self {
        Self(Vec::with_capacity(json.len() / 4 * 3))
    }

    /// Decodes one more member.
    fn member(&mut self, text: &str, member: &'static str) -> Result<Part, EnvelopeError> {
        let start = self.0.len();
        base64url::decode_onto(text, &mut self.0).map_err(|_| EnvelopeError::Base64Url { member })?;
        Ok(Part {
            start,
            end: self.0.len(),
        })
    }

    fn part(&self, Part { start, end }: Part) -> &[u8] {
        self.0.get(start..end).unwrap_or_default()
    }
}

fn transports(response: &mut Object<'_>) -> Result<Vec<AuthenticatorTransport>, EnvelopeError> {
    response.null_is_absent("transports");
    let items = response.optional_array("transports")?.unwrap_or_default();
    let mut transports = Vec::new();
    for item in items {
        let Json::Text(text) = item else {
            return Err(JsonError::WrongType { member: "transports" }.into());
        };
        let transport = AuthenticatorTransport::from(text.as_ref());
        if text.len() <= 32 && transports.len() < 16 && !transports.contains(&transport) {
            transports.push(transport);
        }
    }
    Ok(transports)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn registration(
        change: impl FnOnce(&mut serde_json::Value),
    ) -> Result<RegistrationResponse, EnvelopeError> {
        let mut json = serde_json::json!({
            "id": "AQI", "rawId": "AQI", "type": "public-key",
            "response": {"clientDataJSON": "e30", "attestationObject": "oA"},
            "clientExtensionResults": {}
        });
        change(&mut json);
        RegistrationResponse::read(json.to_string().as_bytes())
    }

    #[test]
    fn the_envelope_is_decoded() {
        let response = registration(|json| {
            json["authenticatorAttachment"] = "platform".into();
            json["response"]["transports"] = serde_json::json!(["usb", "usb", "hybrid", "new-kind"]);
            json["clientExtensionResults"] = serde_json::json!({"credProps": {"rk": true}, "other": [1]});
            json["unknown"] = 1.into();
        })
        .unwrap();
        assert_eq!(response.credential_id(), [1, 2]);
        assert_eq!(response.client_data_json(), b"{}");
        assert_eq!(response.attestation_object(), [0xa0]);
        let transports = response
            .transports()
            .iter()
            .map(AuthenticatorTransport::as_str)
            .collect::<Vec<_>>();
        assert_eq!(transports, ["usb", "hybrid", "new-kind"]);
        assert_eq!(
            response.authenticator_attachment(),
            Some(AuthenticatorAttachment::Platform)
        );
        assert_eq!(response.client_extension_results().cred_props_rk(), Some(true));
    }

    #[test]
    fn what_clients_write_for_absent_is_absent() {
        let response = registration(|json| {
            json["authenticatorAttachment"] = serde_json::Value::Null;
            json["response"]["transports"] = serde_json::Value::Null;
            json.as_object_mut().unwrap().remove("clientExtensionResults");
        })
        .unwrap();
        assert_eq!(response.authenticator_attachment(), None);
        assert!(response.transports().is_empty());
    }

    #[test]
    fn an_empty_user_handle_is_none_where_that_is_wanted() {
        let with = |handle: serde_json::Value| {
            let json = serde_json::json!({
                "id": "AQ", "rawId": "AQ", "type": "public-key", "clientExtensionResults": {},
                "response": {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA", "userHandle": handle},
            });
            AuthenticationResponse::from_json(json.to_string().as_bytes()).unwrap()
        };
        for (written, read, without_empty) in [
            (serde_json::json!(""), Some(&[][..]), None),
            (serde_json::json!("AA"), Some(&[0]), Some(&[0][..])),
            (serde_json::Value::Null, None, None),
        ] {
            assert_eq!(with(written.clone()).user_handle(), read);
            let response = with(written).without_empty_user_handle();
            assert_eq!(response.user_handle(), without_empty);
            assert_eq!(response.signature(), [0]);
        }
    }

    #[test]
    fn transports_are_bounded() {
        let with =
            |transports: Vec<String>| registration(|json| json["response"]["transports"] = transports.into());
        let kept = |transports: &[&str]| {
            let written = transports.iter().map(|&text| text.to_owned()).collect();
            let kept = with(written).unwrap().transports().to_vec();
            kept.iter()
                .map(|kept| kept.as_str().to_owned())
                .collect::<Vec<_>>()
        };
        let (long, longer) = ("a".repeat(32), "a".repeat(33));
        assert_eq!(
            kept(&["usb", &longer, &long, "usb", "nfc"]),
            ["usb", &long, "nfc"]
        );
        let many: Vec<String> = (0..40).map(|number| format!("x{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(kept(&many), many[..16]);
        // What is no text is refused wherever it stands.
        assert!(
            registration(|json| {
                let mut transports = vec![serde_json::Value::from("usb"); 40];
                transports.push(1.into());
                json["response"]["transports"] = transports.into();
            })
            .is_err()
        );
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = RegistrationResponse::from_json(&bytes);
            let _ = AuthenticationResponse::from_json(&bytes);
        }
    }
}
