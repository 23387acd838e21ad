//! Which form of a policy somebody has looked at and approved.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;

use super::super::instant::{from_ms, to_ms};
use super::super::{State, StateError};
use super::log::{LogEntry, LogHead, append};

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// Of which policy.
    pub policy: String,
    /// Of which form of it: the policy's hash.
    pub hash: String,
    /// By whom.
    pub approved_by: String,
    /// When.
    pub approved_at: Timestamp,
}

impl State {
    /// Records an approval in place of the policy's earlier one, and logs it.
    pub async fn approve(&self, approval: &Approval, entry: &LogEntry) -> Result<LogHead, StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query(
            "INSERT INTO approvals (policy, hash, approved_by, approved_ms) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (policy) DO UPDATE SET hash = excluded.hash, approved_by = excluded.approved_by,
                 approved_ms = excluded.approved_ms",
        )
        .bind(&approval.policy)
        .bind(&approval.hash)
        .bind(&approval.approved_by)
        .bind(to_ms(approval.approved_at))
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        let head = append(&mut tx, entry, approval.approved_at).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))?;
        Ok(head)
    }

    /// The policy's approval, if there is one.
    pub async fn approval(&self, policy: &str) -> Result<Option<Approval>, StateError> {
        let row = sqlx::query("SELECT hash, approved_by, approved_ms FROM approvals WHERE policy = ?1")
            .bind(policy)
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(row.map(|row| Approval {
            policy: policy.to_owned(),
            hash: row.get(0),
            approved_by: row.get(1),
            approved_at: from_ms(row.get(2)),
        }))
    }
}
