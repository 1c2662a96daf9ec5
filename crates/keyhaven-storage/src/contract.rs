//! What every store is tested against: one function per promise of the traits.
//!
//! An adapter's test file names how a fresh, empty store is opened, and the macros stamp every promise out as a test of
//! that name:
//!
//! ```ignore
//! mod support;
//! keyhaven_storage::ceremony_store_contract!(support::open_ceremonies); // async fn(max_pending: usize) -> impl CeremonySubject
//! keyhaven_storage::limit_store_contract!(support::open_limits); // async fn() -> impl LimitSubject
//! keyhaven_storage::durable_store_contract!(support::open); // async fn() -> impl DurableSubject
//! ```
//!
//! The adapter needs `tokio` with `macros` and `rt-multi-thread` among its dev-dependencies. Subjects are bare
//! `Arc`s of a store, or types of the adapter's tests that keep a server or a directory alive beside it.
#![expect(
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "tests: a promise that is not kept panics"
)]

mod accounts;
mod addresses;
mod admin;
mod assertions;
mod atomicity;
mod audit;
mod ceremonies;
mod clones;
mod credentials;
mod factors;
mod grants;
mod limits;
mod outbox;
mod passwords;
mod personal;
mod privacy;
mod recovery;
mod registrations;
mod samples;
mod sealed;
mod sessions;
mod signing_keys;

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Barrier;

pub use self::{
    accounts::*, addresses::*, admin::*, assertions::*, atomicity::*, audit::*, ceremonies::*, clones::*,
    credentials::*, factors::*, grants::*, limits::*, outbox::*, passwords::*, personal::*, privacy::*,
    recovery::*, registrations::*, sealed::*, sessions::*, signing_keys::*,
};
use crate::{CeremonyStore, DurableStore, LimitStore};

/// The bound on pending ceremonies of a store under test.
pub const MAX_PENDING: usize = 256;

/// A ceremony store under test, and what has to live as long as it.
#[async_trait]
pub trait CeremonySubject: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn CeremonyStore>;

    /// Closes the store and opens it again on what it kept. False: it keeps nothing.
    async fn reopen(&mut self) -> bool {
        false
    }
}

/// A store of limits under test, and what has to live as long as it.
pub trait LimitSubject: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn LimitStore>;
}

/// A durable store under test, and what has to live as long as it.
#[async_trait]
pub trait DurableSubject: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn DurableStore>;

    /// Closes the store and opens it again on what it kept. False: it keeps nothing.
    async fn reopen(&mut self) -> bool {
        false
    }

    /// From now on every insert, update and delete of rows of this table fails. False: it has no tables.
    async fn break_table(&self, table: &str) -> bool {
        let _ = table;
        false
    }

    /// Takes the last [`Self::break_table`] back.
    async fn mend_table(&self, table: &str) {
        let _ = table;
    }
}

impl<S: CeremonyStore + 'static> CeremonySubject for Arc<S> {
    fn store(&self) -> Arc<dyn CeremonyStore> {
        Self::clone(self)
    }
}

impl<S: DurableStore + 'static> DurableSubject for Arc<S> {
    fn store(&self) -> Arc<dyn DurableStore> {
        Self::clone(self)
    }
}

impl<S: LimitStore + 'static> LimitSubject for Arc<S> {
    fn store(&self) -> Arc<dyn LimitStore> {
        Self::clone(self)
    }
}

