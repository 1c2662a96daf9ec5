use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyhaven_core::{Aaguid, AttestationFormat, AttestationType, ClaimedAaguid, TrustQuery, base64url};
use keyhaven_mds::Status;
use keyhaven_testkit::authenticator::{
    Attribute, BASIC_CONSTRAINTS, CertificateDraft, Extension, RevocationListDraft, SigningKey, tlv,
};
use keyhaven_testkit::process::TempDir;
use keyhaven_testkit::site::serve;
use serde_json::{Value, json};

use super::*;

/// 2026-01-15T00:00:00Z.
const NOW: UnixTime = UnixTime::from_millis(1_768_435_200_000);

fn certificate(subject: &str, extensions: Vec<Extension>) -> Vec<u8> {
    let key = |seed: &str| SigningKey::new(-7, seed.as_bytes()).unwrap();
    let name = |text: &str| {
        vec![Attribute {
            kind: 3,
            tag: 0x0c,
            text: text.into(),
        }]
    };
    let draft = CertificateDraft {
        version: Some(2),
        serial_number: vec![1],
        issuer: name("root"),
        subject: name(subject),
        validity: ("20260101000000Z".into(), "20261231000000Z".into()),
        subject_public_key_info: key(subject).subject_public_key_info(),
        extensions,
    };
    draft.sign(&key("root"))
}

fn root() -> Vec<u8> {
    let ca = Extension {
        oid: BASIC_CONSTRAINTS.to_vec(),
        critical: true,
        value: tlv(0x30, &tlv(0x01, &[0xff])),
    };
    certificate("root", vec![ca])
}

/// An empty BLOB, signed by a key that the root certifies.
fn blob(number: u64, next_update: &str) -> String {
    blob_of(number, next_update, &json!([]))
}

/// The same with entries.
fn blob_of(number: u64, next_update: &str, entries: &Value) -> String {
    let header = json!({"alg": "ES256", "x5c": [STANDARD.encode(certificate("signer", vec![]))]});
    let payload = json!({"no": number, "nextUpdate": next_update, "entries": entries});
    let signed = format!(
        "{}.{}",
        base64url::encode(header.to_string().as_bytes()),
        base64url::encode(payload.to_string().as_bytes())
    );
    let der = SigningKey::new(-7, b"signer").unwrap().sign(signed.as_bytes());
    // JWS wants r and s in 32 bytes each; certificates and WebAuthn have them in DER.
    let mut numbers = Vec::new();
    let mut rest = &der[2..];
    for _ in 0..2 {
        let (head, tail) = rest[2..].split_at(rest[1].into());
        let number: Vec<u8> = head.iter().copied().skip_while(|byte| *byte == 0).collect();
        numbers.resize(numbers.len() + 32 - number.len(), 0);
        numbers.extend(number);
        rest = tail;
    }
    format!("{signed}.{}", base64url::encode(&numbers))
}

struct Place {
    directory: TempDir,
    files: AnchorFiles,
}

impl Place {
    fn new(url: Option<String>) -> Self {
        let directory = TempDir::new("anchors");
        let root_file = directory.path().join("root.pem");
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(root())
        );
        std::fs::write(&root_file, pem).unwrap();
        let files = AnchorFiles {
            local_hardware: false,
            local: None,
            revoked: None,
            metadata: Some(MetadataFiles {
                blob: directory.path().join("blob.jwt"),
                root: root_file,
                signer: "any".into(),
                url,
                policy: StatusPolicy::default(),
            }),
        };
        Self { directory, files }
    }

    /// Writes the BLOB's file, later than any before.
    fn write(&self, text: &str, seconds: u64) {
        let path = self.directory.path().join("blob.jwt");
        std::fs::write(&path, text).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds);
        file.set_modified(changed).unwrap();
    }
}

/// A site that serves this, until the test ends.
fn site(text: String) -> String {
    let body: &'static str = text.leak();
    serve(vec![("/", "text/plain", body)].leak(), "")
}

fn in_use(set: &AnchorSet) -> u64 {
    let progress = set.metadata.as_ref().unwrap().progress.lock().unwrap();
    progress.issue().unwrap().number
}

