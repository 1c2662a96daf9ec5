//! Authenticator data: structure, RP ID hash, flags.

use super::Topic;
use super::ceremony::{Assertion, Ceremony, RP_ID, Registration};
use crate::authenticator::{AT, BE, BS, Cbor, ED, UP, UV, sha256};

pub(super) fn cases(topic: &mut Topic) {
    let registration = Registration::new(-7);
    let assertion = Assertion::new(-7);
    let attested = registration.draft.authenticator_data()[37..].to_vec();
    let plain = of(
        topic,
        registration.clone(),
        &registration.draft.authenticator_data(),
    );
    let malformed = ("malformed_response", "7.1.13");

    // Attested credential data.
    topic.spoil(
        &plain,
        "reg-auth-data-at-clear",
        "S2",
        malformed,
        "a registration has attested credential data",
        |r| {
            r.draft.flags &= !AT;
        },
    );
    topic.spoil(
        &plain,
        "reg-auth-data-at-clear-but-there",
        "S2",
        malformed,
        "without AT the attested credential data are trailing bytes",
        |r| {
            r.draft.flags &= !AT;
            r.draft.trailing = attested.clone();
        },
    );
    for (id, keep, why) in [
        ("aaguid-cut", 37 + 8, "16 bytes of AAGUID follow"),
        ("length-cut", 37 + 17, "two bytes of length follow the AAGUID"),
        ("id-cut", 37 + 18 + 8, "the id is shorter than its length"),
        ("no-key", 37 + 18 + 16, "a public key follows the id"),
        ("key-cut", 37 + 18 + 16 + 40, "the public key ends inside"),
    ] {
        let cut = registration.draft.authenticator_data()[..keep].to_vec();
        topic.spoil(
            &plain,
            &format!("reg-auth-data-{id}"),
            "S2",
            malformed,
            why,
            |r| r.draft.authenticator_data = Some(cut),
        );
    }
    for (id, length, why) in [
        ("id-length-zero", [0, 0], "the key would begin inside the id"),
        ("id-length-one-more", [0, 17], "the key would begin one byte late"),
        ("id-length-65535", [255, 255], "there are not so many bytes"),
        ("id-length-little-endian", [16, 0], "lengths are big-endian"),
    ] {
        let mut data = registration.draft.authenticator_data();
        data[53..55].copy_from_slice(&length);
        topic.spoil(
            &plain,
            &format!("reg-auth-data-{id}"),
            "S2",
            malformed,
            why,
            |r| r.draft.authenticator_data = Some(data),
        );
    }
    topic.vary(
        &plain,
        "reg-mediation-conditional",
        "B15",
        "the server recorded a conditional creation, where UP may be clear",
        |r| {
            r.input["mediation"] = "conditional".into();
            r.draft.flags &= !UP;
        },
    );
    topic.spoil(
        &plain,
        "reg-mediation-conditional-no-uv",
        "B16",
        ("user_verification_missing", "7.1.16"),
        "conditional creation relaxes presence only",
        |r| {
            r.input["mediation"] = "conditional".into();
            r.draft.flags &= !(UP | UV);
        },
    );
    topic.vary(
        &plain,
        "reg-sign-count-maximum",
        "B27",
        "the first count may be any",
        |r| r.draft.sign_count = u32::MAX,
    );
    topic.vary(&plain, "reg-not-backup-eligible", "B18", "no policy on BE", |r| {
        r.draft.flags &= !(BE | BS)
    });
    topic.vary(&plain, "reg-not-backed-up", "B19", "no policy on BS", |r| {
        r.draft.flags &= !BS
    });

    let plain = of(topic, assertion.clone(), &assertion.draft.authenticator_data());
    topic.spoil(
        &plain,
        "auth-auth-data-at-set",
        "S2",
        ("malformed_response", "7.2.7"),
        "an assertion has no attested credential data",
        |a| {
            a.draft.flags |= AT;
            a.draft.trailing = attested;
        },
    );
    topic.spoil(
        &plain,
        "auth-auth-data-at-set-alone",
        "C7",
        ("malformed_response", "7.2.7"),
        "AT announces what does not follow",
        |a| {
            a.draft.flags |= AT;
        },
    );
}

