//! The sealed log: what waits, batches, keys, pruning.

use async_trait::async_trait;
use keyhaven_storage::{
    AuditBatch, AuditKey, AuditLeaf, AuditLogStore, AuditMember, AuditPrune, EventId, MAX_BATCH_EVENTS,
    StorageError, StoredEvent, UnsealedEvent, UnsealedPage, columns,
};
use keyhaven_types::UnixTime;
use sqlx::{query, query_scalar};
use uuid::Uuid;

use crate::SqliteStore;
use crate::error::Failure;

#[async_trait]
impl AuditLogStore for SqliteStore {
    async fn waiting_events(
        &self,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<(EventId, StoredEvent)>, StorageError> {
        self.list_waiting(after, limit)
            .await
            .map_err(Failure::of("audit.waiting"))
    }

    async fn newest_batch(&self) -> Result<Option<AuditBatch>, StorageError> {
        self.find_newest_batch()
            .await
            .map_err(Failure::of("audit.newest"))
    }

    async fn seal(&self, batch: &AuditBatch, leaves: &[AuditLeaf]) -> Result<bool, StorageError> {
        self.write_batch(batch, leaves)
            .await
            .map_err(Failure::of("audit.seal"))
    }

    async fn batches(&self, after: u64, limit: u32) -> Result<Vec<AuditBatch>, StorageError> {
        self.list_batches(after, limit)
            .await
            .map_err(Failure::of("audit.batches"))
    }

    async fn batch_members(&self, batch: u64, limit: u32) -> Result<Vec<AuditMember>, StorageError> {
        self.list_members(batch, limit)
            .await
            .map_err(Failure::of("audit.members"))
    }

    async fn unsealed_events(&self, after: Option<EventId>, span: u32) -> Result<UnsealedPage, StorageError> {
        self.list_unsealed(after, span)
            .await
            .map_err(Failure::of("audit.unsealed"))
    }

    async fn batch_of(&self, event: EventId) -> Result<Option<u64>, StorageError> {
        self.find_batch_of(event)
            .await
            .map_err(Failure::of("audit.batch_of"))
    }

    async fn audit_keys(&self) -> Result<Vec<AuditKey>, StorageError> {
        self.list_audit_keys().await.map_err(Failure::of("audit.keys"))
    }

    async fn add_audit_key(&self, key: &AuditKey, unless_newer_than: UnixTime) -> Result<bool, StorageError> {
        self.insert_audit_key(key, unless_newer_than)
            .await
            .map_err(Failure::of("audit.add_key"))
    }

    async fn audit_prunes(&self) -> Result<Vec<AuditPrune>, StorageError> {
        self.list_prunes().await.map_err(Failure::of("audit.prunes"))
    }

    async fn add_audit_prune(&self, prune: &AuditPrune) -> Result<bool, StorageError> {
        self.insert_prune(prune)
            .await
            .map_err(Failure::of("audit.add_prune"))
    }

    async fn drop_pruned_events(&self, limit: u32) -> Result<u64, StorageError> {
        self.drop_pruned(limit)
            .await
            .map_err(Failure::of("audit.drop_pruned"))
    }
}

impl SqliteStore {
    async fn list_waiting(
        &self,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<(EventId, StoredEvent)>, Failure> {
        let Some(first) = columns::next_id(after) else {
            return Ok(Vec::new());
        };
        let rows = query!(
            r#"SELECT w.event_id AS "event_id!: Uuid", e.id AS "id?: Uuid", e.at AS "at?", e.action AS "action?",
                e.outcome AS "outcome?", e.code, e.step, e.account_id AS "account_id: Uuid", e.credential_id,
                e.session_id AS "session_id: Uuid", e.ip, e.user_agent, e.request_id, e.actor, e.personal, e.mac AS "mac?"
            FROM audit_unsealed w LEFT JOIN audit_events e ON e.id = w.event_id
            WHERE w.event_id >= ?1 ORDER BY w.event_id LIMIT ?2"#,
            first,
            limit
        )
        .fetch_all(&self.readers)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (EventId(row.event_id), columns::found_event!(row)))
            .collect())
    }

