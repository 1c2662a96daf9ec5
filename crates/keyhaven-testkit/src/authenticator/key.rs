use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest};

use super::cbor::Cbor;
use super::certificate::{object_identifier, tlv};
use super::rsa::RsaKey;

/// A private key and the COSE algorithm it signs by, for a credential or an attestation.
#[derive(Clone, Debug)]
pub struct SigningKey {
    algorithm: i64,
    secret: Secret,
}

#[derive(Clone, Debug)]
enum Secret {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    #[cfg(feature = "algorithms")]
    Ed448(Box<ed448_goldilocks_plus::SigningKey>),
    #[cfg(feature = "algorithms")]
    K256(Box<k256::ecdsa::SigningKey>),
    /// The seed of one of the three parameter sets; the algorithm says which.
    #[cfg(feature = "algorithms")]
    MlDsa([u8; 32]),
    P256(Box<p256::ecdsa::SigningKey>),
    P384(Box<p384::ecdsa::SigningKey>),
    #[cfg(feature = "algorithms")]
    P521(Box<p521::ecdsa::SigningKey>),
    Rsa(Box<RsaKey>),
}

impl SigningKey {
    /// Every algorithm there is a key for under the feature `algorithms`; RS1 (-65535) is for statements alone.
    pub const ALL: [i64; 20] = [
        -7, -8, -9, -19, -35, -36, -37, -38, -39, -47, -48, -49, -50, -51, -52, -53, -257, -258, -259, -65535,
    ];

