//! Signers for every algorithm, by the crates that verify them; what they make other implementations make too
//! (`openssl.rs`, `wycheproof.rs`).

use ::ecdsa::signature::hazmat::PrehashSigner;
use keyhaven_testkit::authenticator::Cbor;
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512};
use ring::signature::{RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512};
use ring::signature::{RsaEncoding, RsaKeyPair, RsaPublicKeyComponents};

use super::*;

/// The algorithms that every build has.
pub(super) const ALWAYS: [i64; 12] = [-7, -8, -9, -19, -35, -37, -38, -39, -51, -257, -258, -259];
/// All that WebAuthn names and Keyhaven verifies.
pub(super) const ALL: [i64; 19] = [
    -7, -8, -9, -19, -35, -36, -37, -38, -39, -47, -48, -49, -50, -51, -52, -53, -257, -258, -259,
];

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

pub(super) struct Signer {
    algorithm: i64,
    /// COSE_Key parameters other than `alg`.
    parameters: Vec<(i64, Cbor)>,
    sign: Sign,
}

macro_rules! ecdsa {
    ($curve:ident, $crv:literal, $size:literal, $seed:ident, $hash:ident) => {{
        let mut secret = [0; $size];
        secret[$size - 32..].copy_from_slice(Hash::Sha256.digest(&[&[$seed]]).as_ref());
        let key = $curve::ecdsa::SigningKey::from_slice(&secret).unwrap();
        let point = key.verifying_key().to_sec1_point(false);
        let (x, y) = (point.x().unwrap().to_vec(), point.y().unwrap().to_vec());
        let sign = move |message: &[u8]| {
            let digest = $hash.digest(&[message]);
            let signature: $curve::ecdsa::Signature = key.sign_prehash(digest.as_ref()).unwrap();
            signature.to_der().as_bytes().to_vec()
        };
        let parameters = vec![
            (1, Cbor::Int(2)),
            (-1, Cbor::Int($crv)),
            (-2, Cbor::Bytes(x)),
            (-3, Cbor::Bytes(y)),
        ];
        (parameters, boxed(sign))
    }};
}

#[cfg(feature = "ml-dsa")]
macro_rules! ml_dsa {
    ($set:ident, $seed:ident) => {{
        use ::ml_dsa::{B32, SigningKey, $set};
        let key = SigningKey::<$set>::from_seed(&B32::from([$seed; 32]));
        let public = key.expanded_key().verifying_key().encode().to_vec();
        let sign = move |message: &[u8]| {
            let signature = key.expanded_key().sign_deterministic(message, &[]).unwrap();
            signature.encode().to_vec()
        };
        (vec![(1, Cbor::Int(7)), (-1, Cbor::Bytes(public))], boxed(sign))
    }};
}

impl Signer {
    /// `None` for an algorithm that this build does not verify. All RSA signers have one key, whatever the seed.
    pub(super) fn new(algorithm: i64, seed: u8) -> Option<Self> {
        #[cfg(feature = "es512")]
        use Hash::Sha512;
        use Hash::{Sha256, Sha384};
        let (parameters, sign) = match algorithm {
            -7 | -9 => ecdsa!(p256, 1, 32, seed, Sha256),
            -35 | -51 => ecdsa!(p384, 2, 48, seed, Sha384),
            #[cfg(feature = "es512")]
            -36 | -52 => ecdsa!(p521, 3, 66, seed, Sha512),
            #[cfg(feature = "es256k")]
            -47 => ecdsa!(k256, 8, 32, seed, Sha256),
            -8 | -19 => {
                use ed25519_dalek::ed25519::signature::Signer as _;
                let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
                let public = key.verifying_key().to_bytes().to_vec();
                let sign = move |message: &[u8]| key.sign(message).to_bytes().to_vec();
                (okp(6, public), boxed(sign))
            }
            #[cfg(feature = "ed448")]
            -53 => {
                let key = ed448_goldilocks_plus::SigningKey::from_bytes(&[seed; 57].into());
                let public = key.verifying_key().to_bytes().to_vec();
                let sign = move |message: &[u8]| key.sign_raw(message).to_bytes().to_vec();
                (okp(7, public), boxed(sign))
            }
            #[cfg(feature = "ml-dsa")]
            -48 => ml_dsa!(MlDsa44, seed),
            #[cfg(feature = "ml-dsa")]
            -49 => ml_dsa!(MlDsa65, seed),
            #[cfg(feature = "ml-dsa")]
            -50 => ml_dsa!(MlDsa87, seed),
            -257 => rsa(&RSA_PKCS1_SHA256),
            -258 => rsa(&RSA_PKCS1_SHA384),
            -259 => rsa(&RSA_PKCS1_SHA512),
            -37 => rsa(&RSA_PSS_SHA256),
            -38 => rsa(&RSA_PSS_SHA384),
            -39 => rsa(&RSA_PSS_SHA512),
            _ => return None,
        };
        Some(Self {
            algorithm,
            parameters,
            sign,
        })
    }

    pub(super) fn cose(&self) -> Cbor {
        let mut entries = self.parameters.clone();
        entries.insert(1, (3, Cbor::Int(self.algorithm)));
        Cbor::Map(
            entries
                .into_iter()
                .map(|(label, value)| (Cbor::Int(label), value))
                .collect(),
        )
    }

    /// `crv`, where the key type has one.
    pub(super) fn curve(&self) -> Option<i64> {
        self.parameters.iter().find_map(|parameter| match parameter {
            (-1, Cbor::Int(crv)) => Some(*crv),
            _ => None,
        })
    }

    /// The bytes of a COSE_Key parameter.
    pub(super) fn bytes(&self, label: i64) -> Vec<u8> {
        let found = self.parameters.iter().find(|(name, _)| *name == label);
        match found {
            Some((_, Cbor::Bytes(bytes))) => bytes.clone(),
            _ => panic!("no bytes {label}"),
        }
    }

    pub(super) fn public_key(&self) -> crate::PublicKey {
        crate::PublicKey::from_cose(&self.cose().encode()).unwrap()
    }

    pub(super) fn key(&self) -> VerifyingKey {
        self.public_key().into_key()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        (self.sign)(message)
    }
}

fn boxed(sign: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Sign {
    Box::new(sign)
}

fn okp(crv: i64, x: Vec<u8>) -> Vec<(i64, Cbor)> {
    vec![(1, Cbor::Int(1)), (-1, Cbor::Int(crv)), (-2, Cbor::Bytes(x))]
}

fn rsa(encoding: &'static dyn RsaEncoding) -> (Vec<(i64, Cbor)>, Sign) {
    let key = RsaKeyPair::from_pkcs8(include_bytes!("rsa2048.pk8")).unwrap();
    let public: RsaPublicKeyComponents<Vec<u8>> = key.public_key().into();
    let parameters = vec![
        (1, Cbor::Int(3)),
        (-1, Cbor::Bytes(public.n)),
        (-2, Cbor::Bytes(public.e)),
    ];
    let sign = move |message: &[u8]| {
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(encoding, &SystemRandom::new(), message, &mut signature)
            .unwrap();
        signature
    };
    (parameters, Box::new(sign))
}