    async fn find_newest_batch(&self) -> Result<Option<AuditBatch>, Failure> {
        let row = query!(
            "SELECT number, sealed_at, events, total, root, previous, key_id, signature
            FROM audit_batches ORDER BY number DESC LIMIT 1"
        )
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| Ok(columns::batch!(row))).transpose()
    }

    async fn write_batch(&self, batch: &AuditBatch, leaves: &[AuditLeaf]) -> Result<bool, Failure> {
        let mut transaction = self.write().await?;
        let number = columns::stored(batch.number);
        let written = query!(
            "INSERT INTO audit_batches (number, sealed_at, events, total, root, previous, key_id, signature)
            SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
            WHERE ?1 = coalesce((SELECT max(number) FROM audit_batches), 0) + 1",
            number,
            batch.sealed_at.as_millis(),
            batch.events,
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
        // All members by one statement, from one value: 16 bytes of id and 32 of hash each.
        let packed: Vec<u8> = leaves
            .iter()
            .flat_map(|leaf| leaf.event.0.as_bytes().iter().chain(&leaf.hash).copied())
            .collect();
        let count = i64::try_from(leaves.len()).unwrap_or(i64::MAX);
        query!(
            "WITH RECURSIVE place (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM place WHERE n + 1 < ?3)
            INSERT OR IGNORE INTO audit_members (batch, leaf_index, event_id, leaf_hash)
            SELECT ?1, n, substr(?2, 48 * n + 1, 16), substr(?2, 48 * n + 17, 32) FROM place",
            number,
            packed,
            count,
        )
        .execute(&mut *transaction)
        .await?;
        let waited = query!(
            "DELETE FROM audit_unsealed
            WHERE event_id IN (SELECT event_id FROM audit_members WHERE batch = ?1)",
            number
        )
        .execute(&mut *transaction)
        .await?;
        if i64::try_from(waited.rows_affected()) != Ok(count) || i64::from(batch.events) != count {
            transaction.rollback().await?;
            return Ok(false);
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn list_batches(&self, after: u64, limit: u32) -> Result<Vec<AuditBatch>, Failure> {
        let rows = query!(
            "SELECT number, sealed_at, events, total, root, previous, key_id, signature
            FROM audit_batches WHERE number > ?1 ORDER BY number LIMIT ?2",
            columns::stored(after),
            limit
        )
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(|row| Ok(columns::batch!(row))).collect()
    }

    async fn list_members(&self, batch: u64, limit: u32) -> Result<Vec<AuditMember>, Failure> {
        let rows = query!(
            r#"SELECT m.leaf_index, m.event_id AS "event_id!: Uuid", m.leaf_hash, e.id AS "id?: Uuid", e.at AS "at?",
                e.action AS "action?", e.outcome AS "outcome?", e.code, e.step, e.account_id AS "account_id: Uuid",
                e.credential_id, e.session_id AS "session_id: Uuid", e.ip, e.user_agent, e.request_id, e.actor, e.personal, e.mac AS "mac?"
            FROM audit_members m LEFT JOIN audit_events e ON e.id = m.event_id
            WHERE m.batch = ?1 ORDER BY m.leaf_index LIMIT ?2"#,
            columns::stored(batch),
            limit
        )
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(AuditMember {
                    index: columns::count(row.leaf_index, "position in a batch")?,
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
        let last = query_scalar!(
            r#"SELECT id AS "id!: Uuid" FROM audit_events WHERE id >= ?1 ORDER BY id LIMIT 1 OFFSET ?2"#,
            first,
            skipped
        )
        .fetch_optional(&self.readers)
        .await?;
        let end = last.unwrap_or(Uuid::max());
        let rows = query!(
            r#"SELECT e.id AS "id?: Uuid", e.at AS "at?", e.action AS "action?", e.outcome AS "outcome?", e.code, e.step,
                e.account_id AS "account_id: Uuid", e.credential_id, e.session_id AS "session_id: Uuid", e.ip,
                e.user_agent, e.request_id, e.actor, e.personal, e.mac AS "mac?",
                EXISTS (SELECT 1 FROM audit_unsealed w WHERE w.event_id = e.id) AS "waits!: bool"
            FROM audit_events e WHERE e.id BETWEEN ?1 AND ?2
                AND NOT EXISTS (
                    SELECT 1 FROM audit_members m JOIN audit_batches b ON b.number = m.batch WHERE m.event_id = e.id
                )
            ORDER BY e.id"#,
            first,
            end
        )
        .fetch_all(&self.readers)
        .await?;
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
        let number = query_scalar!(
            r#"SELECT batch AS "batch!" FROM audit_members WHERE event_id = ?1"#,
            event.0
        )
        .fetch_optional(&self.readers)
        .await?;
        Ok(number
            .map(|number| columns::count(number, "batch number"))
            .transpose()?)
    }

    async fn list_audit_keys(&self) -> Result<Vec<AuditKey>, Failure> {
        let rows = query!(
            "SELECT id, verifier_key, sealed_private_key, created_at, endorsed_by, endorsement
            FROM audit_keys ORDER BY created_at, id"
        )
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(|row| Ok(columns::audit_key!(row))).collect()
    }

    async fn insert_audit_key(&self, key: &AuditKey, unless_newer_than: UnixTime) -> Result<bool, Failure> {
        let (by, signature) = key
            .endorsement
            .as_ref()
            .map(|(by, bytes)| (by, &bytes[..]))
            .unzip();
        // One statement: SQLite lets one writer at a time in.
        let added = query!(
            "INSERT INTO audit_keys (id, verifier_key, sealed_private_key, created_at, endorsed_by, endorsement)
            SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM audit_keys WHERE created_at >= ?7)",
            key.id,
            key.verifier_key,
            key.sealed_private_key,
            key.created_at.as_millis(),
            by,
            signature,
            unless_newer_than.as_millis(),
        )
        .execute(&self.writer)
        .await?;
        Ok(added.rows_affected() == 1)
    }

    async fn list_prunes(&self) -> Result<Vec<AuditPrune>, Failure> {
        let rows = query!(
            "SELECT through, chain, pruned_before, at, key_id, signature FROM audit_prunes ORDER BY through"
        )
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|row| Ok(columns::audit_prune!(row)))
            .collect()
    }

    async fn insert_prune(&self, prune: &AuditPrune) -> Result<bool, Failure> {
        let added = query!(
            "INSERT INTO audit_prunes (through, chain, pruned_before, at, key_id, signature)
            SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM audit_prunes WHERE through >= ?1)",
            columns::stored(prune.through),
            &prune.chain[..],
            prune.before.as_millis(),
            prune.at.as_millis(),
            prune.key_id,
            &prune.signature[..],
        )
        .execute(&self.writer)
        .await?;
        Ok(added.rows_affected() == 1)
    }

    async fn drop_pruned(&self, limit: u32) -> Result<u64, Failure> {
        let batches = (limit / MAX_BATCH_EVENTS).max(1);
        let mut transaction = self.write().await?;
        let last = query_scalar!(
            r#"SELECT max(batch) AS "batch: i64" FROM (
                SELECT DISTINCT batch FROM audit_members
                WHERE batch <= (SELECT max(through) FROM audit_prunes) ORDER BY batch LIMIT ?1
            )"#,
            batches
        )
        .fetch_one(&mut *transaction)
        .await?;
        let Some(last) = last else {
            transaction.rollback().await?;
            return Ok(0);
        };
        let dropped = query!(
            "DELETE FROM audit_events WHERE id IN (SELECT event_id FROM audit_members WHERE batch <= ?1)",
            last
        )
        .execute(&mut *transaction)
        .await?;
        query!("DELETE FROM audit_members WHERE batch <= ?1", last)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(dropped.rows_affected())
    }
}
