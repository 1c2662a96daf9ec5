/// The manufacturers in the TCG's registry, as `TPM_PT_MANUFACTURER` numbers: four ASCII characters.
///
/// Source: "TCG TPM Vendor ID Registry Family 1.2 and 2.0", version 1.07 revision 0.02,
/// <https://trustedcomputinggroup.org/resource/vendor-id-registry/>. Not in it on purpose: `FFFFF1D0`, FIDO's own for
/// conformance tests, whose keys anybody can use.
const VENDORS: [[u8; 4]; 29] = [
    *b"AMD\0", // AMD
    *b"ANT\0", // Ant Group
    *b"ATML",  // Atmel
    *b"BRCM",  // Broadcom
    *b"CSCO",  // Cisco
    *b"FLYS",  // Flyslice Technologies
    *b"GOOG",  // Google
    *b"HISI",  // Huawei
    *b"HPE\0", // HPE
    *b"HPI\0", // HPI
    *b"IBM\0", // IBM
    *b"IFX\0", // Infineon
    *b"INTC",  // Intel
    *b"LEN\0", // Lenovo
    *b"MSFT",  // Microsoft
    *b"NSG\0", // NSING
    *b"NSM ",  // National Semiconductor
    *b"NTC\0", // Nuvoton Technology
    *b"NTZ\0", // Nationz
    *b"QCOM",  // Qualcomm
    *b"ROCC",  // Fuzhou Rockchip
    *b"SEAL",  // WISeKey
    *b"SECE",  // SecEdge
    *b"SMSC",  // SMSC
    *b"SMSN",  // Samsung
    *b"SNS\0", // Sinosun
    *b"STM ",  // STMicroelectronics
    *b"TXN\0", // Texas Instruments
    *b"WEC\0", // Winbond
];

/// The number in `id:XXXXXXXX`, eight hexadecimal digits; `None` for other text.
pub(super) fn manufacturer(text: &str) -> Option<[u8; 4]> {
    let digits = text.strip_prefix("id:")?;
    if digits.len() != 8 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok().map(u32::to_be_bytes)
}

pub(super) fn is_registered(manufacturer: [u8; 4]) -> bool {
    VENDORS.contains(&manufacturer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manufacturer_is_eight_hexadecimal_digits() {
        assert_eq!(manufacturer("id:494E5443"), Some(*b"INTC"));
        assert_eq!(manufacturer("id:49424d00"), Some(*b"IBM\0"));
        for text in [
            "",
            "id:",
            "494E5443",
            "ID:494E5443",
            "id:494E544",
            "id:494E54430",
            "id:+94E5443",
            "id:494E544G",
        ] {
            assert_eq!(manufacturer(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_registered_are_registered() {
        assert!(is_registered(*b"INTC"));
        assert!(is_registered(*b"WEC\0"));
        assert!(!is_registered([0; 4]));
        assert!(!is_registered([0xff, 0xff, 0xf1, 0xd0]));
        assert!(!is_registered(*b"intc"));
        assert!(VENDORS.is_sorted());
    }
}
