//! Native apps that share the site's passkeys.

use anyhow::{Context as _, ensure};
use keyhaven_api::NativeApps;
use keyhaven_types::{Origin, base64url};

use super::raw;

/// How the origin of an Android app begins; the rest is the SHA-256 of its certificate, in base64url.
pub(super) const ANDROID: &str = "android:apk-key-hash:";

/// The apps, with the certificates that the origins name.
pub(super) fn apps(raw: &raw::Apps, origins: &[Origin]) -> anyhow::Result<NativeApps> {
    for package in &raw.android {
        ensure!(
            is_package(package),
            "apps.android: a package name such as com.example.app, not {package:?}"
        );
    }
    for app in &raw.apple {
        ensure!(
            is_apple_app(app),
            "apps.apple: a team and a bundle identifier such as A1B2C3D4E5.com.example.app, not {app:?}"
        );
    }
    let mut apps = NativeApps {
        apple: raw.apple.clone(),
        ..NativeApps::default()
    };
    // Without a package there is nothing to publish, and such an origin is only compared.
    if !raw.android.is_empty() {
        let hashes = origins
            .iter()
            .filter_map(|origin| origin.as_str().strip_prefix(ANDROID));
        apps.android.clone_from(&raw.android);
        apps.android_certificates = hashes.map(certificate).collect::<Result<_, _>>()?;
        ensure!(
            !apps.android_certificates.is_empty(),
            "apps.android: origins must name the certificate that signs the app, as {ANDROID}…"
        );
    }
    Ok(apps)
}

fn certificate(hash: &str) -> anyhow::Result<[u8; 32]> {
    let bytes = base64url::decode(hash)
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    bytes.with_context(|| format!("origins: {ANDROID}{hash} has no SHA-256 (32 bytes in base64url)"))
}

fn is_package(text: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text.contains('.') && text.split('.').all(is_part)
}

fn is_apple_app(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.split_once('.').is_some_and(|(team, bundle)| {
        team.len() == 10
            && team
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            && bundle.split('.').all(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(texts: &[&str]) -> Vec<Origin> {
        texts.iter().map(|text| Origin::new(text).unwrap()).collect()
    }

    fn android(package: &str, texts: &[&str]) -> anyhow::Result<NativeApps> {
        let raw = raw::Apps {
            android: vec![package.into()],
            apple: Vec::new(),
        };
        apps(&raw, &origins(texts))
    }

    #[test]
    fn certificates_are_those_of_the_origins() {
        let hash = format!("{ANDROID}{}", base64url::encode(&[7; 32]));
        let apps = android("com.example.app", &["https://example.org", &hash]).unwrap();
        assert_eq!(apps.android, ["com.example.app"]);
        assert_eq!(apps.android_certificates, [[7; 32]]);
        android("com.example.app", &["https://example.org"]).unwrap_err();
        let short = format!("{ANDROID}{}", base64url::encode(&[7; 31]));
        android("com.example.app", &[&hash, &short]).unwrap_err();
        apps_of(&raw::Apps::default(), &[&short]);
    }

    fn apps_of(raw: &raw::Apps, texts: &[&str]) -> NativeApps {
        apps(raw, &origins(texts)).unwrap()
    }

    #[test]
    fn what_is_no_name_of_an_app_is_refused() {
        let hash = format!("{ANDROID}{}", base64url::encode(&[7; 32]));
        for package in [
            "",
            "app",
            "com..app",
            "com.1app",
            "com.example.app ",
            "com.exämple",
        ] {
            android(package, &[&hash]).unwrap_err();
        }
        let apple = |app: &str| {
            let raw = raw::Apps {
                android: Vec::new(),
                apple: vec![app.into()],
            };
            apps(&raw, &[])
        };
        assert_eq!(apple("A1B2C3D4E5.com.example.app").unwrap().apple.len(), 1);
        for app in [
            "",
            "com.example.app",
            "A1B2C3D4E5",
            "A1B2C3D4E5.",
            "a1b2c3d4e5.com",
            "A1B2C3D4E5.com/x",
        ] {
            apple(app).unwrap_err();
        }
    }
}
