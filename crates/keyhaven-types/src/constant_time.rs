//! Comparing bytes in time that depends on their number only.

use subtle::{Choice, ConstantTimeEq as _};

/// Whether both are the same bytes. Eight at a time: one by one, it would be a noticeable part of what a verification
/// costs beside its signature.
pub(crate) fn eq(a: &[u8], b: &[u8]) -> Choice {
    if a.len() != b.len() {
        return Choice::from(0);
    }
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    a.iter().zip(b).fold(a_rest.ct_eq(b_rest), |equal, (a, b)| {
        equal & u64::from_ne_bytes(*a).ct_eq(&u64::from_ne_bytes(*b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_equal_themselves_and_nothing_that_differs_in_one_bit_or_in_length() {
        let bytes: Vec<u8> = (0..40).collect();
        for len in 0..=bytes.len() {
            let one = &bytes[..len];
            assert!(bool::from(eq(one, one)), "{len}");
            for bit in 0..len * 8 {
                let mut other = one.to_vec();
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(!bool::from(eq(one, &other)), "{len} {bit}");
            }
            for shorter in 0..len {
                assert!(!bool::from(eq(one, &one[..shorter])), "{len} {shorter}");
                assert!(!bool::from(eq(&one[..shorter], one)), "{len} {shorter}");
            }
        }
    }
}
