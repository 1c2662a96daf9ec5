//! Hashing: by ring where it is there, else by sha1 and sha2.

/// A hash function.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hash {
    /// Broken against collisions. Only for what old attestation statements contain, and only where a policy says so.
    Sha1,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-384 (FIPS 180-4).
    Sha384,
    /// SHA-512 (FIPS 180-4).
    Sha512,
}

/// What a [`Hash`] gives: as many bytes as [`Hash::len`] says.
#[derive(Clone, Copy)]
pub(crate) struct Digest(backend::Digest);

impl Hash {
    /// The hash of `parts`, one after the other.
    pub(crate) fn digest(self, parts: &[&[u8]]) -> Digest {
        Digest(backend::digest(self, parts))
    }

    /// The number of bytes it gives.
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(Hash::Sha256.digest(&[bytes]).as_ref());
    hash
}

#[cfg(feature = "ring")]
mod backend {
    use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};

    use super::Hash;

    pub(super) type Digest = ring::digest::Digest;

    pub(super) fn digest(hash: Hash, parts: &[&[u8]]) -> Digest {
        let mut context = Context::new(match hash {
            Hash::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &SHA256,
            Hash::Sha384 => &SHA384,
            Hash::Sha512 => &SHA512,
        });
        for part in parts {
            context.update(part);
        }
        context.finish()
    }
}

#[cfg(not(feature = "ring"))]
mod backend {
    use sha1::Sha1;
    use sha2::{Digest as Hasher, Sha256, Sha384, Sha512};

    use super::Hash;

    #[derive(Clone, Copy)]
    pub(super) enum Digest {
        Sha1([u8; 20]),
        Sha256([u8; 32]),
        Sha384([u8; 48]),
        Sha512([u8; 64]),
    }

    impl AsRef<[u8]> for Digest {
        fn as_ref(&self) -> &[u8] {
            match self {
                Self::Sha1(bytes) => bytes,
                Self::Sha256(bytes) => bytes,
                Self::Sha384(bytes) => bytes,
                Self::Sha512(bytes) => bytes,
            }
        }
    }

    pub(super) fn digest(hash: Hash, parts: &[&[u8]]) -> Digest {
        match hash {
            Hash::Sha1 => Digest::Sha1(of::<Sha1>(parts).into()),
            Hash::Sha256 => Digest::Sha256(of::<Sha256>(parts).into()),
            Hash::Sha384 => Digest::Sha384(of::<Sha384>(parts).into()),
            Hash::Sha512 => Digest::Sha512(of::<Sha512>(parts).into()),
        }
    }

    fn of<H: Hasher>(parts: &[&[u8]]) -> sha2::digest::Output<H> {
        let mut hasher = H::new();
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize()
    }
}
