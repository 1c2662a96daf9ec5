//! Codes that people type: drawn, and read.

use crate::ports::{Random, RandomUnavailable};

/// Six digits, each million alike.
pub(crate) fn digits(random: &dyn Random) -> Result<String, RandomUnavailable> {
    const CODES: u32 = 1_000_000;
    loop {
        let mut bytes = [0; 4];
        random.fill(&mut bytes)?;
        let drawn = u32::from_be_bytes(bytes);
        // The last, incomplete million would make some codes likelier.
        if drawn < u32::MAX / CODES * CODES {
            return Ok(format!("{:06}", drawn % CODES));
        }
    }
}

/// Crockford's base 32: no letter that looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 80 random bits in four groups of four.
pub(crate) fn recovery_code(random: &dyn Random) -> Result<String, RandomUnavailable> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes)?;
    let mut code = String::with_capacity(19);
    for (n, byte) in bytes.into_iter().enumerate() {
        if n > 0 && n % 4 == 0 {
            code.push('-');
        }
        let letter = ALPHABET.get(usize::from(byte % 32));
        code.extend(letter.map(|letter| char::from(*letter)));
    }
    Ok(code)
}

/// A recovery code as people type it, without what they may leave out or mistake. `None`: it is none.
pub(crate) fn normalised(code: &str) -> Option<String> {
    let mut plain = String::with_capacity(16);
    for character in code.chars() {
        match character.to_ascii_uppercase() {
            '-' | ' ' => {}
            'O' => plain.push('0'),
            'I' | 'L' => plain.push('1'),
            character if ALPHABET.iter().any(|letter| char::from(*letter) == character) => {
                plain.push(character);
            }
            _ => return None,
        }
        if plain.len() > 16 {
            return None;
        }
    }
    (plain.len() == 16).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sequence(std::sync::Mutex<Vec<u8>>);

    impl Random for Sequence {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
            let mut left = self.0.lock().unwrap();
            if left.len() < bytes.len() {
                return Err(RandomUnavailable);
            }
            let rest = left.split_off(bytes.len());
            bytes.copy_from_slice(&left);
            *left = rest;
            Ok(())
        }
    }

    fn drawn(bytes: &[u8]) -> Sequence {
        Sequence(std::sync::Mutex::new(bytes.to_vec()))
    }

    #[test]
    fn codes_have_six_digits_and_none_is_likelier() {
        assert_eq!(digits(&drawn(&[0, 0, 0, 7])).unwrap(), "000007");
        assert_eq!(digits(&drawn(&[0, 15, 66, 64])).unwrap(), "000000");
        // What is above the last whole million is drawn again.
        let high = (u32::MAX / 1_000_000 * 1_000_000).to_be_bytes();
        assert_eq!(
            digits(&drawn(&[&high[..], &[0, 0, 0, 1]].concat())).unwrap(),
            "000001"
        );
        assert!(digits(&drawn(&[])).is_err());
    }

    #[test]
    fn a_recovery_code_is_read_as_people_type_it() {
        let code = recovery_code(&drawn(&(0..16).collect::<Vec<u8>>())).unwrap();
        assert_eq!(code, "0123-4567-89AB-CDEF");
        let plain = normalised(&code).unwrap();
        for typed in ["0123456789abcdef", "o1 23 4567 89AB cdef", "ol23-4567-89ab-cdef"] {
            assert_eq!(normalised(typed).as_ref(), Some(&plain), "{typed}");
        }
        for odd in [
            "",
            "0123-4567-89AB-CDE",
            "0123-4567-89AB-CDEF0",
            "0123-4567-89AB-CDEU",
            "ä",
        ] {
            assert_eq!(normalised(odd), None, "{odd}");
        }
        assert_eq!(normalised(&"0".repeat(100_000)), None);
    }
}
