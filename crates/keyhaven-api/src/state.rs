use std::sync::Arc;

use ipnet::IpNet;
use keyhaven_service::Keyhaven;

use crate::metrics::Metrics;
use crate::proxy::ProxyHeader;

/// How the API shows itself, beside what the service decides.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Where the routes live: starts and ends with a slash.
    pub base_path: String,
    /// Networks whose proxies are believed whom they heard from.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they write it.
    pub trusted_proxy_header: ProxyHeader,
    /// Whether a failed ceremony names the verification step.
    pub disclose_verification_step: bool,
    /// Plain http on localhost: cookies go without `Secure` and `__Host-`.
    pub insecure_cookies: bool,
}

/// What handlers share.
#[derive(Clone, Debug)]
pub(crate) struct ApiState {
    pub(crate) keyhaven: Keyhaven,
    pub(crate) settings: Arc<ApiSettings>,
    pub(crate) metrics: Metrics,
}
