//! Figures that checks keep for comparison with later ones: counters, sizes.

use jiff::Timestamp;
use sqlx::Row;

use super::instant::{from_ms, to_ms};
use super::{State, StateError};

/// A figure at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What is measured: `blks_hit`, `database_bytes`.
    pub metric: String,
    /// Of which object; empty: of the database as a whole.
    pub object: String,
    /// When.
    pub at: Timestamp,
    /// In the metric's base unit.
    pub value: f64,
}

impl State {
    /// Keeps figures of a database, in one transaction.
    pub async fn record_samples(&self, database: &str, samples: &[Sample]) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        for sample in samples {
            keep(&mut tx, database, sample).await.map_err(|e| self.error(e))?;
        }
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// A database's figures of one metric since an instant, by object, then the oldest first.
    pub async fn samples(&self, database: &str, metric: &str, since: Timestamp) -> Result<Vec<Sample>, StateError> {
        let rows = sqlx::query(
            "SELECT object, at_ms, value FROM samples WHERE database = ?1 AND metric = ?2 AND at_ms >= ?3
             ORDER BY object, at_ms",
        )
        .bind(database)
        .bind(metric)
        .bind(to_ms(since))
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        Ok(rows
            .iter()
            .map(|row| Sample {
                metric: metric.to_owned(),
                object: row.get(0),
                at: from_ms(row.get(1)),
                value: row.get(2),
            })
            .collect())
    }

    /// Forgets figures that are older than an instant.
    pub async fn forget_samples(&self, before: Timestamp) -> Result<u64, StateError> {
        let done = sqlx::query("DELETE FROM samples WHERE at_ms < ?1")
            .bind(to_ms(before))
            .execute(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(done.rows_affected())
    }
}

/// Keeps a figure inside a transaction.
pub(super) async fn keep(
    tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>,
    database: &str,
    sample: &Sample,
) -> Result<(), sqlx::Error> {
    let insert = "INSERT OR REPLACE INTO samples (database, metric, object, at_ms, value) VALUES (?1, ?2, ?3, ?4, ?5)";
    let query = sqlx::query(insert).bind(database).bind(&sample.metric).bind(&sample.object);
    query.bind(to_ms(sample.at)).bind(sample.value).execute(&mut **tx).await.map(drop)
}

/// Forgets what was kept of a figure's object, inside a transaction: what is only compared with the next look has no
/// history.
pub(super) async fn forget_object(
    tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>,
    database: &str,
    sample: &Sample,
) -> Result<(), sqlx::Error> {
    let delete = "DELETE FROM samples WHERE database = ?1 AND metric = ?2 AND object = ?3";
    let query = sqlx::query(delete).bind(database).bind(&sample.metric).bind(&sample.object);
    query.execute(&mut **tx).await.map(drop)
}
