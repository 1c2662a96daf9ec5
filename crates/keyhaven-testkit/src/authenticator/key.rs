use p256::ecdsa::signature::Signer as _;
use ring::digest::{SHA256, digest};

use super::cbor::Cbor;
use super::certificate::tlv;

/// A private key that signs for a credential or an attestation.
#[derive(Clone, Debug)]
pub enum SigningKey {
    /// Ed25519, COSE -8.
    Ed25519(Box<ed25519_dalek::SigningKey>),
    /// P-256, COSE -7.
    Es256(Box<p256::ecdsa::SigningKey>),
    /// P-384, COSE -35.
    Es384(Box<p384::ecdsa::SigningKey>),
    /// RSA of 2048 bits, COSE -257. There is one, fixed, and known to everybody.
    Rs256,
}

/// Made for these tests; it protects nothing.
const RS256_TEST_KEY: &[u8] = include_bytes!("rs256-test-key.pkcs8.der");

impl SigningKey {
    /// The key for a COSE algorithm that belongs to `seed`; `None` for an algorithm this authenticator lacks.
    #[must_use]
    pub fn new(algorithm: i64, seed: &[u8]) -> Option<Self> {
        let bytes = digest(&SHA256, seed);
        let bytes = bytes.as_ref();
        match algorithm {
            -7 => Some(Self::Es256(Box::new(
                p256::ecdsa::SigningKey::from_slice(bytes).unwrap(),
            ))),
            -8 => Some(Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(
                bytes.try_into().unwrap(),
            )))),
            -35 => {
                let padded = [&[0; 16], bytes].concat();
                Some(Self::Es384(Box::new(
                    p384::ecdsa::SigningKey::from_slice(&padded).unwrap(),
                )))
            }
            -257 => Some(Self::Rs256),
            _ => None,
        }
    }

    /// The COSE algorithm.
    #[must_use]
    pub fn algorithm(&self) -> i64 {
        match self {
            Self::Ed25519(_) => -8,
            Self::Es256(_) => -7,
            Self::Es384(_) => -35,
            Self::Rs256 => -257,
        }
    }

    /// Signs a message, in the signature form of WebAuthn L3 §6.5.5.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Self::Es256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Self::Es384(key) => {
                let signature: p384::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Self::Rs256 => {
                let pair = rsa();
                let mut signature = vec![0; pair.public().modulus_len()];
                let random = ring::rand::SystemRandom::new();
                pair.sign(
                    &ring::signature::RSA_PKCS1_SHA256,
                    &random,
                    message,
                    &mut signature,
                )
                .unwrap();
                signature
            }
        }
    }

    /// The public key as a COSE_Key, its parameters in canonical order.
    #[must_use]
    pub fn cose(&self) -> Cbor {
        let key = |kty: i64, rest: Vec<(i64, Cbor)>| {
            let mut entries = vec![
                (Cbor::Int(1), Cbor::Int(kty)),
                (Cbor::Int(3), Cbor::Int(self.algorithm())),
            ];
            entries.extend(rest.into_iter().map(|(label, value)| (Cbor::Int(label), value)));
            Cbor::Map(entries)
        };
        let ec2 = |crv: i64, point: &[u8]| {
            let (x, y) = point[1..].split_at(point.len() / 2);
            key(
                2,
                vec![
                    (-1, Cbor::Int(crv)),
                    (-2, Cbor::Bytes(x.to_vec())),
                    (-3, Cbor::Bytes(y.to_vec())),
                ],
            )
        };
        match self {
            Self::Ed25519(_) => key(
                1,
                vec![(-1, Cbor::Int(6)), (-2, Cbor::Bytes(self.public_bytes()))],
            ),
            Self::Es256(_) => ec2(1, &self.public_bytes()),
            Self::Es384(_) => ec2(2, &self.public_bytes()),
            Self::Rs256 => {
                let public = rsa().public().clone();
                let components = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(&public);
                key(
                    3,
                    vec![(-1, Cbor::Bytes(components.n)), (-2, Cbor::Bytes(components.e))],
                )
            }
        }
    }

    /// The public key as SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn subject_public_key_info(&self) -> Vec<u8> {
        const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        let algorithm = match self {
            Self::Ed25519(_) => tlv(0x06, &[0x2b, 0x65, 0x70]),
            Self::Es256(_) => [
                tlv(0x06, EC),
                tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]),
            ]
            .concat(),
            Self::Es384(_) => [tlv(0x06, EC), tlv(0x06, &[0x2b, 0x81, 0x04, 0x00, 0x22])].concat(),
            Self::Rs256 => {
                let rsa_encryption = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
                [tlv(0x06, &rsa_encryption), tlv(0x05, &[])].concat()
            }
        };
        let bits = tlv(0x03, &[&[0][..], &self.public_bytes()].concat());
        tlv(0x30, &[tlv(0x30, &algorithm), bits].concat())
    }

    /// The raw key: 32 bytes, an uncompressed point, or an RSAPublicKey in DER.
    #[must_use]
    pub fn public_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.verifying_key().to_bytes().to_vec(),
            Self::Es256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::Es384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::Rs256 => rsa().public().as_ref().to_vec(),
        }
    }
}

fn rsa() -> ring::rsa::KeyPair {
    ring::rsa::KeyPair::from_pkcs8(RS256_TEST_KEY).unwrap()
}