/// Lets `n` tasks begin at one moment and gathers what they answer.
async fn race<T: Send + 'static>(
    n: usize,
    contestant: impl Fn(usize) -> Pin<Box<dyn Future<Output = T> + Send>>,
) -> Vec<T> {
    let start = Arc::new(Barrier::new(n));
    let contestants: Vec<_> = (0..n)
        .map(|i| {
            let (start, run) = (Arc::clone(&start), contestant(i));
            tokio::spawn(async move {
                start.wait().await;
                run.await
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(n);
    for contestant in contestants {
        answers.push(contestant.await.unwrap());
    }
    answers
}

fn count<T: PartialEq>(answers: &[T], answer: &T) -> usize {
    answers.iter().filter(|given| *given == answer).count()
}

/// Stamps the promises of [`CeremonyStore`](crate::CeremonyStore) out as tests.
#[macro_export]
macro_rules! ceremony_store_contract {
    ($open:path) => {
        $crate::contract_tests! {
            $open($crate::contract::MAX_PENDING);
            a_ceremony_can_be_taken_once
            a_ceremony_is_gone_at_its_end
            a_ceremony_store_answers_a_ping
            an_id_in_use_is_refused
            an_unknown_ceremony_is_none
            ceremonies_of_any_content_read_back
            ceremonies_survive_a_reopen
            expired_ceremonies_are_purged
            expired_ceremonies_do_not_count
            put_is_refused_at_the_bound
            racing_puts_keep_the_bound
            take_has_one_winner
            taking_makes_room
        }
    };
}

/// Stamps the promises of [`LimitStore`](crate::LimitStore) out as tests.
#[macro_export]
macro_rules! limit_store_contract {
    ($open:path) => {
        $crate::contract_tests! {
            $open();
            a_bucket_holds_a_minutes_worth
            a_bucket_of_none_holds_one
            a_bucket_refills_as_it_told
            a_refusal_takes_from_no_bucket
            buckets_are_counted_apart
            no_bucket_refuses_nothing
            racing_attempts_get_what_the_bucket_holds
            the_first_empty_bucket_tells_how_long_to_wait
        }
    };
}

/// Stamps the promises of [`PersonalStore`](crate::PersonalStore) out as tests: those of a store that is not one before which
/// something encrypts.
#[macro_export]
macro_rules! personal_store_contract {
    ($open:path) => {
        $crate::contract_tests! {
            $open();
            a_store_remembers_that_all_is_encrypted
            a_store_remembers_which_keys_are_needed
            an_encrypted_address_is_looked_up_by_its_key
            an_encrypted_username_is_looked_up_by_its_key
            one_of_many_adds_the_first_key
            personal_texts_are_listed_row_by_row
            personal_texts_are_rewritten_where_they_still_stand
        }
    };
}

/// Stamps the promises of [`DurableStore`](crate::DurableStore) out as tests.
#[macro_export]
macro_rules! durable_store_contract {
    ($open:path) => {
        $crate::contract_tests! {
            $open();
            // accounts
            a_locked_account_is_found
            a_store_answers_a_ping
            an_account_reads_back
            candidates_are_active_and_oldest_first
            edge_values_read_back
            everything_survives_a_reopen
            unknown_records_are_none
            usernames_are_compared_exactly
            // addresses
            a_proof_brings_its_name_along
            a_proof_needs_a_live_session
            a_claim_is_the_new_accounts_own
            a_claim_needs_who_asked
            a_claim_reads_back
            a_failed_proof_leaves_nothing
            a_proven_address_stays_until_the_next_is_proven
            an_address_is_proven_by_its_token
            expired_claims_are_dropped
            mails_to_an_address_are_counted
            mails_of_claims_that_are_gone_are_counted
            one_of_racing_accounts_proves_an_address
            // administration
            a_locked_account_has_nothing_left
            a_new_role_ends_the_sessions
            a_passkey_is_removed_for_somebody
            a_refused_change_keeps_the_grant
            accounts_are_listed_newest_first
            an_accounts_standing_reads_back
            an_administrator_is_checked_when_it_is_written
            an_enrolment_link_is_good_once
            events_of_all_are_listed
            expired_enrolment_links_are_dropped
            nobody_registers_as_an_administrator
            the_first_administrator_is_made_once
            the_last_administrator_is_not_locked
            // registrations
            a_credential_id_is_registered_once
            a_locked_account_takes_no_passkey
            a_missing_account_takes_no_passkey
            a_registration_ends_the_given_session
            a_registration_signs_out_as_it_says
            a_registration_speaks_of_one_account
            a_registration_uses_its_grant
            a_registration_needs_the_session_that_asked
            a_reserved_credential_id_counts_as_registered
            an_account_has_at_most_so_many_passkeys
            one_of_racing_registrations_gets_the_grant
            a_second_passkey_joins_its_account
            a_username_is_given_once
            one_of_racing_registrations_gets_the_credential_id
            one_of_racing_registrations_gets_the_username
            // assertions
            a_changed_sign_count_refuses_an_assertion
            a_record_that_changed_since_refuses_an_assertion
            a_locked_account_signs_no_assertion
            a_login_races_a_removal
            a_login_is_recorded
            a_missing_credential_signs_no_assertion
            a_sign_count_may_be_set_back
            a_step_up_gives_a_grant
            a_step_up_needs_its_session
            a_step_up_rotates_its_session
            a_step_up_that_races_a_rotation_has_the_last_word
            an_inactive_credential_signs_no_assertion
            last_use_never_moves_back
            one_of_racing_assertions_is_committed
            uncounted_assertions_are_all_committed
            // clones
            a_clone_alarm_is_by_the_count_that_was_judged
            a_clone_alarm_leaves_no_session_of_a_racing_login
            a_clone_alarm_takes_a_credential_out_of_use
            a_clone_notice_is_given_once_in_a_while
            a_reinstatement_uses_its_grant
            a_suspended_credential_is_reinstated_and_a_revoked_one_is_not
            one_of_racing_clone_alarms_is_committed
            // credentials
            a_credential_is_renamed
            a_grant_is_used_once
            a_removal_needs_its_grant
            a_removed_credential_is_gone
            anothers_credential_is_not_removed
            anothers_credential_is_not_renamed
            racing_removals_leave_one_credential
            the_last_active_credential_stays
            the_last_credential_goes_where_a_password_suffices
            // sessions
            a_rotated_session_keeps_its_family
            a_rotated_session_knows_tokens_replaced_shortly_before
            a_session_ends_with_its_grants
            a_session_is_touched_forward_only
            expired_sessions_are_found_until_purged
            one_of_racing_rotations_happens
            only_ones_own_sessions_end
            other_sessions_end
            purges_at_once_share_the_work
            purging_is_bounded
            rotation_is_lost_without_its_token
            sessions_are_listed_newest_first
            // grants
            a_grant_is_for_one_purpose
            a_grant_is_gone_at_its_end
            a_new_grant_replaces_the_old
            // passwords
            a_password_candidate_tells_what_the_account_has
            a_password_change_ends_the_other_sessions
            a_password_change_needs_what_it_was_judged_by
            a_password_login_is_recorded
            a_password_login_needs_the_password_that_was_compared
            a_password_registration_is_recorded
            kinds_of_hashes_are_told_once_each
            one_of_racing_password_changes_happens
            one_of_racing_password_registrations_gets_the_username
            passwords_survive_a_reopen
            // factors
            a_client_key_is_changed_by_a_grant
            a_login_needs_the_factors_it_was_judged_by
            a_login_races_a_password_change
            a_login_without_factors_looks_at_none
            a_registration_brings_factors
            a_security_keys_pin_reads_back
            // audit
            an_event_id_is_used_once
            events_of_one_moment_are_not_lost_between_pages
            events_are_listed_newest_first
            events_read_back
            // recovery
            a_cancelled_recovery_is_over
            a_code_of_nobody_opens_nothing
            a_failed_try_leaves_nothing
            a_proven_address_ends_recoveries
            a_recovered_account_is_signed_out_elsewhere
            a_recovery_code_is_good_once
            a_recovery_reads_back
            a_right_code_is_good_once
            a_waiting_recovery_is_carried_out_when_the_wait_is_over
            an_address_gets_so_many_recovery_codes
            an_address_has_so_many_tries
            expired_recoveries_are_dropped
            racing_tries_are_all_counted
            a_recovery_ends_the_session_that_was_presented
            recovery_codes_are_replaced
            recovery_codes_use_a_grant_up
            // the outbox
            a_given_up_mail_leaves_an_event
            a_mail_is_announced_once
            a_mail_reads_back
            a_mail_that_was_tried_comes_again_when_told
            a_refused_commit_sends_no_mail
            a_sent_mail_is_gone
            mails_are_taken_in_the_order_they_are_due
            racing_takers_share_the_mails
            the_last_taker_alone_is_believed
            // privacy
            a_deleted_account_leaves_its_events_alone
            a_deleted_accounts_passkey_can_be_registered_anew
            a_deletion_leaves_nothing_of_what_races_with_it
            a_deletion_needs_its_session_and_its_grant
            a_display_name_is_changed
            a_freed_username_is_taken_without_inheritance
            clients_of_old_sessions_are_forgotten
            unused_accounts_are_found_and_deleted
            // the sealed log
            a_batch_holds_a_thousand
            a_batch_reads_back
            a_batch_that_does_not_follow_is_refused
            audit_keys_are_kept
            events_wait_to_be_sealed
            one_of_racing_sealers_seals
            pruned_batches_are_emptied
            sealing_while_others_append_loses_nothing
            unsealed_events_are_found_page_by_page
            // signing keys
            a_signing_key_id_is_used_once
            expired_signing_keys_are_dropped
            one_of_racing_processes_adds_a_signing_key
            signing_keys_are_listed_newest_first
            // atomicity
            a_failed_event_leaves_nothing
            a_failed_session_leaves_nothing
            a_failed_statement_leaves_nothing
        }
    };
}

/// One test per clause; the clauses are functions of this module.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($open:expr; $($clause:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $clause() {
                $crate::contract::$clause($open.await).await;
            }
        )*
    };
}

