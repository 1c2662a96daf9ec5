//! Sending what the outbox holds.
//!
//! A mail leaves at least once: where a process dies, or its store is away, between handing it over and noting that, it
//! leaves again after its lease, under the same Message-ID.

use std::sync::Arc;
use std::time::Duration;

use keyhaven_mail::{DeliveryError, Mail, Transport, render};
use keyhaven_storage::{AuditOutcome, OutboxFigures, TakenMail};
use keyhaven_types::UnixTime;

use crate::audit::Subject;
use crate::context::Context;
use crate::error::Error;
use crate::mails::NOBODY;

/// As many are taken at once.
const BATCH: u32 = 16;

/// How long a process has for what it took; a transport must be done sooner.
const LEASE: Duration = Duration::from_secs(5 * 60);

/// The first pause after a failure; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(2 * 60 * 60);

/// What could not be sent for so long is given up.
const PATIENCE: Duration = Duration::from_secs(2 * 24 * 60 * 60);

const GIVE_UP: &str = "mail.give_up";

/// Sends mails.
#[derive(Clone)]
pub struct Outbox(pub(crate) Arc<Context>);

/// What became of the mails of one batch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Deliveries {
    /// Handed over.
    pub sent: u32,
    /// To be tried again.
    pub postponed: u32,
    /// Given up, with an event each.
    pub given_up: u32,
    /// Whether there may be more that are due now.
    pub more: bool,
}

enum Fate {
    GiveUp(&'static str),
    Postpone(UnixTime),
    Sent,
}

impl Outbox {
    /// Sends mails that are due, a batch of them, and notes what became of each.
    ///
    /// # Errors
    /// [`Error::Storage`]: what was handed over but could not be noted is sent again after its lease.
    pub async fn deliver(&self, transport: &dyn Transport) -> Result<Deliveries, Error> {
        let now = self.0.clock.now();
        let taken = self
            .0
            .durable
            .take_mails(now, now.saturating_add(LEASE), BATCH)
            .await?;
        let mut deliveries = Deliveries {
            more: u32::try_from(taken.len()) == Ok(BATCH),
            ..Deliveries::default()
        };
        // Noted as each is done: where one takes long, or the process ends, the others are not sent again.
        let deliver = |taken: TakenMail| async move {
            let fate = self.send(transport, &taken).await;
            self.note(&taken, fate).await
        };
        for fate in futures_util::future::join_all(taken.into_iter().map(deliver)).await {
            let count = match fate? {
                Fate::GiveUp(_) => &mut deliveries.given_up,
                Fate::Postpone(_) => &mut deliveries.postponed,
                Fate::Sent => &mut deliveries.sent,
            };
            *count = count.saturating_add(1);
        }
        Ok(deliveries)
    }

    /// How full the outbox is.
    ///
    /// # Errors
    /// [`Error::Storage`]
    pub async fn figures(&self) -> Result<OutboxFigures, Error> {
        Ok(self.0.durable.outbox_figures().await?)
    }

    async fn send(&self, transport: &dyn Transport, taken: &TakenMail) -> Fate {
        let mail = &taken.mail;
        let opened = self.0.keys.open_mail(mail.id, &mail.sealed);
        if opened
            .as_ref()
            .is_some_and(|plain| plain.iter().all(|byte| *byte == NOBODY))
        {
            return Fate::Sent;
        }
        let Some(content) = opened.and_then(|plain| serde_json::from_slice::<Mail>(&plain).ok()) else {
            return Fate::GiveUp("mail_unreadable");
        };
        let now = self.0.clock.now();
        if content.content.useless_from().is_some_and(|end| end <= now) {
            return Fate::GiveUp("mail_too_late");
        }
        let sender = self.0.settings.mail.as_ref().map(|mail| &mail.sender);
        let rendered = sender.and_then(|sender| render(&content, sender, &mail.id.to_string()).ok());
        let Some(rendered) = rendered else {
            return Fate::GiveUp("mail_unreadable");
        };
        match transport.send(&rendered).await {
            Ok(()) => Fate::Sent,
            Err(DeliveryError::Permanent(reason)) => {
                tracing::warn!(mail = %mail.id, reason, "the mail server refused a mail for good");
                Fate::GiveUp("mail_refused")
            }
            Err(DeliveryError::Transient(reason)) => {
                tracing::warn!(mail = %mail.id, attempt = taken.attempt, reason, "a mail could not be sent yet");
                let pause = self.pause(taken.attempt);
                let again = self.0.clock.now().saturating_add(pause);
                if again.saturating_since(mail.created_at) >= PATIENCE {
                    Fate::GiveUp("mail_undeliverable")
                } else {
                    Fate::Postpone(again)
                }
            }
        }
    }

