//! Who signs in: accounts with one passkey each, all of whose values follow from a number.

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::client::Client;
use crate::signer::Signer;

/// User present, user verified, backup eligible, backed up.
const FLAGS: u8 = 0x01 | 0x04 | 0x08 | 0x10;

/// Attested credential data included.
const AT: u8 = 0x40;

/// One person, by number.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) credential: [u8; 32],
    pub(crate) handle: Vec<u8>,
}

impl Person {
    /// The person of this number, with the user handle that the seed gives.
    pub(crate) fn new(number: u64) -> Self {
        Self {
            number,
            name: format!("load{number}"),
            credential: derived("credential", number),
            handle: derived("handle", number).to_vec(),
        }
    }

    /// Registers the person's passkey through the API. The server draws the user handle.
    pub(crate) async fn register(&mut self, client: &mut Client, signer: &Signer) -> anyhow::Result<()> {
        let started = client
            .post(
                "/register/start",
                json!({"username": self.name}).to_string().as_bytes(),
            )
            .await?;
        ensure!(started.status == 200, "{}", started.text());
        let started = started.json()?;
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned).context("a text");
        let challenge = text(&started["publicKey"]["challenge"])?;
        self.handle = URL_SAFE_NO_PAD.decode(text(&started["publicKey"]["user"]["id"])?)?;
        let client_data = client_data("webauthn.create", &challenge, &client.origin);
        let mut authenticator_data = authenticator_data(AT);
        authenticator_data.extend([0; 16]);
        authenticator_data.extend([0, 32]);
        authenticator_data.extend(self.credential);
        authenticator_data.extend(signer.public_key(self.number));
        let len = u8::try_from(authenticator_data.len())?;
        let attestation = [
            &b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"[..],
            &[len],
            &authenticator_data,
        ]
        .concat();
        let id = URL_SAFE_NO_PAD.encode(self.credential);
        let body = json!({
            "ceremonyId": started["ceremonyId"],
            "credential": {
                "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
                "response": {
                    "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
                    "attestationObject": URL_SAFE_NO_PAD.encode(attestation),
                    "transports": ["internal", "hybrid"],
                },
            },
        });
        let finished = client
            .post("/register/finish", body.to_string().as_bytes())
            .await?;
        ensure!(finished.status == 201, "{}", finished.text());
        Ok(())
    }

    /// The body of `/login/start`, by name.
    pub(crate) fn start(&self) -> Vec<u8> {
        format!(r#"{{"username":"{}"}}"#, self.name).into_bytes()
    }

    /// The body of `/login/finish`.
    pub(crate) fn finish(
        &self,
        signer: &Signer,
        turn: u64,
        ceremony: &str,
        challenge: &str,
        origin: &str,
    ) -> Vec<u8> {
        let client_data = client_data("webauthn.get", challenge, origin);
        let authenticator_data = authenticator_data(0);
        let hash = digest(&SHA256, client_data.as_bytes());
        let signature = signer.sign(self.number, turn, [&authenticator_data, hash.as_ref()]);
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let id = base64(&self.credential);
        format!(
            r#"{{"ceremonyId":"{ceremony}","credential":{{"id":"{id}","rawId":"{id}","type":"public-key","#
        )
        .into_bytes()
        .into_iter()
        .chain(
            format!(
                r#""authenticatorAttachment":"platform","clientExtensionResults":{{}},"response":{{"authenticatorData":"{}","clientDataJSON":"{}","signature":"{}","userHandle":"{}"}}}}}}"#,
                base64(&authenticator_data),
                base64(client_data.as_bytes()),
                base64(&signature),
                base64(&self.handle)
            )
            .into_bytes(),
        )
        .collect()
    }
}

/// 32 bytes that belong to a number.
pub(crate) fn derived(what: &str, number: u64) -> [u8; 32] {
    let mut out = [0; 32];
    let seed = format!("keyhaven load {what} {number}");
    out.copy_from_slice(digest(&SHA256, seed.as_bytes()).as_ref());
    out
}

fn client_data(kind: &str, challenge: &str, origin: &str) -> String {
    format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#)
}

/// For RP ID `localhost`; a synced passkey, whose sign count stays 0.
fn authenticator_data(flags: u8) -> Vec<u8> {
    let mut out = digest(&SHA256, b"localhost").as_ref().to_vec();
    out.push(FLAGS | flags);
    out.extend([0; 4]);
    out
}
