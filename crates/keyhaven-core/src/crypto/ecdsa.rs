//! ECDSA on the four curves that WebAuthn names.

use ::ecdsa::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use ::ecdsa::elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytesSize, PublicKey};
use ::ecdsa::{EcdsaCurve, der, hazmat};

use super::{Hash, KeyMaterialError, KeyParts, exactly};

/// A curve of WebAuthn L3 §5.8.5.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Curve {
    /// NIST P-256, secp256r1.
    P256,
    /// NIST P-384, secp384r1.
    P384,
    /// NIST P-521, secp521r1.
    P521,
    /// The curve of ES256K.
    Secp256k1,
}

/// Two coordinates of the right size, uncompressed as SEC1 §2.3.3 writes a point: 04, x, y.
///
/// Whether they are a point on the curve is told by [`Point::is_on_curve`], and again by each verification: all back ends
/// look at it and verify nothing with a point that is not.
#[derive(Clone, Eq, PartialEq)]
pub(super) enum Point {
    P256([u8; 65]),
    P384([u8; 97]),
    P521([u8; 133]),
    Secp256k1([u8; 65]),
}

impl Curve {
    /// The size of a coordinate in bytes.
    pub(crate) const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Its identifier in a COSE_Key (RFC 9053 §7.1, RFC 8812 §3.1).
    pub(crate) const fn cose_identifier(self) -> i64 {
        match self {
            Self::P256 => 1,
            Self::P384 => 2,
            Self::P521 => 3,
            Self::Secp256k1 => 8,
        }
    }

    /// Its name in a JSON Web Key (RFC 7518 §6.2.1.1, RFC 8812 §3.1).
    pub(crate) const fn jwk_name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Secp256k1 => "secp256k1",
        }
    }
}

impl Point {
    /// From coordinates, each of exactly the size of the field.
    pub(super) fn new(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyMaterialError> {
        Ok(match curve {
            Curve::P256 => Self::P256(uncompressed(exactly::<32>(x)?, exactly::<32>(y)?)),
            Curve::P384 => Self::P384(uncompressed(exactly::<48>(x)?, exactly::<48>(y)?)),
            Curve::P521 => Self::P521(uncompressed(exactly::<66>(x)?, exactly::<66>(y)?)),
            Curve::Secp256k1 => Self::Secp256k1(uncompressed(exactly::<32>(x)?, exactly::<32>(y)?)),
        })
    }

    /// Whether it is on its curve.
    pub(super) fn is_on_curve(&self) -> bool {
        match self {
            Self::P256(sec1) => p256::PublicKey::from_sec1_bytes(sec1).is_ok(),
            Self::P384(sec1) => p384::PublicKey::from_sec1_bytes(sec1).is_ok(),
            #[cfg(feature = "es512")]
            Self::P521(sec1) => p521::PublicKey::from_sec1_bytes(sec1).is_ok(),
            #[cfg(feature = "es256k")]
            Self::Secp256k1(sec1) => k256::PublicKey::from_sec1_bytes(sec1).is_ok(),
            // No scheme of this build names the curve.
            #[cfg(not(all(feature = "es512", feature = "es256k")))]
            _ => false,
        }
    }

    pub(super) const fn curve(&self) -> Curve {
        match self {
            Self::P256(_) => Curve::P256,
            Self::P384(_) => Curve::P384,
            Self::P521(_) => Curve::P521,
            Self::Secp256k1(_) => Curve::Secp256k1,
        }
    }

    pub(super) fn parts(&self) -> KeyParts<'_> {
        let coordinates = match self {
            Self::P256([_, coordinates @ ..]) | Self::Secp256k1([_, coordinates @ ..]) => &coordinates[..],
            Self::P384([_, coordinates @ ..]) => coordinates,
            Self::P521([_, coordinates @ ..]) => coordinates,
        };
        let curve = self.curve();
        let (x, y) = coordinates
            .split_at_checked(curve.coordinate_len())
            .unwrap_or_default();
        KeyParts::Ec { curve, x, y }
    }

    /// Whether `signature`, in DER, is this key's over the hash of `message`.
    pub(super) fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        #[cfg(feature = "ring")]
        {
            use ring::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1};
            match (self, hash) {
                (Self::P256(sec1), Hash::Sha256) => {
                    return by_ring(&ECDSA_P256_SHA256_ASN1, sec1, message, signature);
                }
                (Self::P384(sec1), Hash::Sha384) => {
                    return by_ring(&ECDSA_P384_SHA384_ASN1, sec1, message, signature);
                }
                _ => {}
            }
        }
        self.verify_in_rust(hash, message, signature)
    }

    /// The same without ring: the other curves, hashes that ring does not pair with its own, and builds without it.
    pub(super) fn verify_in_rust(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(sec1) => by_rust::<p256::NistP256>(sec1, hash, message, signature),
            Self::P384(sec1) => by_rust::<p384::NistP384>(sec1, hash, message, signature),
            #[cfg(feature = "es512")]
            Self::P521(sec1) => by_rust::<p521::NistP521>(sec1, hash, message, signature),
            #[cfg(feature = "es256k")]
            Self::Secp256k1(sec1) => by_rust::<k256::Secp256k1>(sec1, hash, message, signature),
            #[cfg(not(all(feature = "es512", feature = "es256k")))]
            _ => false,
        }
    }
}

#[cfg(feature = "ring")]
fn by_ring(
    algorithm: &'static dyn ring::signature::VerificationAlgorithm,
    sec1: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    ring::signature::UnparsedPublicKey::new(algorithm, sec1)
        .verify(message, signature)
        .is_ok()
}

fn by_rust<C>(sec1: &[u8], hash: Hash, message: &[u8], signature: &[u8]) -> bool
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
    der::MaxSize<C>: ::ecdsa::elliptic_curve::array::ArraySize,
    <FieldBytesSize<C> as core::ops::Add>::Output:
        core::ops::Add<der::MaxOverhead> + ::ecdsa::elliptic_curve::array::ArraySize,
{
    let Ok(key) = PublicKey::<C>::from_sec1_bytes(sec1) else {
        return false;
    };
    let Ok(signature) =
        der::Signature::<C>::from_bytes(signature).and_then(::ecdsa::Signature::<C>::try_from)
    else {
        return false;
    };
    // k256 follows Bitcoin in refusing the larger s of the two; WebAuthn knows no such rule. r and n - s verify exactly
    // where r and s do.
    let signature = signature.normalize_s();
    let prehash = hash.digest(&[message]);
    hazmat::verify_prehashed::<C>(&key.to_projective(), prehash.as_ref(), &signature).is_ok()
}

/// SEC1 §2.3.3: 04, x, y. `P` is `1 + 2 * N`.
fn uncompressed<const N: usize, const P: usize>(x: &[u8; N], y: &[u8; N]) -> [u8; P] {
    const { assert!(P == 1 + 2 * N) };
    let mut point = [4; P];
    let (_, coordinates) = point.split_at_mut(1);
    let (to_x, to_y) = coordinates.split_at_mut(N);
    to_x.copy_from_slice(x);
    to_y.copy_from_slice(y);
    point
}
