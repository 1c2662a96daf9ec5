//! The audit log against somebody who owns the database, through the real command, on SQLite and PostgreSQL.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod export;
mod log;
mod tampering;

/// Stamps each check out for each database.
macro_rules! on_each_database {
    ($($module:ident::$check:ident)*) => {$(
        mod $check {
            #[test]
            fn on_sqlite() {
                crate::$module::$check(&crate::log::Log::on_sqlite());
            }

            #[test]
            fn on_postgres() {
                crate::$module::$check(&crate::log::Log::on_postgres());
            }
        }
    )*};
}

on_each_database! {
    export::a_proof_is_checked_without_a_database
    export::an_export_is_verified_without_a_database
    export::pruning_leaves_a_log_that_verifies
    export::the_log_is_sealed_and_verifies
    tampering::a_batch_or_its_membership_that_is_edited_is_named
    tampering::a_deleted_event_is_named
    tampering::a_forged_prune_record_hides_nothing
    tampering::a_log_cut_off_shows_against_a_checkpoint
    tampering::a_tail_signed_by_another_key_is_refused
    tampering::an_edited_event_is_named_whatever_the_column
    tampering::an_inserted_event_is_named
    tampering::events_in_another_order_are_named
    tampering::what_is_not_sealed_is_watched_too
}
