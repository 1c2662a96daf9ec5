//! The virtual authenticator.

use serde_json::{Value, json};

use super::Browser;

/// What the virtual authenticator can do.
#[derive(Clone, Copy, Debug)]
pub struct AuthenticatorOptions {
    /// `internal`, `usb`, …
    pub transport: &'static str,
    /// Whether it can hold discoverable credentials.
    pub resident_keys: bool,
    /// Whether it can verify its user.
    pub user_verification: bool,
}

impl Default for AuthenticatorOptions {
    fn default() -> Self {
        Self {
            transport: "internal",
            resident_keys: true,
            user_verification: true,
        }
    }
}

impl Browser {
    /// Adds an authenticator that answers by itself, its user verified; calls below are for the newest one.
    pub fn add_authenticator(&mut self, options: AuthenticatorOptions) {
        if self.authenticators.is_empty() {
            self.call("WebAuthn.enable", json!({"enableUI": false}));
        }
        let options = json!({"options": {
            "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": options.transport,
            "hasResidentKey": options.resident_keys, "hasUserVerification": options.user_verification,
            "isUserVerified": options.user_verification, "automaticPresenceSimulation": true,
        }});
        let answer = self.call("WebAuthn.addVirtualAuthenticator", options);
        let id = answer["authenticatorId"].as_str().unwrap().to_owned();
        self.authenticators.push(id);
    }

    /// Takes all authenticators away, with what they hold: they are lost.
    pub fn remove_authenticators(&mut self) {
        for id in std::mem::take(&mut self.authenticators) {
            self.call(
                "WebAuthn.removeVirtualAuthenticator",
                json!({"authenticatorId": id}),
            );
        }
    }

    /// The credentials it holds, with private keys.
    pub fn credentials(&mut self) -> Vec<Value> {
        self.webauthn("getCredentials", json!({}))["credentials"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// Puts a credential in.
    pub fn add_credential(&mut self, credential: &Value) {
        self.webauthn("addCredential", json!({"credential": credential}));
    }

    /// Takes a credential out.
    pub fn remove_credential(&mut self, credential: &Value) {
        self.webauthn(
            "removeCredential",
            json!({"credentialId": credential["credentialId"]}),
        );
    }

    /// Spoils what it signs from now on: a signature that does not verify, UV clear, UP clear.
    pub fn spoil(&mut self, bogus_signature: bool, bad_uv: bool, bad_up: bool) {
        let bits = json!({"isBogusSignature": bogus_signature, "isBadUV": bad_uv, "isBadUP": bad_up});
        self.webauthn("setResponseOverrideBits", bits);
    }

    /// Whether it answers by itself.
    pub fn set_automatic_presence(&mut self, enabled: bool) {
        self.webauthn("setAutomaticPresenceSimulation", json!({"enabled": enabled}));
    }

    fn webauthn(&mut self, method: &str, mut parameters: Value) -> Value {
        parameters["authenticatorId"] = json!(self.authenticators.last().expect("an authenticator"));
        self.call(&format!("WebAuthn.{method}"), parameters)
    }
}
