//! The router on a store of its own, with a clock that tests move, and a client that keeps cookies as a browser does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use keyhaven_api::{ApiSettings, Lifecycle, Metrics, NativeApps, Operations, ProxyHeader, router};
use keyhaven_core::{CrossOrigin, RelyingParty};
use keyhaven_mail::{DeliveryError, Language, Rendered, Sender, Transport};
use keyhaven_service::{
    AccessTokenSettings, AdministrationSettings, Anchors, Clock, ClonePolicy, Crosscheck, ExtensionSettings,
    Keyhaven, MailSettings, Random, RandomUnavailable, RecoverySettings, SecretKey, SessionSettings,
    Settings, Surroundings,
};
use keyhaven_storage::{CeremonyStore, DurableStore, LimitStore};
use keyhaven_storage_memory::{MemoryCeremonyStore, MemoryLimitStore};
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_types::options::{AttestationConveyance, UserVerification};
use keyhaven_types::{Origin, RpId, UnixTime};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::stores::TestStore;

pub(crate) const ORIGIN: &str = "https://example.org";
pub(crate) const OTHER_ORIGIN: &str = "https://login.example.org";

/// Milliseconds since 1970 at which the tests' clock begins.
const BEGINNING: i64 = 1_800_000_000_000;

pub(crate) struct FakeClock(pub(crate) AtomicI64);

impl Clock for FakeClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Different on every call, the same in every run.
pub(crate) struct CountingRandom(AtomicU64);

impl Random for CountingRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        for chunk in bytes.chunks_mut(32) {
            let n = self.0.fetch_add(1, Ordering::SeqCst);
            let digest = keyhaven_testkit::authenticator::sha256(&n.to_be_bytes());
            chunk.copy_from_slice(&digest[..chunk.len()]);
        }
        Ok(())
    }
}

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) router: Router,
    pub(crate) keyhaven: Keyhaven,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) store: Arc<dyn DurableStore>,
    pub(crate) metrics: Metrics,
    pub(crate) lifecycle: Lifecycle,
    base_path: String,
    #[expect(dead_code, reason = "kept alive")]
    place: TestStore,
}

pub(crate) fn settings() -> Settings {
    Settings {
        relying_party: RelyingParty {
            id: RpId::new("example.org").unwrap(),
            origins: vec![Origin::new(ORIGIN).unwrap(), Origin::new(OTHER_ORIGIN).unwrap()],
            cross_origin: CrossOrigin::Refuse,
        },
        rp_name: "Example".into(),
        public_url: ORIGIN.into(),
        ceremony_ttl: Duration::from_secs(300),
        challenge_len: 32,
        user_verification: UserVerification::Required,
        attestation: AttestationConveyance::None,
        algorithms: keyhaven_core::SUPPORTED_ALGORITHMS.to_vec(),
        attestation_policy: keyhaven_core::AttestationPolicy::default(),
        attestation_formats: Vec::new(),
        allowed_models: Vec::new(),
        canonical_cbor: keyhaven_core::CanonicalCbor::AnyKeyOrder,
        backup: keyhaven_core::BackupPolicy::Any,
        backup_eligibility_change: keyhaven_core::BackupEligibilityChange::Refuse,
        unsolicited_extensions: keyhaven_core::UnsolicitedExtensions::Ignore,
        known_credentials: 1000,
        clones: ClonePolicy::Refuse,
        extensions: ExtensionSettings::default(),
        disclose_existence: false,
        identifier: keyhaven_service::Identifier::Username,
        retention: keyhaven_service::RetentionSettings::default(),
        page: "https://example.org/account".into(),
        administration: AdministrationSettings::default(),
        mail: None,
        recovery: RecoverySettings::default(),
        sessions: SessionSettings::default(),
        access_tokens: None,
        client_key: keyhaven_service::Demand::Off,
        passwords: keyhaven_service::PasswordSettings::default(),
        rate_limits: None,
    }
}

/// With mails.
pub(crate) fn mailing() -> Settings {
    Settings {
        mail: Some(MailSettings {
            sender: Sender {
                service: "Example".into(),
                from: "no-reply@example.org".parse().unwrap(),
            },
            language: Language::En,
        }),
        ..settings()
    }
}

/// Keeps what is sent.
#[derive(Default)]
struct Post(Mutex<Vec<Rendered>>);

