//! Tables dropped, when nothing speaks against it.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor as _};

use super::PostgresGround;
use super::error::classify;
use crate::database::schema::Relation;
use crate::privacy::dialect::{Dialect as _, PostgresDialect};
use crate::privacy::fragment::Statement;
use crate::privacy::ground::{Dropped, Gate, Ground as _, GroundError, Trouble};

impl PostgresGround {
    /// In one transaction, with the table locked: looks, drops, asks the gate.
    pub(super) async fn drop_if(
        &mut self,
        table: &Relation,
        look: &Statement,
        most: u64,
        wait: Duration,
        gate: &dyn Gate,
    ) -> Result<Dropped, GroundError> {
        let name = PostgresDialect.table(table);
        let begin = format!(
            "BEGIN; SET LOCAL lock_timeout = {}; LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE",
            wait.as_millis().max(1)
        );
        let work = async {
            let begun = self.connection.pg().execute(AssertSqlSafe(begin)).await;
            begun.map_err(|error| classify(&self.database, error))?;
            let found = self.ask(look).await?;
            let figures: Vec<u64> = found
                .iter()
                .flatten()
                .map(|value| value.shown().and_then(|it| it.parse().ok()).unwrap_or(u64::MAX))
                .collect();
            let [rows, 0, 0] = figures.as_slice() else { return Ok(Dropped::Stays) };
            if *rows > most {
                return Ok(Dropped::Stays);
            }
            let dropped = self.connection.pg().execute(AssertSqlSafe(format!("DROP TABLE {name}"))).await;
            dropped.map_err(|error| classify(&self.database, error))?;
            Ok(if gate.is_open(*rows).await { Dropped::Gone(*rows) } else { Dropped::NotNow })
        };
        let done: Result<Dropped, GroundError> = work.await;
        match &done {
            Ok(Dropped::Gone(_)) => self.run("COMMIT").await?,
            Err(error) if error.kind == Trouble::Lost => {}
            _ => self.run("ROLLBACK").await?,
        }
        done
    }
}
