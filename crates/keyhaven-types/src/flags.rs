/// The flags byte of authenticator data, as received, reserved bits included.
///
/// Source: WebAuthn L3 §6.1, bit 0 being the least significant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flags(pub u8);

impl Flags {
    /// User present, bit 0.
    pub const UP: u8 = 0x01;
    /// User verified, bit 2.
    pub const UV: u8 = 0x04;
    /// Backup eligible, bit 3.
    pub const BE: u8 = 0x08;
    /// Backed up now, bit 4.
    pub const BS: u8 = 0x10;
    /// Attested credential data included, bit 6.
    pub const AT: u8 = 0x40;
    /// Extension data included, bit 7.
    pub const ED: u8 = 0x80;

    /// A test of user presence succeeded.
    #[must_use]
    pub const fn user_present(self) -> bool {
        self.0 & Self::UP != 0
    }

    /// The authenticator verified the user, by PIN or biometric.
    #[must_use]
    pub const fn user_verified(self) -> bool {
        self.0 & Self::UV != 0
    }

    /// The credential can be backed up or synced; fixed when it is made.
    #[must_use]
    pub const fn backup_eligible(self) -> bool {
        self.0 & Self::BE != 0
    }

    /// The credential is backed up or synced now.
    #[must_use]
    pub const fn backup_state(self) -> bool {
        self.0 & Self::BS != 0
    }

    /// Attested credential data follows.
    #[must_use]
    pub const fn attested_credential_data(self) -> bool {
        self.0 & Self::AT != 0
    }

    /// An extensions map follows.
    #[must_use]
    pub const fn extension_data(self) -> bool {
        self.0 & Self::ED != 0
    }

    /// BE and BS as one fact, or `None` for the combination that may not occur (BE clear, BS set).
    #[must_use]
    pub const fn backup(self) -> Option<Backup> {
        match (self.backup_eligible(), self.backup_state()) {
            (false, false) => Some(Backup::SingleDevice),
            (true, false) => Some(Backup::Eligible),
            (true, true) => Some(Backup::BackedUp),
            (false, true) => None,
        }
    }
}

/// Backup eligibility and state: the three combinations of BE and BS that can be.
///
/// Source: WebAuthn L3 §6.1.3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Backup {
    /// BE set, BS set: a synced passkey.
    BackedUp,
    /// BE set, BS clear: may be synced later.
    Eligible,
    /// BE clear: bound to one device.
    SingleDevice,
}

impl Backup {
    /// The BE flag.
    #[must_use]
    pub const fn is_eligible(self) -> bool {
        matches!(self, Self::BackedUp | Self::Eligible)
    }

    /// The BS flag.
    #[must_use]
    pub const fn is_backed_up(self) -> bool {
        matches!(self, Self::BackedUp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backed_up_but_not_eligible_is_no_state() {
        assert_eq!(Flags(0).backup(), Some(Backup::SingleDevice));
        assert_eq!(Flags(Flags::BE).backup(), Some(Backup::Eligible));
        assert_eq!(Flags(Flags::BE | Flags::BS).backup(), Some(Backup::BackedUp));
        assert_eq!(Flags(Flags::BS).backup(), None);
    }
}