#[async_trait::async_trait]
impl Transport for Post {
    async fn send(&self, mail: &Rendered) -> Result<(), DeliveryError> {
        self.0.lock().unwrap().push(mail.clone());
        Ok(())
    }
}

/// What differs between the servers that tests put together.
struct Ports {
    clock: Arc<FakeClock>,
    store: TestStore,
    ceremonies: Arc<dyn CeremonyStore>,
    limits: Arc<dyn LimitStore>,
    anchors: Option<Arc<dyn Anchors>>,
    crosscheck: Option<Crosscheck>,
    apps: NativeApps,
    mail_folder: Option<PathBuf>,
}

impl Ports {
    fn new(store: TestStore) -> Self {
        let clock = Arc::new(FakeClock(AtomicI64::new(BEGINNING)));
        // Limits are of the same time, which stands still: however slow a machine, no place comes back meanwhile.
        let limits = MemoryLimitStore::with_clock({
            let clock = clock.clone();
            move || Duration::from_millis(clock.0.load(Ordering::SeqCst).abs_diff(BEGINNING))
        });
        Self {
            clock,
            store,
            ceremonies: Arc::new(MemoryCeremonyStore::new(1_000)),
            limits: Arc::new(limits),
            anchors: None,
            crosscheck: None,
            apps: NativeApps::default(),
            mail_folder: None,
        }
    }
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(settings()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self::on(settings, TestStore::fresh().await).await
    }

    pub(crate) async fn with_tokens() -> Self {
        Self::with(Settings {
            access_tokens: Some(AccessTokenSettings::default()),
            ..settings()
        })
        .await
    }

    pub(crate) async fn on(settings: Settings, store: TestStore) -> Self {
        Self::trusting(settings, store, None).await
    }

    pub(crate) async fn trusting(
        settings: Settings,
        store: TestStore,
        anchors: Option<Arc<dyn Anchors>>,
    ) -> Self {
        let ports = Ports {
            anchors,
            ..Ports::new(store)
        };
        Self::assembled(settings, ports, "/").await
    }

    pub(crate) async fn crosschecked(crosscheck: Crosscheck) -> Self {
        let ports = Ports {
            crosscheck: Some(crosscheck),
            ..Ports::new(TestStore::fresh().await)
        };
        Self::assembled(settings(), ports, "/").await
    }

    pub(crate) async fn beside(apps: NativeApps) -> Self {
        let ports = Ports {
            apps,
            ..Ports::new(TestStore::fresh().await)
        };
        Self::assembled(settings(), ports, "/auth/").await
    }

    pub(crate) async fn limited_by(settings: Settings, limits: Arc<dyn LimitStore>) -> Self {
        let ports = Ports {
            limits,
            ..Ports::new(TestStore::fresh().await)
        };
        Self::assembled(settings, ports, "/").await
    }

    pub(crate) async fn keeping_mails(folder: PathBuf) -> Self {
        let ports = Ports {
            mail_folder: Some(folder),
            ..Ports::new(TestStore::fresh().await)
        };
        Self::assembled(mailing(), ports, "/").await
    }

    pub(crate) async fn under(base_path: &str) -> Self {
        let ceremonies = Arc::new(MemoryCeremonyStore::new(1_000));
        Self::made_of(settings(), TestStore::fresh().await, ceremonies, base_path).await
    }

    pub(crate) async fn made_of(
        settings: Settings,
        store: TestStore,
        ceremonies: Arc<dyn CeremonyStore>,
        base_path: &str,
    ) -> Self {
        let ports = Ports {
            ceremonies,
            ..Ports::new(store)
        };
        Self::assembled(settings, ports, base_path).await
    }