#[cfg(test)]
mod tests {
    /// A clause that no macro names would never run.
    #[test]
    fn every_clause_is_stamped_out() {
        let macros = include_str!("contract.rs");
        let clauses = [
            include_str!("contract/accounts.rs"),
            include_str!("contract/addresses.rs"),
            include_str!("contract/admin.rs"),
            include_str!("contract/assertions.rs"),
            include_str!("contract/atomicity.rs"),
            include_str!("contract/audit.rs"),
            include_str!("contract/ceremonies.rs"),
            include_str!("contract/clones.rs"),
            include_str!("contract/credentials.rs"),
            include_str!("contract/factors.rs"),
            include_str!("contract/grants.rs"),
            include_str!("contract/limits.rs"),
            include_str!("contract/outbox.rs"),
            include_str!("contract/recovery.rs"),
            include_str!("contract/passwords.rs"),
            include_str!("contract/personal.rs"),
            include_str!("contract/privacy.rs"),
            include_str!("contract/registrations.rs"),
            include_str!("contract/sealed.rs"),
            include_str!("contract/sessions.rs"),
            include_str!("contract/signing_keys.rs"),
        ]
        .concat();
        let declared = clauses.split("\npub async fn ").skip(1);
        let declared: Vec<_> = declared.filter_map(|clause| clause.split('(').next()).collect();
        assert!(declared.len() > 60, "{} clauses", declared.len());
        for clause in declared {
            assert!(
                macros.lines().any(|line| line.trim() == clause),
                "no macro names {clause}"
            );
        }
    }
}
