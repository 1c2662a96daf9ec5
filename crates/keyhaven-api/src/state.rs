use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;
use keyhaven_service::Keyhaven;
use tokio::sync::Semaphore;

use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::proxy::ProxyHeader;
use crate::trace::{LoggedTraces, Traces};

/// Native apps that share the site's passkeys, as their platforms ask the site.
#[derive(Clone, Debug, Default)]
pub struct NativeApps {
    /// Android package names, such as `com.example.app`.
    pub android: Vec<String>,
    /// SHA-256 of the certificates they are signed with.
    pub android_certificates: Vec<[u8; 32]>,
    /// Apple app identifiers: the team and the bundle, such as `A1B2C3D4E5.com.example.app`.
    pub apple: Vec<String>,
}

/// How the API shows itself, beside what the service decides.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Where the routes live: starts and ends with a slash.
    pub base_path: String,
    /// Apps that may use the passkeys.
    pub apps: NativeApps,
    /// Networks whose proxies are believed whom they heard from.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they write it.
    pub trusted_proxy_header: ProxyHeader,
    /// Whether a failed ceremony names the verification step.
    pub disclose_verification_step: bool,
    /// Where mails are kept for a developer to read; `None`: they are sent, or there are none.
    pub mail_folder: Option<PathBuf>,
    /// Plain http on localhost: cookies go without `Secure` and `__Host-`.
    pub insecure_cookies: bool,
}

/// What operators see of the process, and tell it.
#[derive(Clone)]
pub struct Operations {
    /// Whether it is stopping.
    pub lifecycle: Lifecycle,
    /// What is counted.
    pub metrics: Metrics,
    /// Which trace a request belongs to.
    pub traces: Arc<dyn Traces>,
}

impl Default for Operations {
    fn default() -> Self {
        Self {
            lifecycle: Lifecycle::default(),
            metrics: Metrics::new(),
            traces: Arc::new(LoggedTraces),
        }
    }
}

impl std::fmt::Debug for Operations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operations")
            .field("lifecycle", &self.lifecycle)
            .finish_non_exhaustive()
    }
}

/// What handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) keyhaven: Keyhaven,
    pub(crate) settings: ApiSettings,
    pub(crate) operations: Operations,
    /// Of the audit log: one at a time.
    pub(crate) exports: Arc<Semaphore>,
}

/// [`Shared`], by one pointer: every layer of the router clones it for every request.
#[derive(Clone, Debug)]
pub(crate) struct ApiState(Arc<Shared>);

impl ApiState {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl std::ops::Deref for ApiState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
