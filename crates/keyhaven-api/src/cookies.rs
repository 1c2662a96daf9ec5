//! The two cookies: the session's, and the one that ties ceremonies to the browser that started them.

use axum::http::HeaderValue;
use cookie::{Cookie, SameSite};
use keyhaven_service::{DeviceMarks, SecretToken, SessionToken};

use crate::state::ApiSettings;

/// The longest that browsers keep a cookie.
const DEVICE_SECONDS: i64 = 400 * 24 * 60 * 60;

/// The life of the browser's cookie: longer than any ceremony, and than a recovery that waits and is then taken up.
const BROWSER_SECONDS: i64 = 35 * 24 * 60 * 60;

impl ApiSettings {
    /// The session cookie's name.
    pub(crate) fn session_cookie(&self) -> &'static str {
        if self.insecure_cookies {
            "keyhaven_session"
        } else {
            "__Host-keyhaven_session"
        }
    }

    /// The ceremony cookie's name.
    pub(crate) fn ceremony_cookie(&self) -> &'static str {
        if self.insecure_cookies {
            "keyhaven_ceremony"
        } else {
            "__Host-keyhaven_ceremony"
        }
    }

    /// The device cookie's name.
    pub(crate) fn device_cookie(&self) -> &'static str {
        if self.insecure_cookies {
            "keyhaven_device"
        } else {
            "__Host-keyhaven_device"
        }
    }

    /// Sets the device cookie.
    pub(crate) fn set_device(&self, marks: &DeviceMarks) -> Option<HeaderValue> {
        self.set(
            self.device_cookie(),
            marks.to_text(),
            SameSite::Strict,
            DEVICE_SECONDS,
        )
    }

    /// Sets the session cookie. Lax: a link from elsewhere finds its reader signed in; no post from elsewhere does.
    pub(crate) fn set_session(&self, token: &SessionToken, seconds: i64) -> Option<HeaderValue> {
        self.set(self.session_cookie(), token.to_text(), SameSite::Lax, seconds)
    }

    /// Takes the session cookie away.
    pub(crate) fn clear_session(&self) -> Option<HeaderValue> {
        self.set(self.session_cookie(), String::new(), SameSite::Lax, 0)
    }

    /// Sets the ceremony cookie.
    pub(crate) fn set_ceremony(&self, token: &SecretToken) -> Option<HeaderValue> {
        self.set(
            self.ceremony_cookie(),
            token.to_text(),
            SameSite::Strict,
            BROWSER_SECONDS,
        )
    }

    fn set(
        &self,
        name: &'static str,
        value: String,
        same_site: SameSite,
        seconds: i64,
    ) -> Option<HeaderValue> {
        let cookie = Cookie::build((name, value))
            .path("/")
            .http_only(true)
            .secure(!self.insecure_cookies)
            .same_site(same_site)
            .max_age(time::Duration::seconds(seconds.max(0)));
        HeaderValue::from_str(&cookie.build().to_string()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_host_bound_except_on_plain_localhost() {
        let secure = ApiSettings {
            base_path: "/".into(),
            apps: crate::state::NativeApps::default(),
            trusted_proxies: vec![],
            trusted_proxy_header: crate::proxy::ProxyHeader::default(),
            disclose_verification_step: false,
            mail_folder: None,
            insecure_cookies: false,
        };
        let token = SessionToken::parse(&"A".repeat(64)).unwrap();
        let text = secure.set_session(&token, 60).unwrap();
        assert_eq!(
            text,
            format!(
                "__Host-keyhaven_session={}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60",
                "A".repeat(64)
            )
        );
        let local = ApiSettings {
            insecure_cookies: true,
            ..secure
        };
        let token = SecretToken::parse(&"A".repeat(43)).unwrap();
        let text = local.set_ceremony(&token).unwrap();
        assert_eq!(
            text,
            format!(
                "keyhaven_ceremony={}; HttpOnly; SameSite=Strict; Path=/; Max-Age=3024000",
                "A".repeat(43)
            )
        );
    }
}