    async fn assembled(settings: Settings, ports: Ports, base_path: &str) -> Self {
        let store = ports.store.durable.clone();
        let operations = Operations::default();
        let keyhaven = Keyhaven::new(
            settings,
            Surroundings {
                durable: store.clone(),
                ceremonies: ports.ceremonies,
                limits: ports.limits,
                clock: ports.clock.clone(),
                observer: Arc::new(operations.metrics.clone()),
                random: Arc::new(CountingRandom(AtomicU64::new(0))),
                anchors: ports.anchors,
                crosscheck: ports.crosscheck,
                secret: SecretKey::new([7; 32]),
            },
        )
        .unwrap();
        keyhaven.access_tokens.maintain().await.unwrap();
        let api = ApiSettings {
            base_path: base_path.into(),
            apps: ports.apps,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            trusted_proxy_header: ProxyHeader::XForwardedFor,
            disclose_verification_step: true,
            mail_folder: ports.mail_folder,
            insecure_cookies: false,
        };
        Self {
            metrics: operations.metrics.clone(),
            lifecycle: operations.lifecycle.clone(),
            router: router(keyhaven.clone(), api, operations),
            base_path: base_path.into(),
            keyhaven,
            clock: ports.clock,
            store,
            place: ports.store,
        }
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    pub(crate) fn browser(&self) -> Client {
        Client {
            app: self.clone(),
            origin: Some(ORIGIN.into()),
            cookies: BTreeMap::new(),
            ip: "192.0.2.1".into(),
        }
    }

    /// Sends what the outbox holds, and answers it.
    pub(crate) async fn mails(&self) -> Vec<Rendered> {
        let post = Post::default();
        while self.keyhaven.outbox.deliver(&post).await.unwrap().sent > 0 {}
        std::mem::take(&mut *post.0.lock().unwrap())
    }

    pub(crate) fn native(&self) -> Client {
        Client {
            origin: None,
            ..self.browser()
        }
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) app: App,
    pub(crate) origin: Option<String>,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) ip: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }

    /// The body without what differs in every answer.
    pub(crate) fn comparable(&self) -> Value {
        let mut body = self.body.clone();
        body.as_object_mut().unwrap().remove("requestId");
        body
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.body
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), self.code()),
            (status, code),
            "{}",
            self.text
        );
    }
}

impl Client {
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        // A page that reads from its own origin is not named by its browser.
        let named = self.origin.as_ref().filter(|_| method != Method::GET);
        let mut request = Request::builder().method(method).uri(path);
        if let Some(origin) = named {
            request = request.header("origin", origin);
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<_> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.answer(request.body(Body::from(body)).unwrap()).await
    }

    /// Sends a request as it is.
    pub(crate) async fn answer(&mut self, mut request: Request<Body>) -> Answer {
        let peer = SocketAddr::new(self.ip.parse().unwrap(), 4711);
        request.extensions_mut().insert(ConnectInfo(peer));
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.app.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        crate::openapi::is_described(&self.app.base_path, &method, &path, &parts);
        let bytes = body.collect().await.unwrap().to_bytes();
        for cookie in parts.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            text,
        }
    }

    pub(crate) async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.json(Method::POST, path, body).await
    }

    pub(crate) async fn json(&mut self, method: Method, path: &str, body: Value) -> Answer {
        let body = serde_json::to_vec(&body).unwrap();
        self.send(method, path, &[("content-type", "application/json")], body)
            .await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Vec::new()).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], Vec::new()).await
    }

    /// Where the authenticator believes the page to be.
    pub(crate) fn page(&self) -> String {
        self.origin.clone().unwrap_or_else(|| ORIGIN.into())
    }

    pub(crate) async fn register(
        &mut self,
        authenticator: &mut SoftwareAuthenticator,
        username: &str,
    ) -> Value {
        let started = self
            .post("/register/start", json!({"username": username}))
            .await
            .expect(200);
        let credential = authenticator.register(&started["publicKey"], &self.page());
        self.post("/register/finish", finish(&started, &credential))
            .await
            .expect(201)
    }

    pub(crate) async fn login(
        &mut self,
        authenticator: &mut SoftwareAuthenticator,
        username: Option<&str>,
    ) -> Answer {
        let body = username.map_or_else(|| json!({}), |name| json!({"username": name}));
        let started = self.post("/login/start", body).await.expect(200);
        let credential = authenticator.authenticate(&started["publicKey"], &self.page());
        self.post("/login/finish", finish(&started, &credential)).await
    }

    /// Proves presence again for a purpose.
    pub(crate) async fn step_up(
        &mut self,
        authenticator: &mut SoftwareAuthenticator,
        purpose: &str,
    ) -> Value {
        let started = self
            .post("/step-up/start", json!({"purpose": purpose}))
            .await
            .expect(200);
        let credential = authenticator.authenticate(&started["publicKey"], &self.page());
        self.post("/step-up/finish", finish(&started, &credential))
            .await
            .expect(200)
    }

    pub(crate) fn session_cookie(&self) -> Option<&String> {
        self.cookies.get("__Host-keyhaven_session")
    }
}

pub(crate) fn finish(started: &Value, credential: &Value) -> Value {
    json!({"ceremonyId": started["ceremonyId"], "credential": credential})
}