    async fn note(&self, taken: &TakenMail, fate: Fate) -> Result<Fate, Error> {
        let (id, attempt) = (taken.mail.id, taken.attempt);
        let durable = &self.0.durable;
        // Where somebody else has it since, that one's word counts.
        match fate {
            Fate::Sent => durable.mail_sent(id, attempt).await?,
            Fate::Postpone(at) => durable.retry_mail(id, attempt, at).await?,
            Fate::GiveUp(code) => {
                let subject = Subject::pseudonym(taken.mail.account);
                let event = self
                    .0
                    .own_event(GIVE_UP, AuditOutcome::Refused, Some(code), subject)?;
                durable.give_mail_up(id, attempt, event).await?
            }
        };
        Ok(fate)
    }

    /// Twice as long each time, and up to a quarter more, so that mails that failed together do not come together.
    fn pause(&self, attempt: u32) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(1_u32 << attempt.saturating_sub(1).min(16));
        let pause = doubled.min(LONGEST_PAUSE);
        let mut byte = [0];
        // Without a random source they come together.
        let _ = self.0.random.fill(&mut byte);
        pause.saturating_add(pause / 1024 * u32::from(byte[0]))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicI64, Ordering};

    use keyhaven_mail::{Address, Content, Language, Rendered, Secret, Sender};
    use keyhaven_storage::{AccountId, Aftermath};
    use keyhaven_storage_memory::{MemoryCeremonyStore, MemoryLimitStore, MemoryStore};

    use super::*;
    use crate::ports::{Clock, Observer, Random, RandomUnavailable};
    use crate::{Keyhaven, MailSettings, SecretKey, Settings, Surroundings};

    struct Time(AtomicI64);

    impl Clock for Time {
        fn now(&self) -> UnixTime {
            UnixTime::from_millis(self.0.load(Ordering::SeqCst))
        }
    }

    struct Nobody;

    impl Observer for Nobody {
        fn ceremony(&self, _: &'static str, _: &'static str, _: &'static str) {}
    }

