use super::samples::{at, event, newcomer, register, session, token};
use super::{DurableSubject, count, race};
use crate::{
    AddressClaim, DurableStore, ENCRYPTED_MARK, EncryptionKey, EncryptionState, PersonalRewrite, PersonalRow,
    PersonalTable, ProofOutcome, lookup_key,
};

/// All rows of a table, two at a time.
async fn all(store: &dyn DurableStore, table: PersonalTable) -> Vec<PersonalRow> {
    let mut rows: Vec<PersonalRow> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.id.clone());
        let page = store.personal_rows(table, after.as_deref(), 2).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        assert!(page.len() <= 2);
        rows.extend(page);
    }
}

/// Three accounts, each with a passkey, a session and a claim.
async fn furnish(store: &dyn DurableStore) {
    for n in 1..=3 {
        let mut new = newcomer(n);
        let account = new.credential.account;
        new.session = Some(session(account, n));
        new.claim = Some(AddressClaim {
            account,
            address: format!("user-{n}@example.org"),
            address_hash: [n; 32],
            token_hash: token(90 + n),
            token_expires_at: at(9_000),
            mails: 1,
            mailed_at: at(1),
            expires_at: at(90_000),
        });
        register(store, new).await;
    }
}

/// Each row is listed once, with its texts as they are stored.
pub async fn personal_texts_are_listed_row_by_row(subject: impl DurableSubject) {
    let store = subject.store();
    furnish(&*store).await;
    for table in PersonalTable::ALL {
        let rows = all(&*store, table).await;
        assert_eq!(rows.len(), 3, "{table:?}");
        assert!(rows.is_sorted_by(|a, b| a.id < b.id), "{table:?}");
        let texts = match table {
            PersonalTable::Accounts => 3,
            PersonalTable::AddressClaims => 1,
            PersonalTable::Credentials | PersonalTable::Sessions => 2,
        };
        assert!(rows.iter().all(|row| row.texts.len() == texts), "{table:?}");
    }
}

/// A row gets other texts where it still has those that were read; nothing else of it changes.
pub async fn personal_texts_are_rewritten_where_they_still_stand(subject: impl DurableSubject) {
    let store = subject.store();
    furnish(&*store).await;
    for table in PersonalTable::ALL {
        let rows = all(&*store, table).await;
        // As long as encrypted ones are, each with a key of its own.
        let longer = |text: &Option<String>| {
            let text = text.as_ref()?;
            Some(format!("{ENCRYPTED_MARK}{text:0>48}{}", "x".repeat(900)))
        };
        let mut rewrites: Vec<_> = rows
            .iter()
            .map(|row| PersonalRewrite {
                from: row.clone(),
                to: row.texts.iter().map(longer).collect(),
            })
            .collect();
        let mut read_too_early = rewrites[0].clone();
        for text in read_too_early.from.texts.iter_mut().flatten() {
            text.push('!');
        }
        rewrites[0] = read_too_early;
        assert_eq!(
            store.rewrite_personal(table, &rewrites).await.unwrap(),
            2,
            "{table:?}"
        );
        let after = all(&*store, table).await;
        assert_eq!(after[0], rows[0], "{table:?}");
        for (row, rewrite) in after[1..].iter().zip(&rewrites[1..]) {
            assert_eq!(row.id, rewrite.from.id);
            assert_eq!(row.texts, rewrite.to, "{table:?}");
        }
    }
}

/// An encrypted username is looked up by its key, and given once, however it is encrypted.
pub async fn an_encrypted_username_is_looked_up_by_its_key(subject: impl DurableSubject) {
    let store = subject.store();
    furnish(&*store).await;
    let encrypted = |body: &str| format!("{ENCRYPTED_MARK}{}{body}", "0a".repeat(24));
    let rows = all(&*store, PersonalTable::Accounts).await;
    let rewrite = |row: &PersonalRow, body: &str| {
        let mut to = row.texts.clone();
        to[0] = Some(encrypted(body));
        PersonalRewrite {
            from: row.clone(),
            to,
        }
    };
    let first = rewrite(&rows[0], "one");
    let done = store.rewrite_personal(PersonalTable::Accounts, &[first]).await;
    assert_eq!(done.unwrap(), 1);
    let key = encrypted("");
    assert!(store.username_exists(&key).await.unwrap());
    assert!(store.username_exists(&encrypted("another")).await.unwrap());
    let found = store.account_named(&key).await.unwrap().unwrap();
    assert_eq!(found.username, encrypted("one"));
    assert_eq!(lookup_key(&found.username), key);
    let before = rows[0].texts[0].as_deref().unwrap();
    assert!(!store.username_exists(before).await.unwrap());
    let mut taken = newcomer(9);
    if let crate::RegistrationAccount::New(account) = &mut taken.account {
        account.username = encrypted("two");
    }
    let outcome = store.commit_registration(taken).await.unwrap();
    assert_eq!(outcome, crate::RegistrationOutcome::UsernameTaken);
}

