//! The sealed log: what waits, batches, keys, pruning.

use async_trait::async_trait;
use keyhaven_storage::{
    AuditBatch, AuditKey, AuditLeaf, AuditLogStore, AuditMember, AuditPrune, EventId, MAX_BATCH_EVENTS,
    StorageError, StoredEvent, UnsealedEvent, UnsealedPage, columns,
};
use keyhaven_types::UnixTime;
use sqlx::{query, query_scalar};
use uuid::Uuid;

use crate::PostgresStore;
use crate::error::{Failure, unique_violation};
use crate::pool::Lent;

#[async_trait]
impl AuditLogStore for PostgresStore {
    async fn waiting_events(
        &self,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<(EventId, StoredEvent)>, StorageError> {
        self.answer("audit.waiting", || self.list_waiting(after, limit))
            .await
    }

    async fn newest_batch(&self) -> Result<Option<AuditBatch>, StorageError> {
        self.answer("audit.newest", || self.find_newest_batch()).await
    }

    async fn seal(&self, batch: &AuditBatch, leaves: &[AuditLeaf]) -> Result<bool, StorageError> {
        self.answer("audit.seal", || self.write_batch(batch, leaves))
            .await
    }

    async fn batches(&self, after: u64, limit: u32) -> Result<Vec<AuditBatch>, StorageError> {
        self.answer("audit.batches", || self.list_batches(after, limit))
            .await
    }

    async fn batch_members(&self, batch: u64, limit: u32) -> Result<Vec<AuditMember>, StorageError> {
        self.answer("audit.members", || self.list_members(batch, limit))
            .await
    }

    async fn unsealed_events(&self, after: Option<EventId>, span: u32) -> Result<UnsealedPage, StorageError> {
        self.answer("audit.unsealed", || self.list_unsealed(after, span))
            .await
    }

    async fn batch_of(&self, event: EventId) -> Result<Option<u64>, StorageError> {
        self.answer("audit.batch_of", || self.find_batch_of(event)).await
    }

    async fn audit_keys(&self) -> Result<Vec<AuditKey>, StorageError> {
        self.answer("audit.keys", || self.list_audit_keys()).await
    }

    async fn add_audit_key(&self, key: &AuditKey, unless_newer_than: UnixTime) -> Result<bool, StorageError> {
        self.answer("audit.add_key", || self.insert_audit_key(key, unless_newer_than))
            .await
    }

    async fn audit_prunes(&self) -> Result<Vec<AuditPrune>, StorageError> {
        self.answer("audit.prunes", || self.list_prunes()).await
    }

    async fn add_audit_prune(&self, prune: &AuditPrune) -> Result<bool, StorageError> {
        self.answer("audit.add_prune", || self.insert_prune(prune)).await
    }

    async fn drop_pruned_events(&self, limit: u32) -> Result<u64, StorageError> {
        self.answer("audit.drop_pruned", || self.drop_pruned(limit)).await
    }
}

impl PostgresStore {
    async fn list_waiting(
        &self,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<(EventId, StoredEvent)>, Failure> {
        let Some(first) = columns::next_id(after) else {
            return Ok(Vec::new());
        };
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            r#"SELECT w.event_id, e.id AS "id?", e.at AS "at?", e.action AS "action?", e.outcome AS "outcome?", e.code,
                e.step, e.account_id, e.credential_id, e.session_id, e.ip, e.user_agent, e.request_id, e.actor, e.personal, e.mac AS "mac?"
            FROM audit_unsealed w LEFT JOIN audit_events e ON e.id = w.event_id
            WHERE w.event_id >= $1 ORDER BY w.event_id LIMIT $2"#,
            first,
            i64::from(limit)
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        Ok(rows
            .into_iter()
            .map(|row| (EventId(row.event_id), columns::found_event!(row)))
            .collect())
    }

    async fn find_newest_batch(&self) -> Result<Option<AuditBatch>, Failure> {
        let mut lent = self.primary.lend().await?;
        let row = query!(
            "SELECT number, sealed_at, events, total, root, previous, key_id, signature
            FROM audit_batches ORDER BY number DESC LIMIT 1"
        )
        .fetch_optional(&mut *lent)
        .await;
        let row = lent.settle(row)?;
        row.map(|row| Ok(columns::batch!(row))).transpose()
    }

    async fn write_batch(&self, batch: &AuditBatch, leaves: &[AuditLeaf]) -> Result<bool, Failure> {
        let mut lent = self.primary.lend().await?;
        match write(&mut lent, batch, leaves).await {
            // Another process holds one of the events in a batch of its own: as if the number were taken.
            Err(error) if unique_violation(&error).is_some() => Ok(false),
            written => lent.settle(Ok(written?)),
        }
    }

    async fn list_batches(&self, after: u64, limit: u32) -> Result<Vec<AuditBatch>, Failure> {
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            "SELECT number, sealed_at, events, total, root, previous, key_id, signature
            FROM audit_batches WHERE number > $1 ORDER BY number LIMIT $2",
            columns::stored(after),
            i64::from(limit)
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        rows.into_iter().map(|row| Ok(columns::batch!(row))).collect()
    }

    async fn list_members(&self, batch: u64, limit: u32) -> Result<Vec<AuditMember>, Failure> {
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            r#"SELECT m.leaf_index, m.event_id, m.leaf_hash, e.id AS "id?", e.at AS "at?", e.action AS "action?",
                e.outcome AS "outcome?", e.code, e.step, e.account_id, e.credential_id, e.session_id, e.ip, e.user_agent,
                e.request_id, e.actor, e.personal, e.mac AS "mac?"
            FROM audit_members m LEFT JOIN audit_events e ON e.id = m.event_id
            WHERE m.batch = $1 ORDER BY m.leaf_index LIMIT $2"#,
            columns::stored(batch),
            i64::from(limit)
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        rows.into_iter()
            .map(|row| {
                Ok(AuditMember {
                    index: columns::count(i64::from(row.leaf_index), "position in a batch")?,
                    event_id: EventId(row.event_id),
                    hash: columns::bytes(&row.leaf_hash, "leaf hash")?,
                    event: columns::found_event!(row),
                })
            })
            .collect()
    }

    async fn list_unsealed(&self, after: Option<EventId>, span: u32) -> Result<UnsealedPage, Failure> {
        let (Some(first), Some(skipped)) = (columns::next_id(after), span.checked_sub(1)) else {
            return Ok(UnsealedPage {
                events: Vec::new(),
                next: None,
            });
        };
        let mut lent = self.primary.lend().await?;
        let last = query_scalar!(
            "SELECT id FROM audit_events WHERE id >= $1 ORDER BY id LIMIT 1 OFFSET $2",
            first,
            i64::from(skipped)
        )
        .fetch_optional(&mut *lent)
        .await;
        let last = lent.settle(last)?;
        let end = last.unwrap_or(Uuid::max());
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            r#"SELECT e.id AS "id?", e.at AS "at?", e.action AS "action?", e.outcome AS "outcome?", e.code, e.step,
                e.account_id, e.credential_id, e.session_id, e.ip, e.user_agent, e.request_id, e.actor, e.personal, e.mac AS "mac?",
                EXISTS (SELECT FROM audit_unsealed w WHERE w.event_id = e.id) AS "waits!"
            FROM audit_events e WHERE e.id BETWEEN $1 AND $2
                AND NOT EXISTS (
                    SELECT FROM audit_members m JOIN audit_batches b ON b.number = m.batch WHERE m.event_id = e.id
                )
            ORDER BY e.id"#,
            first,
            end
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        let events = rows.into_iter().filter_map(|row| {
            Some(UnsealedEvent {
                id: EventId(row.id?),
                waits: row.waits,
                event: columns::found_event!(row),
            })
        });
        Ok(UnsealedPage {
            events: events.collect(),
            next: last.map(EventId),
        })
    }

    async fn find_batch_of(&self, event: EventId) -> Result<Option<u64>, Failure> {
        let mut lent = self.primary.lend().await?;
        let number = query_scalar!("SELECT batch FROM audit_members WHERE event_id = $1", event.0)
            .fetch_optional(&mut *lent)
            .await;
        let number = lent.settle(number)?;
        Ok(number
            .map(|number| columns::count(number, "batch number"))
            .transpose()?)
    }

    async fn list_audit_keys(&self) -> Result<Vec<AuditKey>, Failure> {
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            "SELECT id, verifier_key, sealed_private_key, created_at, endorsed_by, endorsement
            FROM audit_keys ORDER BY created_at, id"
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        rows.into_iter().map(|row| Ok(columns::audit_key!(row))).collect()
    }

    async fn insert_audit_key(&self, key: &AuditKey, unless_newer_than: UnixTime) -> Result<bool, Failure> {
        let mut lent = self.primary.lend().await?;
        let added = add_key(&mut lent, key, unless_newer_than).await;
        lent.settle(Ok(added?))
    }

    async fn list_prunes(&self) -> Result<Vec<AuditPrune>, Failure> {
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            "SELECT through, chain, pruned_before, at, key_id, signature FROM audit_prunes ORDER BY through"
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        rows.into_iter()
            .map(|row| Ok(columns::audit_prune!(row)))
            .collect()
    }

    async fn insert_prune(&self, prune: &AuditPrune) -> Result<bool, Failure> {
        let mut lent = self.primary.lend().await?;
        let added = query!(
            "INSERT INTO audit_prunes (through, chain, pruned_before, at, key_id, signature)
            SELECT $1, $2::bytea, $3::bigint, $4::bigint, $5::text, $6::bytea
            WHERE NOT EXISTS (SELECT FROM audit_prunes WHERE through >= $1)
            ON CONFLICT DO NOTHING",
            columns::stored(prune.through),
            &prune.chain[..],
            prune.before.as_millis(),
            prune.at.as_millis(),
            prune.key_id,
            &prune.signature[..],
        )
        .execute(&mut *lent)
        .await;
        Ok(lent.settle(added)?.rows_affected() == 1)
    }

    async fn drop_pruned(&self, limit: u32) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let dropped = drop_batches(&mut lent, i64::from((limit / MAX_BATCH_EVENTS).max(1))).await;
        lent.settle(Ok(dropped?))
    }
}

/// A few round trips in one transaction: sealing is nobody's request.
async fn write(lent: &mut Lent, batch: &AuditBatch, leaves: &[AuditLeaf]) -> Result<bool, sqlx::Error> {
    let mut transaction = lent.begin().await?;
    let number = columns::stored(batch.number);
    // Of processes that write one number at once, the others wait here for the first, and then write nothing.
    let written = query!(
        "INSERT INTO audit_batches (number, sealed_at, events, total, root, previous, key_id, signature)
        SELECT $1, $2::bigint, $3::integer, $4::bigint, $5::bytea, $6::bytea, $7::text, $8::bytea
        WHERE $1 = coalesce((SELECT max(number) FROM audit_batches), 0) + 1
        ON CONFLICT DO NOTHING",
        number,
        batch.sealed_at.as_millis(),
        i32::try_from(batch.events).unwrap_or(i32::MAX),
        columns::stored(batch.total),
        &batch.root[..],
        &batch.previous[..],
        batch.key_id,
        &batch.signature[..],
    )
    .execute(&mut *transaction)
    .await?;
    if written.rows_affected() != 1 {
        transaction.rollback().await?;
        return Ok(false);
    }
    let ids: Vec<Uuid> = leaves.iter().map(|leaf| leaf.event.0).collect();
    let hashes: Vec<Vec<u8>> = leaves.iter().map(|leaf| leaf.hash.to_vec()).collect();
    query!(
        "INSERT INTO audit_members (batch, leaf_index, event_id, leaf_hash)
        SELECT $1, leaf.place - 1, leaf.id, leaf.hash
        FROM unnest($2::uuid[], $3::bytea[]) WITH ORDINALITY AS leaf (id, hash, place)",
        number,
        &ids,
        &hashes,
    )
    .execute(&mut *transaction)
    .await?;
    let waited = query!("DELETE FROM audit_unsealed WHERE event_id = ANY($1)", &ids)
        .execute(&mut *transaction)
        .await?;
    if waited.rows_affected() != u64::from(batch.events) || usize::try_from(batch.events) != Ok(leaves.len())
    {
        transaction.rollback().await?;
        return Ok(false);
    }
    transaction.commit().await?;
    Ok(true)
}

async fn add_key(lent: &mut Lent, key: &AuditKey, unless_newer_than: UnixTime) -> Result<bool, sqlx::Error> {
    let (by, signature) = key
        .endorsement
        .as_ref()
        .map(|(by, bytes)| (by, &bytes[..]))
        .unzip();
    let mut transaction = lent.begin().await?;
    // First the lock, then the look: the statement below sees what the process before has committed.
    query!("LOCK TABLE audit_keys IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *transaction)
        .await?;
    let added = query!(
        "INSERT INTO audit_keys (id, verifier_key, sealed_private_key, created_at, endorsed_by, endorsement)
        SELECT $1::text, $2::text, $3::bytea, $4::bigint, $5::text, $6::bytea
        WHERE NOT EXISTS (SELECT FROM audit_keys WHERE created_at >= $7)",
        key.id,
        key.verifier_key,
        key.sealed_private_key,
        key.created_at.as_millis(),
        by,
        signature,
        unless_newer_than.as_millis(),
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(added.rows_affected() == 1)
}

/// Empties at most so many batches. Who comes second to a row waits, and finds it gone.
async fn drop_batches(lent: &mut Lent, batches: i64) -> Result<u64, sqlx::Error> {
    let mut transaction = lent.begin().await?;
    let last = query_scalar!(
        r#"SELECT max(batch) AS "batch: i64" FROM (
            SELECT DISTINCT batch FROM audit_members
            WHERE batch <= (SELECT max(through) FROM audit_prunes) ORDER BY batch LIMIT $1
        ) AS oldest"#,
        batches
    )
    .fetch_one(&mut *transaction)
    .await?;
    let Some(last) = last else {
        transaction.rollback().await?;
        return Ok(0);
    };
    let dropped = query!(
        "DELETE FROM audit_events WHERE id IN (SELECT event_id FROM audit_members WHERE batch <= $1)",
        last
    )
    .execute(&mut *transaction)
    .await?;
    query!("DELETE FROM audit_members WHERE batch <= $1", last)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(dropped.rows_affected())
}