    struct Counting(AtomicI64);

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
            let count = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
            for (byte, value) in bytes.iter_mut().zip(count.iter().cycle()) {
                *byte = *value;
            }
            Ok(())
        }
    }

    /// A mail server that does as it is told.
    struct Server {
        answer: Mutex<Result<(), DeliveryError>>,
        got: Mutex<Vec<String>>,
    }

    #[async_trait::async_trait]
    impl Transport for Server {
        async fn send(&self, mail: &Rendered) -> Result<(), DeliveryError> {
            self.answer.lock().unwrap().clone()?;
            self.got.lock().unwrap().push(mail.to.to_string());
            Ok(())
        }
    }

    struct Post {
        keyhaven: Keyhaven,
        clock: Arc<Time>,
        server: Server,
    }

    impl Post {
        fn new() -> Self {
            let clock = Arc::new(Time(AtomicI64::new(1_800_000_000_000)));
            let settings = Settings {
                mail: Some(MailSettings {
                    sender: Sender {
                        service: "Example".into(),
                        from: "no-reply@example.org".parse().unwrap(),
                    },
                    language: Language::En,
                }),
                ..crate::settings::tests::settings()
            };
            let surroundings = Surroundings {
                durable: Arc::new(MemoryStore::new()),
                ceremonies: Arc::new(MemoryCeremonyStore::new(10)),
                limits: Arc::new(MemoryLimitStore::new()),
                clock: clock.clone(),
                observer: Arc::new(Nobody),
                random: Arc::new(Counting(AtomicI64::new(0))),
                anchors: None,
                crosscheck: None,
                secret: SecretKey::new([1; 32]),
            };
            Self {
                keyhaven: Keyhaven::new(settings, surroundings).unwrap(),
                clock,
                server: Server {
                    answer: Mutex::new(Ok(())),
                    got: Mutex::new(Vec::new()),
                },
            }
        }

        fn answer(&self, answer: Result<(), DeliveryError>) {
            *self.server.answer.lock().unwrap() = answer;
        }

        fn pass(&self, time: Duration) {
            let millis = i64::try_from(time.as_millis()).unwrap();
            self.clock.0.fetch_add(millis, Ordering::SeqCst);
        }

        fn account() -> AccountId {
            AccountId(uuid::Uuid::from_u128(1))
        }

        /// Appends an event that a mail tells of.
        async fn queue(&self, to: &str, content: Content) {
            let context = &self.keyhaven.context;
            let to: Address = to.parse().unwrap();
            let mail = Mail {
                to,
                language: Language::En,
                username: None,
                occasion: None,
                content,
            };
            let mails = context.queued(Some(Self::account()), &mail).unwrap();
            let event = context
                .own_event(
                    "test",
                    AuditOutcome::Success,
                    None,
                    Subject::pseudonym(Some(Self::account())),
                )
                .unwrap();
            let mails = mails.into_iter().collect();
            context.durable.append(Aftermath { event, mails }).await.unwrap();
        }

        async fn deliver(&self) -> (u32, u32, u32) {
            let done = self.keyhaven.outbox.deliver(&self.server).await.unwrap();
            (done.sent, done.postponed, done.given_up)
        }

        async fn codes(&self) -> Vec<Option<String>> {
            let events = self
                .keyhaven
                .context
                .durable
                .events_of(Self::account(), None, 10)
                .await;
            let events = events.unwrap().into_iter();
            events
                .filter(|event| event.action == GIVE_UP)
                .map(|event| event.code)
                .collect()
        }
    }

    #[tokio::test]
    async fn a_mail_leaves_once() {
        let post = Post::new();
        post.queue("a@example.org", Content::AddressInUse).await;
        post.queue("b@example.org", Content::AddressInUse).await;
        assert_eq!(post.deliver().await, (2, 0, 0));
        assert_eq!(post.deliver().await, (0, 0, 0));
        assert_eq!(post.keyhaven.outbox.figures().await.unwrap().waiting, 0);
        assert_eq!(post.server.got.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_server_that_is_away_gets_the_mail_when_it_is_back() {
        let post = Post::new();
        post.queue("a@example.org", Content::AddressInUse).await;
        post.answer(Err(DeliveryError::Transient("away".into())));
        for attempt in 1..8 {
            assert_eq!(post.deliver().await, (0, 1, 0), "attempt {attempt}");
            assert_eq!(post.deliver().await, (0, 0, 0), "it is not asked again at once");
            post.pass(LONGEST_PAUSE * 5 / 4);
        }
        post.answer(Ok(()));
        assert_eq!(post.deliver().await, (1, 0, 0));
        assert!(post.codes().await.is_empty());
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_given_up_with_an_event() {
        let post = Post::new();
        post.queue("a@example.org", Content::AddressInUse).await;
        post.answer(Err(DeliveryError::Permanent("no such mailbox".into())));
        assert_eq!(post.deliver().await, (0, 0, 1));
        assert_eq!(post.codes().await, [Some("mail_refused".into())]);

        post.queue("b@example.org", Content::AddressInUse).await;
        post.answer(Err(DeliveryError::Transient("away".into())));
        let mut attempts = 0;
        while post.deliver().await == (0, 1, 0) {
            attempts += 1;
            assert!(attempts < 100, "for ever");
            post.pass(LONGEST_PAUSE * 5 / 4);
        }
        assert!(attempts > 15, "{attempts}");
        assert_eq!(post.codes().await.len(), 2);
        assert_eq!(post.codes().await[0], Some("mail_undeliverable".into()));
        assert_eq!(post.keyhaven.outbox.figures().await.unwrap().waiting, 0);
    }

    #[tokio::test]
    async fn a_code_that_would_come_too_late_is_not_sent() {
        let post = Post::new();
        let until = post.clock.now().saturating_add(Duration::from_secs(600));
        let code = || Content::RecoveryCode {
            code: Secret("123456".into()),
            until,
        };
        post.queue("a@example.org", code()).await;
        post.pass(Duration::from_secs(599));
        assert_eq!(post.deliver().await, (1, 0, 0));
        post.queue("a@example.org", code()).await;
        post.pass(Duration::from_secs(1));
        assert_eq!(post.deliver().await, (0, 0, 1));
        assert_eq!(post.codes().await, [Some("mail_too_late".into())]);
    }

    #[tokio::test]
    async fn what_waits_in_the_store_cannot_be_read_there() {
        let post = Post::new();
        post.queue(
            "a@example.org",
            Content::RecoveryCode {
                code: Secret("123456".into()),
                until: UnixTime::from_millis(i64::MAX),
            },
        )
        .await;
        let now = post.clock.now();
        let durable = &post.keyhaven.context.durable;
        let taken = durable.take_mails(now, now, 10).await.unwrap();
        let text = String::from_utf8_lossy(&taken[0].mail.sealed).into_owned();
        assert!(
            !text.contains("123456") && !text.contains("example.org"),
            "{text}"
        );
    }

    #[test]
    fn a_transport_is_done_before_the_lease_is_over() {
        assert!(LEASE >= Duration::from_secs(4 * 60));
        let post = Post::new();
        let pauses: Vec<_> = (1..40)
            .map(|attempt| post.keyhaven.outbox.pause(attempt))
            .collect();
        assert!(pauses[0] >= FIRST_PAUSE && pauses[0] <= FIRST_PAUSE * 5 / 4);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE * 5 / 4));
        assert!(pauses[20] >= LONGEST_PAUSE);
    }
}
