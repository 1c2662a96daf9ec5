//! ES256 keys whose signatures cost next to nothing, because all that does not depend on the message is done before.
//!
//! A signature is `r = (kG).x`, `s = k⁻¹ (h + r d)`. The point multiplication, nearly all of the work, needs the nonce
//! alone. Nonces are made ahead and used again: that gives the private key away, which nobody minds here.

use p256::elliptic_curve::Group as _;
use p256::elliptic_curve::ops::Reduce as _;
use p256::elliptic_curve::point::AffineCoordinates as _;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{FieldBytes, ProjectivePoint, Scalar};
use ring::digest::{Context, SHA256, digest};

/// How many key pairs there are; credentials share them.
pub(crate) const KEYS: usize = 64;

/// How many nonces there are.
const NONCES: usize = 256;

/// The keys of all credentials.
pub(crate) struct Signer {
    secrets: Vec<Scalar>,
    /// The public keys, as COSE_Keys (77 bytes).
    public: Vec<Vec<u8>>,
    nonces: Vec<(Scalar, Scalar)>,
}

impl Signer {
    /// Always the same keys.
    pub(crate) fn new() -> Self {
        let secrets: Vec<Scalar> = (0..KEYS).map(|n| scalar("key", n)).collect();
        let public = secrets.iter().map(cose).collect();
        let nonces = (0..NONCES)
            .filter_map(|n| {
                let k = scalar("nonce", n);
                let point = (ProjectivePoint::generator() * k).to_affine();
                let r = Scalar::reduce(&point.x());
                Some((Option::<Scalar>::from(k.invert())?, r))
            })
            .collect();
        Self {
            secrets,
            public,
            nonces,
        }
    }

    /// The public key of credential number `n`, as a COSE_Key.
    pub(crate) fn public_key(&self, n: u64) -> &[u8] {
        self.public.get(index(n, KEYS)).map_or(&[], Vec::as_slice)
    }

    /// Signs for credential number `n`: the DER of an ECDSA signature over the concatenated parts.
    pub(crate) fn sign(&self, n: u64, turn: u64, parts: [&[u8]; 2]) -> Vec<u8> {
        let mut hash = Context::new(&SHA256);
        parts.iter().for_each(|part| hash.update(part));
        let h = Scalar::reduce(&bytes(hash.finish().as_ref()));
        let none = (Scalar::ONE, Scalar::ONE);
        let d = self.secrets.get(index(n, KEYS)).copied().unwrap_or(Scalar::ONE);
        let (inverse, r) = self.nonces.get(index(turn, NONCES)).copied().unwrap_or(none);
        let s = inverse * (h + r * d);
        der(&r.to_bytes(), &s.to_bytes())
    }
}

fn index(n: u64, len: usize) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX) % len
}

fn scalar(what: &str, n: usize) -> Scalar {
    let seed = format!("keyhaven load {what} {n}");
    Scalar::reduce(&bytes(digest(&SHA256, seed.as_bytes()).as_ref()))
}

fn bytes(slice: &[u8]) -> FieldBytes {
    FieldBytes::try_from(slice).unwrap_or_default()
}

fn cose(secret: &Scalar) -> Vec<u8> {
    let point = (ProjectivePoint::generator() * *secret)
        .to_affine()
        .to_sec1_point(false);
    let (x, y) = point.as_bytes().get(1..).unwrap_or_default().split_at(32);
    // {1: 2, 3: -7, -1: 1, -2: x, -3: y}
    [
        &[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20],
        x,
        &[0x22, 0x58, 0x20],
        y,
    ]
    .concat()
}

/// SEQUENCE of two INTEGERs of at most 33 bytes.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let mut out = vec![0x30, 0];
    for number in [r, s] {
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(31);
        let number = number.get(start..).unwrap_or_default();
        let pad = number.first().is_some_and(|byte| byte & 0x80 != 0);
        out.push(0x02);
        out.push(u8::try_from(number.len()).unwrap_or(0) + u8::from(pad));
        if pad {
            out.push(0);
        }
        out.extend_from_slice(number);
    }
    let len = u8::try_from(out.len() - 2).unwrap_or(0);
    if let Some(place) = out.get_mut(1) {
        *place = len;
    }
    out
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;

    #[test]
    fn another_implementation_accepts_the_signatures() {
        let signer = Signer::new();
        for n in 0..1000 {
            let cose = signer.public_key(n);
            let point = [&[4], &cose[10..42], &cose[45..77]].concat();
            let signature = signer.sign(n, n * 7, [b"message", &n.to_be_bytes()]);
            let message = [&b"message"[..], &n.to_be_bytes()].concat();
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
            assert!(key.verify(&message, &signature).is_ok(), "{n}");
            assert!(key.verify(b"another", &signature).is_err());
        }
    }
}
