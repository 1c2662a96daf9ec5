//! Passwords through the real command, on SQLite and PostgreSQL.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod import;
mod sign_in;
mod site;

/// Stamps each check out for each database.
macro_rules! on_each_database {
    ($($module:ident::$check:ident)*) => {$(
        mod $check {
            #[test]
            fn on_sqlite() {
                crate::$module::$check(&crate::site::Site::on_sqlite());
            }

            #[test]
            fn on_postgres() {
                crate::$module::$check(&crate::site::Site::on_postgres());
            }
        }
    )*};
}

on_each_database! {
    import::accounts_of_another_system_are_taken_over_line_by_line
    sign_in::a_changed_password_ends_the_other_sessions
    sign_in::a_password_user_gets_a_passkey_and_leaves_the_password
    sign_in::an_unknown_name_and_a_wrong_password_have_one_answer
    sign_in::of_many_registrations_of_one_name_one_is_made
}