#[test]
fn a_file_that_changes_is_taken_where_it_verifies_and_is_newer() {
    let place = Place::new(None);
    assert!(AnchorSet::load(&place.files, NOW).is_err(), "there is no file");
    place.write(&blob(7, "2026-02-01"), 0);
    let set = AnchorSet::load(&place.files, NOW).unwrap();
    assert_eq!(in_use(&set), 7);
    for (second, refused) in [(1, "no BLOB".to_owned()), (2, blob(6, "2026-02-01"))] {
        place.write(&refused, second);
        set.refresh(NOW);
        assert_eq!(in_use(&set), 7);
    }
    place.write(&blob(8, "2026-03-01"), 3);
    set.refresh(NOW);
    assert_eq!(in_use(&set), 8);
}

/// A file of revocation lists that has changed at this second.
fn revoke(path: &Path, serials: &[u8], second: u64) {
    let list = RevocationListDraft {
        issuer: vec![Attribute {
            kind: 3,
            tag: 0x0c,
            text: "root".into(),
        }],
        updates: ("20260101000000Z".into(), "20260201000000Z".into()),
        revoked: serials.iter().map(|serial| vec![*serial]).collect(),
    };
    let der = list.sign(&SigningKey::new(-7, b"root").unwrap());
    let pem = format!(
        "-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----\n",
        STANDARD.encode(der)
    );
    std::fs::write(path, pem).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + second);
    file.set_modified(changed).unwrap();
}

#[test]
fn revocation_lists_are_read_anew_and_count_for_blobs_and_attestations() {
    let mut place = Place::new(None);
    place.write(&blob(7, "2026-02-01"), 0);
    let path = place.directory.path().join("revoked.pem");
    place.files.revoked = Some(path.clone());
    assert!(AnchorSet::load(&place.files, NOW).is_err(), "there is no file");
    // The signer's serial number is 1.
    revoke(&path, &[1], 0);
    assert!(
        AnchorSet::load(&place.files, NOW).is_err(),
        "the signer is revoked"
    );
    revoke(&path, &[2], 1);
    let set = AnchorSet::load(&place.files, NOW).unwrap();
    let lists = |set: &AnchorSet| set.current().revocation_lists().map(RevocationLists::len);
    assert_eq!(lists(&set), Some(1));
    // Revoked meanwhile: what was taken stays in use, nothing new by that signer is taken.
    revoke(&path, &[1], 2);
    place.write(&blob(8, "2026-03-01"), 3);
    set.refresh(NOW);
    assert_eq!(in_use(&set), 7);
    revoke(&path, &[2], 4);
    set.refresh(NOW);
    assert_eq!(in_use(&set), 8);
    // What cannot be read changes nothing.
    std::fs::write(&path, "nothing").unwrap();
    set.refresh(NOW);
    assert_eq!(lists(&set), Some(1));
}

#[test]
fn what_is_revoked_counts_whatever_becomes_of_the_blob() {
    let mut place = Place::new(None);
    place.write(&blob(7, "2026-02-01"), 0);
    let path = place.directory.path().join("revoked.pem");
    place.files.revoked = Some(path.clone());
    revoke(&path, &[2], 0);
    let set = AnchorSet::load(&place.files, NOW).unwrap();
    let mut seen = vec![format!("{:?}", set.current().revocation_lists())];
    // A BLOB that does not verify, one whose signer is revoked by the same list, and none.
    let spoil: [&dyn Fn(); 3] = [
        &|| place.write("nothing", 1),
        &|| place.write(&blob(7, "2026-02-01"), 2),
        &|| std::fs::remove_file(&place.files.metadata.as_ref().unwrap().blob).unwrap(),
    ];
    for (second, (spoil, revoked)) in (1..).zip(spoil.into_iter().zip([3, 1, 4])) {
        spoil();
        revoke(&path, &[revoked], second);
        set.refresh(NOW);
        assert_eq!(in_use(&set), 7);
        let lists = format!("{:?}", set.current().revocation_lists());
        assert!(!seen.contains(&lists), "{second}");
        seen.push(lists);
    }
}

#[test]
fn revocation_lists_beside_local_anchors_are_read_anew() {
    let mut place = Place::new(None);
    let path = place.directory.path().join("revoked.pem");
    place.files.local = place.files.metadata.take().map(|files| files.root);
    place.files.revoked = Some(path.clone());
    revoke(&path, &[2], 0);
    let set = AnchorSet::load(&place.files, NOW).unwrap();
    let first = format!("{:?}", set.current().revocation_lists());
    revoke(&path, &[3], 1);
    set.refresh(NOW);
    assert_ne!(format!("{:?}", set.current().revocation_lists()), first);
}

