//! Large objects, read for comparison.

use sqlx::Row;

use super::connection::{ANSWER_WITHIN, Connection, answer};
use super::error::DatabaseError;

/// What is fetched at once.
const CHUNK: i32 = 1024 * 1024;

impl Connection {
    /// The OIDs of all large objects.
    pub async fn large_objects(&mut self) -> Result<Vec<u32>, DatabaseError> {
        let database = self.database.clone();
        let question = sqlx::query("SELECT oid::int8 FROM pg_largeobject_metadata ORDER BY oid").fetch_all(self.pg());
        let rows = answer(&database, "list large objects", ANSWER_WITHIN, question).await?;
        // An OID is an unsigned 32-bit number, which int8 holds whole.
        Ok(rows.iter().map(|row| row.get::<i64, _>(0) as u32).collect())
    }

    /// Hands a large object's bytes to `sink`, 1 MiB at a time, in order.
    pub async fn read_large_object(&mut self, oid: u32, mut sink: impl FnMut(&[u8])) -> Result<(), DatabaseError> {
        let database = self.database.clone();
        let operation = format!("read large object {oid}");
        let mut offset = 0_i64;
        loop {
            let question = sqlx::query_scalar::<_, Vec<u8>>("SELECT lo_get($1::int8::oid, $2, $3)")
                .bind(i64::from(oid))
                .bind(offset)
                .bind(CHUNK)
                .fetch_one(self.pg());
            let bytes = answer(&database, &operation, ANSWER_WITHIN, question).await?;
            if bytes.is_empty() {
                return Ok(());
            }
            sink(&bytes);
            offset += bytes.len() as i64;
        }
    }
}
