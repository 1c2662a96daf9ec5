//! The promises of the storage traits, kept in Redis.

mod support;

use keyhaven_storage::contract::{CeremonySubject, LimitSubject};
use keyhaven_testkit::redis::shared_url;
use support::{Subject, patient};

async fn open_ceremonies(max_pending: usize) -> impl CeremonySubject {
    Subject::new(patient(&shared_url()), max_pending)
}

async fn open_limits() -> impl LimitSubject {
    Subject::new(patient(&shared_url()), 1)
}

keyhaven_storage::ceremony_store_contract!(open_ceremonies);
keyhaven_storage::limit_store_contract!(open_limits);
