//! Ed448 (RFC 8032 §5.2) on the curve of ed448-goldilocks-plus: its own verification ignores seven bits of a public key
//! and reduces a y of p or more, so encodings are judged and the equation is checked here.

use ed448_goldilocks_plus::{CompressedEdwardsY, EdwardsPoint, Scalar, ScalarBytes, WideScalarBytes};
use shake::Shake256;
use shake::digest::{ExtendableOutput as _, Update as _, XofReader as _};

use super::{KeyMaterialError, exactly};

/// A point of the group of prime order, other than its neutral element, and its one encoding.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Key {
    bytes: [u8; 57],
    point: EdwardsPoint,
}

/// dom4(0, ""): the prefix, no prehash, a context of no bytes.
const DOMAIN: &[u8; 10] = b"SigEd448\0\0";

impl Key {
    /// From the 57 bytes of RFC 8032 §5.2.2.
    ///
    /// Keys outside the group of prime order are refused: the cofactorless equation below and the cofactored one of
    /// other verifiers would disagree about their signatures, and no key pair is made there.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, KeyMaterialError> {
        let bytes = *exactly::<57>(bytes)?;
        let compressed = CompressedEdwardsY(bytes);
        let point: Option<EdwardsPoint> = compressed.decompress_unchecked().into();
        let point = point
            .filter(|point| bool::from(point.is_on_curve()))
            // y below p, nothing in the last byte but the sign, no sign for x = 0: writing it gives the same bytes.
            .filter(|point| point.compress() == compressed)
            .ok_or(KeyMaterialError::NotOnCurve)?;
        // The cofactor is 4.
        if point.double().double() == EdwardsPoint::IDENTITY {
            return Err(KeyMaterialError::SmallOrder);
        }
        if !bool::from(point.is_torsion_free()) {
            return Err(KeyMaterialError::NotOnCurve);
        }
        Ok(Self { bytes, point })
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 57] {
        &self.bytes
    }

    /// S B = R + k A, as R = S B - k A: the point computed is written and compared, so R has one encoding.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some((r, s)) = signature.split_first_chunk::<57>() else {
            return false;
        };
        let Ok(s) = <[u8; 57]>::try_from(s) else {
            return false;
        };
        // S is below the order of the group: 446 bits in 57 bytes.
        let [.., 0] = s else {
            return false;
        };
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(&ScalarBytes::from(s))) else {
            return false;
        };
        let mut wide = WideScalarBytes::default();
        Shake256::default()
            .chain(DOMAIN)
            .chain(r)
            .chain(self.bytes)
            .chain(message)
            .finalize_xof()
            .read(&mut wide);
        let k = Scalar::from_bytes_mod_order_wide(&wide);
        let commitment = EdwardsPoint::GENERATOR * s - self.point * k;
        // As for Ed25519, no commitment of small order: in this group only the neutral element.
        commitment != EdwardsPoint::IDENTITY && commitment.compress().as_bytes() == r
    }
}