fn of<C: Ceremony>(topic: &mut Topic, ceremony: C, whole: &[u8]) -> super::Twin<C> {
    let name = |id: &str| format!("{}-{id}", C::NAME);
    let steps = C::STEPS;
    let malformed = ("malformed_response", steps.authenticator_data.0);
    let line = steps.authenticator_data.1;
    let twin = topic.ok(&name("auth-data-ok"), line, "nothing is wrong", ceremony);

    for len in [0, 32, 36] {
        let cut = whole[..len].to_vec();
        topic.spoil(
            &twin,
            &name(&format!("auth-data-{len}-bytes")),
            "S1",
            malformed,
            "37 bytes at least",
            |c| *c.whole_authenticator_data() = Some(cut),
        );
    }
    topic.spoil(
        &twin,
        &name("auth-data-trailing-byte"),
        "S5",
        malformed,
        "nothing follows the last item",
        |c| c.trailing().push(0),
    );
    topic.spoil(
        &twin,
        &name("auth-data-extensions-without-ed"),
        "S4",
        malformed,
        "without ED the extensions are trailing bytes",
        |c| {
            *c.extensions() = Some(Cbor::Map(Vec::new()));
        },
    );
    topic.spoil(
        &twin,
        &name("auth-data-ed-without-extensions"),
        "S4",
        malformed,
        "ED announces what does not follow",
        |c| *c.flags() |= ED,
    );

    let extended = topic.vary(
        &twin,
        &name("auth-data-extensions"),
        "S4",
        "extensions nobody asked for are ignored",
        |c| {
            *c.extensions() = Some(Cbor::Map(vec![("x".into(), Cbor::Bool(true))]));
            *c.flags() |= ED;
        },
    );
    for (id, extensions, why) in [
        (
            "array",
            Cbor::Array(vec![Cbor::Bool(true)]),
            "extensions are a map",
        ),
        ("text", Cbor::text("x"), "extensions are a map"),
        (
            "integer-name",
            Cbor::Map(vec![(1.into(), Cbor::Bool(true))]),
            "extension identifiers are text",
        ),
        (
            "duplicate",
            Cbor::Map(vec![
                ("x".into(), Cbor::Bool(true)),
                ("x".into(), Cbor::Bool(false)),
            ]),
            "no key occurs twice",
        ),
        (
            "indefinite",
            Cbor::Raw(vec![0xbf, 0x61, b'x', 0xf5, 0xff]),
            "no indefinite lengths in CTAP2 canonical form",
        ),
        (
            "long-form",
            Cbor::Raw(vec![0xb8, 1, 0x61, b'x', 0xf5]),
            "lengths take their shortest form",
        ),
        (
            "tag",
            Cbor::Raw(vec![0xc0, 0xa1, 0x61, b'x', 0xf5]),
            "no tags in CTAP2 canonical form",
        ),
        ("cut", Cbor::Raw(vec![0xa1, 0x61, b'x']), "the map ends inside"),
        (
            "bad-utf8",
            Cbor::Raw(vec![0xa1, 0x61, 0xff, 0xf5]),
            "text is UTF-8",
        ),
        (
            "undefined",
            Cbor::Raw(vec![0xa1, 0x61, b'x', 0xf7]),
            "a simple value that CTAP2 does not use",
        ),
        (
            "deep",
            Cbor::Raw([vec![0xa1, 0x61, b'x'], vec![0x81; 100], vec![0]].concat()),
            "depth is bounded: CTAP2 allows four",
        ),
        (
            "huge-length",
            Cbor::Raw(vec![
                0xa1, 0x61, b'x', 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ]),
            "a length beyond the input, and beyond any memory",
        ),
    ] {
        topic.spoil(
            &extended,
            &name(&format!("auth-data-extensions-{id}")),
            "S4",
            malformed,
            why,
            |c| *c.extensions() = Some(extensions),
        );
    }
    topic.vary(
        &extended,
        &name("auth-data-extensions-float"),
        "S4",
        "CTAP2 leaves floating point numbers as they are: an extension may have them",
        |c| {
            let number = Cbor::Raw([&[0xfb][..], &52.5_f64.to_be_bytes()].concat());
            *c.extensions() = Some(Cbor::Map(vec![("x".into(), number)]));
        },
    );
    topic.spoil(
        &extended,
        &name("auth-data-extensions-trailing"),
        "S5",
        malformed,
        "nothing follows the extensions",
        |c| c.trailing().push(0xa0),
    );

    // rpIdHash.
    let (step, line) = (steps.rp_id.0, steps.rp_id.1);
    for (id, hash, why) in [
        ("parent-domain", sha256(b"org"), "a parent domain is another RP"),
        (
            "subdomain",
            sha256(b"login.example.org"),
            "a subdomain is another RP",
        ),
        (
            "upper-case",
            sha256(b"EXAMPLE.ORG"),
            "hashed as it stands, in lower case",
        ),
        ("trailing-dot", sha256(b"example.org."), "another name"),
        ("origin", sha256(b"https://example.org"), "the RP ID is no origin"),
        ("zero", [0; 32], "no hash"),
        ("twice", sha256(&sha256(RP_ID.as_bytes())), "hashed once"),
        (
            "last-bit",
            {
                let mut hash = sha256(RP_ID.as_bytes());
                hash[31] ^= 1;
                hash
            },
            "all 32 bytes count",
        ),
        (
            "first-bit",
            {
                let mut hash = sha256(RP_ID.as_bytes());
                hash[0] ^= 0x80;
                hash
            },
            "all 32 bytes count",
        ),
    ] {
        topic.spoil(
            &twin,
            &name(&format!("rp-id-{id}")),
            line,
            ("rp_id_mismatch", step),
            why,
            |c| *c.rp_id_hash() = hash.to_vec(),
        );
    }

    // Flags.
    topic.spoil(
        &twin,
        &name("up-clear"),
        steps.presence.1,
        ("user_presence_missing", steps.presence.0),
        "nobody was present",
        |c| *c.flags() &= !UP,
    );
    topic.spoil(
        &twin,
        &name("uv-clear"),
        steps.verification.1,
        ("user_verification_missing", steps.verification.0),
        "verification is required",
        |c| *c.flags() &= !UV,
    );
    topic.spoil(
        &twin,
        &name("up-clear-reserved-set"),
        steps.presence.1,
        ("user_presence_missing", steps.presence.0),
        "bit 1 is not UP",
        |c| *c.flags() = *c.flags() & !UP | 0x02,
    );
    topic.spoil(
        &twin,
        &name("bs-without-be"),
        steps.backup.1,
        ("backup_flags_invalid", steps.backup.0),
        "what may not be backed up is not backed up",
        |c| *c.flags() &= !BE,
    );
    for policy in ["preferred", "discouraged"] {
        topic.vary(
            &twin,
            &name(&format!("uv-clear-{policy}")),
            steps.verification.1,
            "verification is not required",
            |c| {
                c.input()["userVerification"] = policy.into();
                *c.flags() &= !UV;
            },
        );
        topic.spoil(
            &twin,
            &name(&format!("up-clear-{policy}")),
            steps.presence.1,
            ("user_presence_missing", steps.presence.0),
            "presence is asked for whatever verification is",
            |c| {
                c.input()["userVerification"] = policy.into();
                *c.flags() &= !UP;
            },
        );
    }
    for bit in [0x02, 0x20] {
        topic.vary(
            &twin,
            &name(&format!("reserved-bit-{bit:02x}")),
            "S1",
            "reserved bits are of a later edition's, and ignored",
            |c| *c.flags() |= bit,
        );
    }
    twin
}
