//! The promises of the storage traits, kept in PostgreSQL.

mod support;

keyhaven_storage::durable_store_contract!(support::open);
keyhaven_storage::personal_store_contract!(support::open);