    /// The key for a COSE algorithm that belongs to `seed`; `None` for an algorithm this authenticator lacks.
    ///
    /// RSA keys have 2048 bits and are all one, whatever the seed.
    #[must_use]
    pub fn new(algorithm: i64, seed: &[u8]) -> Option<Self> {
        let bytes: [u8; 32] = digest(&SHA256, seed).as_ref().try_into().unwrap();
        let secret = match algorithm {
            -7 | -9 => Secret::P256(Box::new(p256::ecdsa::SigningKey::from_slice(&bytes).unwrap())),
            -8 | -19 => Secret::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&bytes))),
            -35 | -51 => Secret::P384(Box::new(
                p384::ecdsa::SigningKey::from_slice(&[&[0; 16], &bytes[..]].concat()).unwrap(),
            )),
            #[cfg(feature = "algorithms")]
            -36 | -52 => Secret::P521(Box::new(
                p521::ecdsa::SigningKey::from_slice(&[&[0; 34], &bytes[..]].concat()).unwrap(),
            )),
            #[cfg(feature = "algorithms")]
            -47 => Secret::K256(Box::new(k256::ecdsa::SigningKey::from_slice(&bytes).unwrap())),
            #[cfg(feature = "algorithms")]
            -50..=-48 => Secret::MlDsa(bytes),
            #[cfg(feature = "algorithms")]
            -53 => {
                let seed: [u8; 57] = [&bytes[..], &bytes[..25]].concat().try_into().unwrap();
                Secret::Ed448(Box::new(ed448_goldilocks_plus::SigningKey::from_bytes(
                    &seed.into(),
                )))
            }
            _ => return Self::rsa(algorithm, 2048),
        };
        Some(Self { algorithm, secret })
    }

    /// The RSA key of 1024, 2048, 3072 or 8192 bits for an RSA algorithm. There is one of each, known to everybody.
    #[must_use]
    pub fn rsa(algorithm: i64, bits: u16) -> Option<Self> {
        if !matches!(algorithm, -37 | -38 | -39 | -257 | -258 | -259 | -65535) {
            return None;
        }
        let secret = Secret::Rsa(Box::new(RsaKey::of_bits(bits)?));
        Some(Self { algorithm, secret })
    }

    /// The same key under another algorithm's name, fitting or not.
    #[must_use]
    pub fn renamed(&self, algorithm: i64) -> Self {
        Self {
            algorithm,
            ..self.clone()
        }
    }

    /// The COSE algorithm.
    #[must_use]
    pub fn algorithm(&self) -> i64 {
        self.algorithm
    }

    /// Signs a message, in the signature form of WebAuthn L3 §6.5.5. The same message gives the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            #[cfg(feature = "algorithms")]
            Secret::Ed448(key) => key.sign_raw(message).to_bytes().to_vec(),
            #[cfg(feature = "algorithms")]
            Secret::MlDsa(seed) => ml_dsa(self.algorithm, seed, Some(message)),
            Secret::Rsa(key) if matches!(self.algorithm, -39..=-37) => {
                let hash = self.hash();
                key.sign_pss(hash, message, hash.output_len())
            }
            Secret::Rsa(key) => key.sign_pkcs1(self.hash(), message),
            _ => self.sign_digest(digest(self.hash(), message).as_ref()),
        }
    }

    /// Signs a message's hash by ECDSA, whatever hash that is. DER.
    ///
    /// # Panics
    /// For a key that does not sign by ECDSA.
    #[must_use]
    pub fn sign_digest(&self, hash: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign_prehash(hash).unwrap();
                signature.to_der().as_bytes().to_vec()
            }
            Secret::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign_prehash(hash).unwrap();
                signature.to_der().as_bytes().to_vec()
            }
            #[cfg(feature = "algorithms")]
            Secret::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign_prehash(hash).unwrap();
                signature.to_der().as_bytes().to_vec()
            }
            #[cfg(feature = "algorithms")]
            Secret::K256(key) => {
                let signature: k256::ecdsa::Signature = key.sign_prehash(hash).unwrap();
                signature.to_der().as_bytes().to_vec()
            }
            _ => panic!("no ECDSA key"),
        }
    }

    /// Signs a message in the form of RFC 7518: an ECDSA signature is r and s side by side, each of the curve's size.
    #[must_use]
    pub fn sign_jose(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.sign(message);
        let size = match &self.secret {
            Secret::P256(_) => 32,
            Secret::P384(_) => 48,
            _ => return signature,
        };
        // SEQUENCE { INTEGER r, INTEGER s }, all lengths below 128.
        let (r, s) = signature[4..].split_at(usize::from(signature[3]));
        let fixed = |integer: &[u8]| {
            let start = integer.iter().take_while(|byte| **byte == 0).count();
            [vec![0; size - (integer.len() - start)], integer[start..].to_vec()].concat()
        };
        [fixed(r), fixed(&s[2..])].concat()
    }

    /// Signs by RSASSA-PSS with a salt of this many bytes.
    ///
    /// # Panics
    /// For a key that is not RSA.
    #[must_use]
    pub fn sign_pss(&self, message: &[u8], salt_len: usize) -> Vec<u8> {
        let Secret::Rsa(key) = &self.secret else {
            panic!("no RSA key")
        };
        key.sign_pss(self.hash(), message, salt_len)
    }

    /// The hash function of the algorithm; SHA-256 for those that have none of their own.
    fn hash(&self) -> &'static ring::digest::Algorithm {
        match self.algorithm {
            -35 | -38 | -51 | -258 => &SHA384,
            -36 | -39 | -52 | -259 => &SHA512,
            -65535 => &SHA1_FOR_LEGACY_USE_ONLY,
            _ => &SHA256,
        }
    }

    /// `message` hashed by the algorithm's hash function.
    #[must_use]
    pub fn digest(&self, message: &[u8]) -> Vec<u8> {
        digest(self.hash(), message).as_ref().to_vec()
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
        let public = self.public_bytes();
        let ec2 = |crv: i64| {
            let (x, y) = public[1..].split_at(public.len() / 2);
            key(
                2,
                vec![
                    (-1, Cbor::Int(crv)),
                    (-2, Cbor::Bytes(x.to_vec())),
                    (-3, Cbor::Bytes(y.to_vec())),
                ],
            )
        };
        let okp = |crv: i64| key(1, vec![(-1, Cbor::Int(crv)), (-2, Cbor::Bytes(public.clone()))]);
        match &self.secret {
            Secret::Ed25519(_) => okp(6),
            #[cfg(feature = "algorithms")]
            Secret::Ed448(_) => okp(7),
            #[cfg(feature = "algorithms")]
            Secret::K256(_) => ec2(8),
            #[cfg(feature = "algorithms")]
            Secret::MlDsa(_) => key(7, vec![(-1, Cbor::Bytes(public.clone()))]),
            Secret::P256(_) => ec2(1),
            Secret::P384(_) => ec2(2),
            #[cfg(feature = "algorithms")]
            Secret::P521(_) => ec2(3),
            Secret::Rsa(rsa) => {
                let (n, e) = rsa.public();
                key(3, vec![(-1, Cbor::Bytes(n)), (-2, Cbor::Bytes(e))])
            }
        }
    }

    /// The public key as SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn subject_public_key_info(&self) -> Vec<u8> {
        let ec = |curve: &str| [object_identifier("1.2.840.10045.2.1"), object_identifier(curve)].concat();
        let algorithm = match &self.secret {
            Secret::Ed25519(_) => object_identifier("1.3.101.112"),
            #[cfg(feature = "algorithms")]
            Secret::Ed448(_) => object_identifier("1.3.101.113"),
            #[cfg(feature = "algorithms")]
            Secret::K256(_) => ec("1.3.132.0.10"),
            #[cfg(feature = "algorithms")]
            Secret::MlDsa(_) => object_identifier(match self.algorithm {
                -48 => "2.16.840.1.101.3.4.3.17",
                -49 => "2.16.840.1.101.3.4.3.18",
                _ => "2.16.840.1.101.3.4.3.19",
            }),
            Secret::P256(_) => ec("1.2.840.10045.3.1.7"),
            Secret::P384(_) => ec("1.3.132.0.34"),
            #[cfg(feature = "algorithms")]
            Secret::P521(_) => ec("1.3.132.0.35"),
            Secret::Rsa(_) => [object_identifier("1.2.840.113549.1.1.1"), tlv(0x05, &[])].concat(),
        };
        let bits = tlv(0x03, &[&[0][..], &self.public_bytes()].concat());
        tlv(0x30, &[tlv(0x30, &algorithm), bits].concat())
    }

    /// The AlgorithmIdentifier of this key's signatures on certificates, in DER.
    ///
    /// # Panics
    /// For PS256, PS384 and PS512.
    #[must_use]
    pub fn signature_algorithm_identifier(&self) -> Vec<u8> {
        let rsa = |arc: &str| {
            let identifier = object_identifier(&format!("1.2.840.113549.1.1.{arc}"));
            [identifier, tlv(0x05, &[])].concat()
        };
        let identifier = match (&self.secret, self.algorithm) {
            (Secret::Rsa(_), -65535) => rsa("5"),
            (Secret::Rsa(_), -257) => rsa("11"),
            (Secret::Rsa(_), -258) => rsa("12"),
            (Secret::Rsa(_), -259) => rsa("13"),
            (Secret::Rsa(_), _) => panic!("no certificates are signed by PSS"),
            (Secret::Ed25519(_), _) => object_identifier("1.3.101.112"),
            #[cfg(feature = "algorithms")]
            (Secret::Ed448(_), _) => object_identifier("1.3.101.113"),
            #[cfg(feature = "algorithms")]
            (Secret::MlDsa(_), -48) => object_identifier("2.16.840.1.101.3.4.3.17"),
            #[cfg(feature = "algorithms")]
            (Secret::MlDsa(_), -49) => object_identifier("2.16.840.1.101.3.4.3.18"),
            #[cfg(feature = "algorithms")]
            (Secret::MlDsa(_), _) => object_identifier("2.16.840.1.101.3.4.3.19"),
            (Secret::P384(_), _) => object_identifier("1.2.840.10045.4.3.3"),
            #[cfg(feature = "algorithms")]
            (Secret::P521(_), _) => object_identifier("1.2.840.10045.4.3.4"),
            _ => object_identifier("1.2.840.10045.4.3.2"),
        };
        tlv(0x30, &identifier)
    }

    /// The raw public key: an encoded point or key, an uncompressed point, or an RSAPublicKey in DER.
    #[must_use]
    pub fn public_bytes(&self) -> Vec<u8> {
        match &self.secret {
            Secret::Ed25519(key) => key.verifying_key().to_bytes().to_vec(),
            #[cfg(feature = "algorithms")]
            Secret::Ed448(key) => key.verifying_key().to_bytes().to_vec(),
            #[cfg(feature = "algorithms")]
            Secret::K256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            #[cfg(feature = "algorithms")]
            Secret::MlDsa(seed) => ml_dsa(self.algorithm, seed, None),
            Secret::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Secret::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            #[cfg(feature = "algorithms")]
            Secret::P521(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Secret::Rsa(key) => key.rsa_public_key(),
        }
    }
}

/// The signature over a message, by the deterministic variant of ML-DSA; without a message the public key.
#[cfg(feature = "algorithms")]
fn ml_dsa(algorithm: i64, seed: &[u8; 32], message: Option<&[u8]>) -> Vec<u8> {
    fn of<P: ml_dsa::MlDsaParams>(seed: [u8; 32], message: Option<&[u8]>) -> Vec<u8> {
        let key = ml_dsa::SigningKey::<P>::from_seed(&ml_dsa::B32::from(seed));
        match message {
            None => key.expanded_key().verifying_key().encode().to_vec(),
            Some(message) => {
                let signature = key.expanded_key().sign_deterministic(message, &[]).unwrap();
                signature.encode().to_vec()
            }
        }
    }
    match algorithm {
        -48 => of::<ml_dsa::MlDsa44>(*seed, message),
        -49 => of::<ml_dsa::MlDsa65>(*seed, message),
        _ => of::<ml_dsa::MlDsa87>(*seed, message),
    }
}
