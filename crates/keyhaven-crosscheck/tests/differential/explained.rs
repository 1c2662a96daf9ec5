//! Where the two implementations differ, and why that is as it should be.

use keyhaven_crosscheck::Opinion;

/// Which of the two ceremonies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ceremony {
    Assertion,
    Registration,
}

/// One explained difference.
pub(crate) struct Row {
    /// Its name in `docs/crosscheck.md`.
    pub(crate) name: &'static str,
    /// Where it occurs.
    pub(crate) ceremonies: &'static [Ceremony],
    /// The places where the ceremony was spoiled.
    pub(crate) spoiled: &'static [&'static str],
    /// How our opinion begins.
    pub(crate) ours: &'static str,
    /// How theirs begins.
    pub(crate) theirs: &'static str,
    /// The explanation.
    pub(crate) why: &'static str,
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "envelope: type",
        ceremonies: &[Ceremony::Registration, Ceremony::Assertion],
        spoiled: &["response: type"],
        ours: "refused: malformed_response",
        theirs: "accepted",
        why: "The response's `type` must be `public-key` (§5.1, steps 7.1.3 and 7.2.3); the other one does not look at it.",
    },
    Row {
        name: "envelope: id",
        ceremonies: &[Ceremony::Registration, Ceremony::Assertion],
        spoiled: &["response: id"],
        ours: "refused: malformed_response",
        theirs: "accepted",
        why: "`id` must be `rawId` in base64url (§5.1); the other one looks at one of the two.",
    },
    Row {
        name: "envelope: base64url",
        ceremonies: &[Ceremony::Registration, Ceremony::Assertion],
        spoiled: &["response: base64url"],
        ours: "refused: malformed_response",
        theirs: "accepted",
        why: "Base64url has no padding and an alphabet of its own (§5, RFC 4648 §5); the other one reads other forms too.",
    },
    Row {
        name: "envelope: extension results",
        ceremonies: &[Ceremony::Registration, Ceremony::Assertion],
        spoiled: &["response: extension results"],
        ours: "refused: malformed_response",
        theirs: "accepted",
        why: "A client extension output must be of the type its extension defines (§5.1); the other one does not read those it did not ask for.",
    },
    Row {
        name: "client data: challenge",
        ceremonies: &[Ceremony::Registration, Ceremony::Assertion],
        spoiled: &["client data: challenge"],
        ours: "refused: challenge_mismatch",
        theirs: "accepted",
        why: "The challenge is compared as base64url text without padding, which is what a browser writes (steps 7.1.8 and 7.2.11); the other one compares decoded bytes, and so accepts padding.",
    },
    Row {
        name: "client data: origin",
        ceremonies: &[Ceremony::Registration, Ceremony::Assertion],
        spoiled: &[
            "client data: origin",
            "client data: damaged before signing",
            "response: a byte string",
        ],
        ours: "refused: origin_mismatch",
        theirs: "accepted",
        why: "Origins are compared as text, whole and exactly (§13.4.9); the other one compares them as URLs, to which a path, a default port or the case of a host make no difference.",
    },
    Row {
        name: "client data: crossOrigin",
        ceremonies: &[Ceremony::Assertion],
        spoiled: &["client data: crossOrigin"],
        ours: "refused: cross_origin_not_allowed",
        theirs: "accepted",
        why: "`crossOrigin: true` is refused where embedding is not expected (step 7.2.13); the other one looks at it in registrations only.",
    },
    Row {
        name: "client data: crossOrigin is no boolean",
        ceremonies: &[Ceremony::Registration, Ceremony::Assertion],
        spoiled: &["client data: crossOrigin"],
        ours: "refused: malformed_response",
        theirs: "accepted",
        why: "`crossOrigin` is a boolean or absent (§5.8.1); the other one takes `null` for absent.",
    },
    Row {
        name: "client data: topOrigin",
        ceremonies: &[Ceremony::Registration, Ceremony::Assertion],
        spoiled: &["client data: topOrigin"],
        ours: "refused: top_origin_not_allowed",
        theirs: "accepted",
        why: "A `topOrigin` must be an expected one (steps 7.1.11 and 7.2.14, new in Level 3); the other one does not know the member.",
    },
    Row {
        name: "client data: strict JSON",
        ceremonies: &[Ceremony::Registration, Ceremony::Assertion],
        spoiled: &["client data: as text"],
        ours: "refused: malformed_response",
        theirs: "accepted",
        why: "A member must not occur twice, and not more than 16 values may lie inside one another: two readers of one text must read the same, and no text may exhaust a stack. The other one minds only the members that it knows.",
    },
    Row {
        name: "client data: byte order mark",
        ceremonies: &[Ceremony::Registration, Ceremony::Assertion],
        spoiled: &["client data: as text"],
        ours: "accepted",
        theirs: "refused: ParseJSONFailure",
        why: "Client data are read by \"UTF-8 decode\", which takes a byte order mark away (steps 7.1.5 and 7.2.8); the other one refuses it.",
    },
    Row {
        name: "client data: tokenBinding",
        ceremonies: &[Ceremony::Registration, Ceremony::Assertion],
        spoiled: &["client data: more members"],
        ours: "accepted",
        theirs: "refused: ParseJSONFailure",
        why: "`tokenBinding` is reserved and ignored in Level 3 (§5.8.1); the other one still asks for its former shape.",
    },
    Row {
        name: "credential id: envelope",
        ceremonies: &[Ceremony::Registration],
        spoiled: &[
            "credential id: not the envelope's",
            "authenticator data: damaged before signing",
            "response: a byte string",
            "credential id: length",
        ],
        ours: "refused: malformed_response at L3 7.1.25",
        theirs: "accepted",
        why: "The attested credential id must be the one in the envelope, and have 1 to 1023 bytes (step 7.1.25, §4); the other one stores whichever was attested.",
    },
    Row {
        name: "authenticator data: trailing bytes",
        ceremonies: &[Ceremony::Registration, Ceremony::Assertion],
        spoiled: &["authenticator data: trailing"],
        ours: "refused: malformed_response",
        theirs: "accepted",
        why: "Authenticator data end where their flags say (§6.1); the other one ignores what follows.",
    },
    Row {
        name: "key: more than belongs there",
        ceremonies: &[Ceremony::Registration],
        spoiled: &["key: one parameter more", "key: a parameter twice"],
        ours: "refused: malformed_response at L3 7.1.13",
        theirs: "accepted",
        why: "A credential public key has its required parameters only, each once (§6.5.1.1, CTAP2 canonical CBOR); the other one takes those that it needs.",
    },
    Row {
        name: "key: curve and algorithm",
        ceremonies: &[Ceremony::Registration],
        spoiled: &["key: alg", "key: a number"],
        ours: "refused: public_key_invalid",
        theirs: "accepted",
        why: "A curve belongs to its algorithm, ES384 to P-384 (§5.8.5); the other one registers a key that does not fit, and would refuse each sign-in later.",
    },
    Row {
        name: "key: RSA sizes",
        ceremonies: &[Ceremony::Registration],
        spoiled: &["key: a number"],
        ours: "accepted",
        theirs: "refused: COSEKeyRSANEInvalid",
        why: "An RSA modulus may have 2048 to 8192 bits and an exponent up to 33 (RFC 8230 §2 asks for 2048 bits or more); the other one reads 2048 bits and an exponent of three bytes only.",
    },
    Row {
        name: "extensions: nobody asked",
        ceremonies: &[Ceremony::Registration],
        spoiled: &["extensions"],
        ours: "accepted",
        theirs: "refused: ParseNOMFailure",
        why: "An output of an extension that was not asked for is ignored (§7.1 step 28), be it as wrong as `credProtect: 9`; asked for, it is refused. The other one refuses it in both cases.",
    },
];

/// The row that explains a difference.
pub(crate) fn row(
    ceremony: Ceremony,
    spoiled: &str,
    ours: &Opinion,
    theirs: &Opinion,
) -> Option<&'static Row> {
    let (ours, theirs) = (ours.to_string(), theirs.to_string());
    ROWS.iter().find(|row| {
        row.ceremonies.contains(&ceremony)
            && row.spoiled.contains(&spoiled)
            && ours.starts_with(row.ours)
            && theirs.starts_with(row.theirs)
    })
}
