//! Two types for one number, so that a claim cannot stand where a proof is needed.

use std::fmt;

use keyhaven_types::Aaguid;

/// The authenticator model as authenticator data say it: 16 bytes, zero when not told. Anybody can write them.
///
/// For display and for looking up candidates. What approves models takes an [`AttestedAaguid`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ClaimedAaguid(Aaguid);

/// An authenticator model that an anchored attestation proves: never zero.
///
/// Only [`verify_registration`](crate::verify_registration) makes one, and only where
/// - the attestation is trusted and its signature covers the AAGUID (which `fido-u2f` signatures do not), and
/// - the attestation certificate names the AAGUID, or the anchor was found for that model alone
///   ([`AnchorScope::Model`](crate::AnchorScope::Model)). Otherwise whoever is certified under one of several roots could
///   claim the models of the others.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct AttestedAaguid(Aaguid);

impl ClaimedAaguid {
    /// Takes what somebody says. Anybody may.
    #[must_use]
    pub const fn new(aaguid: Aaguid) -> Self {
        Self(aaguid)
    }

    /// The number, without the reminder that it proves nothing.
    #[must_use]
    pub const fn unproven(self) -> Aaguid {
        self.0
    }

    /// Whether the authenticator does not tell its model.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == Aaguid::ZERO
    }

    /// The same number as proven; `None` for zero. The caller has the proof.
    pub(crate) fn attest(self) -> Option<AttestedAaguid> {
        (!self.is_zero()).then_some(AttestedAaguid(self.0))
    }
}

impl AttestedAaguid {
    /// The number.
    #[must_use]
    pub const fn get(self) -> Aaguid {
        self.0
    }
}

/// A lower-case UUID.
impl fmt::Display for ClaimedAaguid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A lower-case UUID.
impl fmt::Display for AttestedAaguid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
