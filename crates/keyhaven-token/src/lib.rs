//! The Keyhaven access token: a JSON Web Token (RFC 7519) signed with Ed25519 (RFC 8037), and the key set that
//! verifies it (RFC 7517).
//!
//! [`sign`] makes a token, [`verify`] checks one against a [`KeySet`]. JOSE encoding is the `jsonwebtoken` crate's;
//! signatures are `ring`'s. Time is an argument.
//!
//! A token states what was proven at sign-in and lives for minutes; it cannot be revoked. Whoever changes something
//! important asks for the session instead.

mod eddsa;

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use keyhaven_types::{UnixTime, base64url};

/// What an access token says.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Claims {
    /// Issuer: the server's public URL.
    pub iss: String,
    /// Audience: the RP ID.
    pub aud: String,
    /// Subject: the account id, a UUID.
    pub sub: String,
    /// Session id, a UUID.
    pub sid: String,
    /// Authenticator assurance level, 1 to 3 (NIST SP 800-63B).
    pub aal: u8,
    /// Authentication methods (RFC 8176 and our own).
    pub amr: Vec<String>,
    /// Authentication context class (OpenID Connect EAP ACR Values 1.0): `phrh`, `phr`; `None` without a passkey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// When the user proved who they are, in seconds since 1970.
    pub auth_time: i64,
    /// When the token was issued, in seconds since 1970.
    pub iat: i64,
    /// From this second on the token is void, in seconds since 1970.
    pub exp: i64,
}

/// The token is not one of ours, or not any more. Says no more on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the access token is not valid")]
pub struct InvalidToken;

/// The key set is no JWK Set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the key set is no JSON Web Key Set")]
pub struct InvalidKeySet;

/// An Ed25519 key that signs tokens, and its id.
pub struct SigningKey {
    id: String,
    seed: EncodingKey,
    public: [u8; 32],
}

impl SigningKey {
    /// The key of this 32-byte seed (RFC 8032 §5.1.5). `None` only if the cryptographic library refuses the seed.
    #[must_use]
    pub fn from_seed(id: String, seed: &[u8; 32]) -> Option<Self> {
        let public = eddsa::public_key(seed)?;
        Some(Self {
            id,
            seed: EncodingKey::from_ed_der(seed),
            public,
        })
    }

    /// The public half as a JWK (RFC 8037 §2), a JSON object in text form.
    #[must_use]
    pub fn public_jwk(&self) -> String {
        serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": self.id, "x": base64url::encode(&self.public),
        })
        .to_string()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The public keys that tokens are checked with.
#[derive(Clone, Debug)]
pub struct KeySet(JwkSet);

impl KeySet {
    /// Reads a JSON Web Key Set, as served at `/.well-known/jwks.json`.
    ///
    /// # Errors
    /// [`InvalidKeySet`] when it is none.
    pub fn from_json(json: &str) -> Result<Self, InvalidKeySet> {
        serde_json::from_str(json).map(Self).map_err(|_| InvalidKeySet)
    }

    fn find(&self, id: &str) -> Option<&Jwk> {
        self.0.find(id)
    }
}

/// Signs a token: `header.claims.signature`, about 400 characters.
///
/// # Errors
/// Only if the cryptographic library fails.
pub fn sign(claims: &Claims, key: &SigningKey) -> Result<String, InvalidToken> {
    eddsa::install();
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(key.id.clone());
    header.typ = Some("at+jwt".to_owned());
    jsonwebtoken::encode(&header, claims, &key.seed).map_err(|_| InvalidToken)
}

/// Checks a token: signature by a key of the set, type, issuer, audience, and that `now` is before its end.
///
/// # Errors
/// [`InvalidToken`], whatever is wrong.
pub fn verify(
    token: &str,
    keys: &KeySet,
    issuer: &str,
    audience: &str,
    now: UnixTime,
) -> Result<Claims, InvalidToken> {
    eddsa::install();
    let header = jsonwebtoken::decode_header(token).map_err(|_| InvalidToken)?;
    if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some("at+jwt") {
        return Err(InvalidToken);
    }
    let jwk = header
        .kid
        .as_deref()
        .and_then(|id| keys.find(id))
        .ok_or(InvalidToken)?;
    let key = DecodingKey::from_jwk(jwk).map_err(|_| InvalidToken)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    // The library would ask the system clock: expiry is compared with `now` below.
    validation.validate_exp = false;
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
        .map_err(|_| InvalidToken)?
        .claims;
    if now.as_seconds() < claims.exp {
        Ok(claims)
    } else {
        Err(InvalidToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            iss: "https://login.example.org".into(),
            aud: "example.org".into(),
            sub: "a".into(),
            sid: "b".into(),
            aal: 2,
            amr: vec!["user".into()],
            acr: Some("phr".into()),
            auth_time: 1000,
            iat: 1000,
            exp: 1300,
        }
    }

    fn key(id: &str, seed: u8) -> SigningKey {
        SigningKey::from_seed(id.into(), &[seed; 32]).unwrap()
    }

    fn set(keys: &[&SigningKey]) -> KeySet {
        let keys: Vec<String> = keys.iter().map(|key| key.public_jwk()).collect();
        KeySet::from_json(&format!(r#"{{"keys":[{}]}}"#, keys.join(","))).unwrap()
    }

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_millis(seconds * 1000)
    }

    const ISSUER: &str = "https://login.example.org";

    #[test]
    fn a_token_reads_back_until_it_ends() {
        let (old, new) = (key("old", 1), key("new", 2));
        let token = sign(&claims(), &old).unwrap();
        let keys = set(&[&new, &old]);
        assert_eq!(
            verify(&token, &keys, ISSUER, "example.org", at(1299)),
            Ok(claims())
        );
        assert_eq!(
            verify(&token, &keys, ISSUER, "example.org", at(1300)),
            Err(InvalidToken)
        );
    }

    #[test]
    fn another_key_issuer_or_audience_is_refused() {
        let token = sign(&claims(), &key("k", 1)).unwrap();
        let keys = set(&[&key("k", 1)]);
        assert!(verify(&token, &set(&[&key("k", 2)]), ISSUER, "example.org", at(1000)).is_err());
        assert!(verify(&token, &set(&[&key("other", 1)]), ISSUER, "example.org", at(1000)).is_err());
        assert!(verify(&token, &keys, "https://evil.example", "example.org", at(1000)).is_err());
        assert!(verify(&token, &keys, ISSUER, "evil.example", at(1000)).is_err());
    }

    #[test]
    fn a_changed_or_unsigned_token_is_refused() {
        let key = key("k", 1);
        let keys = set(&[&key]);
        let token = sign(&claims(), &key).unwrap();
        let (head, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = head.split_once('.').unwrap();
        let forged = base64url::encode(
            serde_json::to_string(&Claims { aal: 3, ..claims() })
                .unwrap()
                .as_bytes(),
        );
        assert!(
            verify(
                &format!("{header}.{forged}.{signature}"),
                &keys,
                ISSUER,
                "example.org",
                at(1000)
            )
            .is_err()
        );
        let none = base64url::encode(br#"{"alg":"none","typ":"at+jwt","kid":"k"}"#);
        assert!(
            verify(
                &format!("{none}.{forged}."),
                &keys,
                ISSUER,
                "example.org",
                at(1000)
            )
            .is_err()
        );
        assert!(verify("", &keys, ISSUER, "example.org", at(1000)).is_err());
    }
}