#[test]
fn models_are_judged_by_the_operators_policy() {
    let model = Aaguid::new([7; 16]);
    let query = TrustQuery {
        format: AttestationFormat::Packed,
        attestation_type: AttestationType::Basic,
        aaguid: ClaimedAaguid::new(model),
        aaguid_certified: true,
        key_identifier: [0; 20],
        at: NOW,
    };
    let mut place = Place::new(None);
    let entry = json!({"aaguid": model.to_string(), "statusReports": [{"status": "UPDATE_AVAILABLE"}],
        "timeOfLastStatusChange": "2026-01-01"});
    place.write(&blob_of(7, "2026-02-01", &json!([entry])), 0);
    let refused = |place: &Place| {
        let set = AnchorSet::load(&place.files, NOW).unwrap();
        set.current().anchors_for(&query).is_err()
    };
    assert!(!refused(&place));
    place.files.metadata.as_mut().unwrap().policy.refused = vec![Status::UpdateAvailable];
    assert!(refused(&place));
}

#[test]
fn what_does_not_verify_does_not_start() {
    let place = Place::new(None);
    let mut forged = blob(7, "2026-02-01");
    forged.replace_range(forged.len() - 4.., "AAAA");
    place.write(&forged, 0);
    assert!(AnchorSet::load(&place.files, NOW).is_err());
    // Nor does one whose signer's certificate has ended.
    place.write(&blob(7, "2026-02-01"), 1);
    let next_year = UnixTime::from_millis(NOW.as_millis() + 400 * 86_400_000);
    assert!(AnchorSet::load(&place.files, next_year).is_err());
}

#[test]
fn a_blob_is_downloaded_where_the_one_at_hand_does_not_verify() {
    let place = Place::new(Some(site(blob(8, "2026-02-01"))));
    place.write("nothing", 0);
    let set = AnchorSet::load(&place.files, NOW).unwrap();
    assert_eq!(in_use(&set), 8);
    let path = &place.files.metadata.as_ref().unwrap().blob;
    assert_eq!(std::fs::read_to_string(path).unwrap(), blob(8, "2026-02-01"));
}

#[test]
fn a_downloaded_blob_counts_also_where_it_cannot_be_kept() {
    let place = Place::new(Some(site(blob(8, "2026-02-01"))));
    let path = &place.files.metadata.as_ref().unwrap().blob;
    // In the way of the file that is to be renamed.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    std::fs::create_dir(&beside).unwrap();
    let set = AnchorSet::load(&place.files, NOW).unwrap();
    assert_eq!(in_use(&set), 8);
    assert!(!path.exists());
}

#[test]
fn a_blob_is_downloaded_when_it_is_missing_or_due() {
    let first = site(blob(7, "2026-01-20"));
    let place = Place::new(Some(first));
    let set = AnchorSet::load(&place.files, NOW).unwrap();
    assert_eq!(in_use(&set), 7);
    let path = &place.files.metadata.as_ref().unwrap().blob;
    assert_eq!(std::fs::read_to_string(path).unwrap(), blob(7, "2026-01-20"));

    // Due, and what comes is older: the good one stays, in the file as well.
    let mut files = place.files.clone();
    files.metadata.as_mut().unwrap().url = Some(site(blob(6, "2026-01-20")));
    let due = UnixTime::from_millis(NOW.as_millis() + 6 * 86_400_000);
    let set = AnchorSet::load(&files, NOW).unwrap();
    set.refresh(due);
    assert_eq!(in_use(&set), 7);
    assert_eq!(std::fs::read_to_string(path).unwrap(), blob(7, "2026-01-20"));

    // Due, and what comes is newer: taken, but not before it is due.
    files.metadata.as_mut().unwrap().url = Some(site(blob(8, "2026-02-01")));
    let set = AnchorSet::load(&files, NOW).unwrap();
    set.refresh(NOW);
    assert_eq!(in_use(&set), 7);
    set.refresh(due);
    assert_eq!(in_use(&set), 8);
    assert_eq!(std::fs::read_to_string(path).unwrap(), blob(8, "2026-02-01"));
}
