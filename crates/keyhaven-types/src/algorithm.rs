use std::fmt;

/// A COSE algorithm identifier: a signed integer from the IANA COSE Algorithms registry.
///
/// Any value can be held; whether this build verifies it is `keyhaven-core`'s answer. Source: WebAuthn L3 §5.8.5,
/// RFC 9053, RFC 8812, RFC 9864.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize)]
#[serde(transparent)]
pub struct CoseAlgorithm(i64);

impl CoseAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    pub const ES256: Self = Self(-7);
    /// EdDSA; in WebAuthn always Ed25519.
    pub const EDDSA: Self = Self(-8);
    /// ECDSA on P-256 with SHA-256, fully specified (RFC 9864).
    pub const ESP256: Self = Self(-9);
    /// Ed25519, fully specified (RFC 9864).
    pub const ED25519: Self = Self(-19);
    /// ECDSA on P-384 with SHA-384.
    pub const ES384: Self = Self(-35);
    /// ECDSA on P-521 with SHA-512.
    pub const ES512: Self = Self(-36);
    /// RSASSA-PSS with SHA-256.
    pub const PS256: Self = Self(-37);
    /// RSASSA-PSS with SHA-384.
    pub const PS384: Self = Self(-38);
    /// RSASSA-PSS with SHA-512.
    pub const PS512: Self = Self(-39);
    /// ECDSA on secp256k1 with SHA-256.
    pub const ES256K: Self = Self(-47);
    /// ML-DSA-44 (FIPS 204).
    pub const ML_DSA_44: Self = Self(-48);
    /// ML-DSA-65 (FIPS 204).
    pub const ML_DSA_65: Self = Self(-49);
    /// ML-DSA-87 (FIPS 204).
    pub const ML_DSA_87: Self = Self(-50);
    /// ECDSA on P-384 with SHA-384, fully specified (RFC 9864).
    pub const ESP384: Self = Self(-51);
    /// ECDSA on P-521 with SHA-512, fully specified (RFC 9864).
    pub const ESP512: Self = Self(-52);
    /// Ed448, fully specified (RFC 9864).
    pub const ED448: Self = Self(-53);
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    pub const RS256: Self = Self(-257);
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    pub const RS384: Self = Self(-258);
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    pub const RS512: Self = Self(-259);
    /// RSASSA-PKCS1-v1_5 with SHA-1: deprecated, only inside old attestation statements.
    pub const RS1: Self = Self(-65535);

    /// The identifier with this number, registered or not.
    #[must_use]
    pub const fn new(identifier: i64) -> Self {
        Self(identifier)
    }

    /// The registered number, for example -7.
    #[must_use]
    pub const fn identifier(self) -> i64 {
        self.0
    }
}

impl fmt::Display for CoseAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
