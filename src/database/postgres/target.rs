//! A database to restore into: making it, and being sure that it is empty.

use std::time::Duration;

use super::connection::{ANSWER_WITHIN, Connection, answer};
use super::error::{DatabaseError, DatabaseErrorKind, MAY_CREATE};
use super::sql::{Identifier, dynamic, literal};

/// CREATE DATABASE copies the template's files and waits for a checkpoint.
const CREATE_WITHIN: Duration = Duration::from_secs(300);

/// How a new database is made, always from `template0`, so that nothing of a site's `template1` is in the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewDatabase {
    /// `UTF8`, …; default: the template's.
    pub encoding: Option<String>,
    /// `LC_COLLATE`; default: the template's.
    pub collate: Option<String>,
    /// `LC_CTYPE`; default: the template's.
    pub ctype: Option<String>,
}

const EXISTS: &str = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";

// What a person may have put there: anything that is not part of the system and does not belong to an extension.
// `public` may exist, empty. Every kind is named once, so that the message can say what was found.
const CONTENTS: &str = "
    WITH outside AS (
        SELECT oid, nspname FROM pg_namespace
        WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
    ), extension_member AS (
        SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
    )
    SELECT found FROM (
        SELECT 'schema ' || quote_ident(nspname) AS found FROM outside
            WHERE nspname <> 'public' AND NOT EXISTS (SELECT FROM extension_member e
                WHERE e.classid = 'pg_namespace'::regclass AND e.objid = outside.oid)
        UNION ALL
        SELECT 'relation ' || quote_ident(nspname) || '.' || quote_ident(relname)
            FROM pg_class c JOIN outside n ON n.oid = c.relnamespace
        UNION ALL
        SELECT 'function ' || quote_ident(nspname) || '.' || quote_ident(proname)
            FROM pg_proc p JOIN outside n ON n.oid = p.pronamespace
        UNION ALL
        SELECT 'type ' || quote_ident(nspname) || '.' || quote_ident(typname)
            FROM pg_type t JOIN outside n ON n.oid = t.typnamespace
        UNION ALL
        SELECT 'operator ' || quote_ident(nspname) || '.' || oprname
            FROM pg_operator o JOIN outside n ON n.oid = o.oprnamespace
        UNION ALL
        SELECT 'collation ' || quote_ident(nspname) || '.' || quote_ident(collname)
            FROM pg_collation c JOIN outside n ON n.oid = c.collnamespace
        UNION ALL
        SELECT 'text search configuration ' || quote_ident(nspname) || '.' || quote_ident(cfgname)
            FROM pg_ts_config c JOIN outside n ON n.oid = c.cfgnamespace
        UNION ALL
        SELECT 'extension ' || quote_ident(extname) FROM pg_extension WHERE extname <> 'plpgsql'
        UNION ALL
        SELECT 'event trigger ' || quote_ident(evtname) FROM pg_event_trigger
        UNION ALL
        SELECT 'publication ' || quote_ident(pubname) FROM pg_publication
        UNION ALL
        SELECT 'foreign server ' || quote_ident(srvname) FROM pg_foreign_server
        UNION ALL
        SELECT 'large object ' || oid FROM pg_largeobject_metadata
    ) AS contents LIMIT 5";

impl Connection {
    /// Whether the server has a database of this name.
    pub async fn database_exists(&mut self, name: &Identifier) -> Result<bool, DatabaseError> {
        let database = self.database.clone();
        let question = sqlx::query_scalar(EXISTS).bind(name.as_str().to_owned()).fetch_one(self.pg());
        answer(&database, &format!("look for database {name}"), ANSWER_WITHIN, question).await
    }

    /// Creates a database.
    pub async fn create_database(&mut self, name: &Identifier, new: &NewDatabase) -> Result<(), DatabaseError> {
        let database = self.database.clone();
        let mut statement = format!("CREATE DATABASE {name} TEMPLATE template0");
        for (word, value) in [("ENCODING", &new.encoding), ("LC_COLLATE", &new.collate), ("LC_CTYPE", &new.ctype)] {
            if let Some(value) = value {
                statement.push_str(&format!(" {word} {}", literal(value)));
            }
        }
        let question = sqlx::raw_sql(dynamic(statement)).execute(self.pg());
        let created = answer(&database, &format!("create database {name}"), CREATE_WITHIN, question).await;
        created.map(drop).map_err(|mut error| {
            if let DatabaseErrorKind::PermissionDenied(text) = &mut error.kind {
                text.push_str(&format!(": the role needs {MAY_CREATE}"));
            }
            error
        })
    }

    /// Drops a database that a failed restore has made. Ends no sessions in it.
    pub async fn drop_database(&mut self, name: &Identifier) -> Result<(), DatabaseError> {
        let database = self.database.clone();
        let question = sqlx::raw_sql(dynamic(format!("DROP DATABASE IF EXISTS {name}"))).execute(self.pg());
        answer(&database, &format!("drop database {name}"), CREATE_WITHIN, question).await.map(drop)
    }

    /// What stands in this database beyond the system's own objects, an empty `public` and plpgsql: the first five, in
    /// words. Empty: a restore may go there.
    pub async fn contents(&mut self) -> Result<Vec<String>, DatabaseError> {
        let database = self.database.clone();
        let question = sqlx::query_scalar(CONTENTS).persistent(false).fetch_all(self.pg());
        answer(&database, "look whether it is empty", ANSWER_WITHIN, question).await
    }

    /// Whether [`Self::contents`] finds nothing.
    pub async fn is_empty(&mut self) -> Result<bool, DatabaseError> {
        self.contents().await.map(|found| found.is_empty())
    }
}
