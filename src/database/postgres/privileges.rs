//! What our role lacks for a dump of the whole database.

use super::connection::{ANSWER_WITHIN, Connection, answer};
use super::error::DatabaseError;

/// pg_dump locks and reads every table and sequence; without the right it fails at the first it may not.
const UNREADABLE: &str = "SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
    ORDER BY 1";

/// pg_dump sets `row_security = off`, and the server refuses rather than leave rows out.
const FILTERED: &str = "SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relrowsecurity AND row_security_active(c.oid) ORDER BY 1";

/// What stands in the way of a dump; empty lists: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hindrances {
    /// Tables and sequences that our role may not read.
    pub unreadable: Vec<String>,
    /// Tables whose row security would hide rows from our role.
    pub filtered: Vec<String>,
}

impl Connection {
    /// Looks for what would make a dump of this database fail.
    pub async fn hindrances(&mut self) -> Result<Hindrances, DatabaseError> {
        let database = self.database.clone();
        let questions = async {
            let unreadable = sqlx::query_scalar(UNREADABLE).persistent(false).fetch_all(self.pg()).await?;
            let filtered = sqlx::query_scalar(FILTERED).persistent(false).fetch_all(self.pg()).await?;
            Ok(Hindrances { unreadable, filtered })
        };
        answer(&database, "look at the privileges in", ANSWER_WITHIN, questions).await
    }
}