/// An encrypted address is looked up by its key, and proven by one account, however it is encrypted.
pub async fn an_encrypted_address_is_looked_up_by_its_key(subject: impl DurableSubject) {
    let store = subject.store();
    furnish(&*store).await;
    let encrypted = |body: &str| format!("{ENCRYPTED_MARK}{}{body}", "0a".repeat(24));
    let rows = all(&*store, PersonalTable::AddressClaims).await;
    let rewrites: Vec<_> = rows
        .iter()
        .zip(["one", "two"])
        .map(|(row, body)| PersonalRewrite {
            from: row.clone(),
            to: vec![Some(encrypted(body))],
        })
        .collect();
    let done = store
        .rewrite_personal(PersonalTable::AddressClaims, &rewrites)
        .await;
    assert_eq!(done.unwrap(), 2);
    let account = |n: u8| newcomer(n).credential.account;
    let prove = |n: u8| {
        let (store, audit) = (subject.store(), event(9000 + u128::from(n), account(n)).into());
        async move {
            let own = session(account(n), n).id;
            store
                .prove_address(account(n), own, &token(90 + n), None, at(50), audit)
                .await
                .unwrap()
        }
    };
    let ProofOutcome::Proven(first) = prove(1).await else {
        panic!()
    };
    assert_eq!(first.email.as_deref(), Some(&encrypted("one")[..]));
    assert_eq!(prove(2).await, ProofOutcome::Taken);
    let owner = store.address_owner(&encrypted("")).await.unwrap().unwrap();
    assert_eq!(owner, first);
}

/// A new store holds nothing that is encrypted, and remembers when somebody has seen to it.
pub async fn a_store_remembers_that_all_is_encrypted(mut subject: impl DurableSubject) {
    let store = subject.store();
    assert!(!store.encryption_state().await.unwrap().all_encrypted);
    store.set_all_encrypted().await.unwrap();
    store.set_all_encrypted().await.unwrap();
    assert!(store.encryption_state().await.unwrap().all_encrypted);
    drop(store);
    if subject.reopen().await {
        assert!(subject.store().encryption_state().await.unwrap().all_encrypted);
    }
}

fn key(n: u8) -> EncryptionKey {
    EncryptionKey {
        id: [n, 0, 0, 1],
        wrapped_lookups: vec![n; 61],
    }
}

/// A key comes beside those that were read alone, goes by its id, and the last one stays.
pub async fn a_store_remembers_which_keys_are_needed(mut subject: impl DurableSubject) {
    let store = subject.store();
    assert_eq!(
        store.encryption_state().await.unwrap(),
        EncryptionState::default()
    );
    for (added, beside, outcome) in [
        (2, &[1][..], false),
        (2, &[], true),
        // It is there; something was read too early; what was read is not there.
        (2, &[], false),
        (2, &[2], false),
        (1, &[], false),
        (1, &[3], false),
        (1, &[2], true),
        (3, &[1, 2], true),
    ] {
        let beside: Vec<_> = beside.iter().map(|n| key(*n).id).collect();
        let done = store.add_encryption_key(&key(added), &beside).await.unwrap();
        assert_eq!(done, outcome, "{added} beside {beside:?}");
    }
    let known = |n: &[u8]| n.iter().copied().map(key).collect::<Vec<_>>();
    assert_eq!(store.encryption_state().await.unwrap().keys, known(&[1, 2, 3]));
    for wrong in [vec![], vec![0; 257]] {
        let wrong = EncryptionKey {
            wrapped_lookups: wrong,
            ..key(4)
        };
        let ids = [1, 2, 3].map(|n| key(n).id);
        assert!(store.add_encryption_key(&wrong, &ids).await.is_err());
    }
    for (dropped, left) in [(9, &[1, 2, 3][..]), (1, &[2, 3]), (3, &[2]), (2, &[2])] {
        store.drop_encryption_key(key(dropped).id).await.unwrap();
        assert_eq!(store.encryption_state().await.unwrap().keys, known(left));
    }
    drop(store);
    if subject.reopen().await {
        let state = subject.store().encryption_state().await.unwrap();
        assert_eq!(state.keys, known(&[2]));
    }
}

/// Of processes that start at once on a new store, one makes the key of look-ups.
pub async fn one_of_many_adds_the_first_key(subject: impl DurableSubject) {
    let store = subject.store();
    let added = race(8, |n| {
        let (store, key) = (subject.store(), key(u8::try_from(n).unwrap()));
        Box::pin(async move { store.add_encryption_key(&key, &[]).await.unwrap() })
    })
    .await;
    assert_eq!(count(&added, &true), 1);
    assert_eq!(store.encryption_state().await.unwrap().keys.len(), 1);
}
