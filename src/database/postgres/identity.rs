//! Who the server is and how it would write our data.

use std::collections::BTreeMap;

use sqlx::Row;

use super::connection::{ANSWER_WITHIN, Connection, answer};
use super::error::DatabaseError;

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `15.18 (Debian 15.18-0+deb12u1)`
    pub version: String,
    /// `150018`
    pub version_num: u32,
    /// `15`
    pub major: u32,
    /// The database's own name.
    pub database: String,
    /// `UTF8`, …
    pub encoding: String,
    /// A standby.
    pub in_recovery: bool,
    /// The role we are.
    pub user: String,
    /// Whether it is a superuser.
    pub superuser: bool,
    /// `pg_control_system().system_identifier`, where we may read it: two databases with the same one are copies of
    /// each other.
    pub system_identifier: Option<String>,
    /// The settings that shape the bytes of a COPY and that pg_dump does not set itself; for
    /// [`super::CopySession::open`].
    pub settings: BTreeMap<String, String>,
}

/// Taken over from the database or the role by pg_dump's session, as by ours. `search_path` is not among them: pg_dump
/// empties it.
const SHAPING: [&str; 3] = ["bytea_output", "lc_monetary", "xmlbinary"];

const IDENTIFY: &str = "SELECT current_setting('server_version'), current_setting('server_version_num')::int4,
    current_database()::text, current_setting('server_encoding'), pg_is_in_recovery(), current_user::text,
    current_setting('is_superuser') = 'on'";
const SYSTEM_IDENTIFIER: &str = "SELECT system_identifier::text FROM pg_control_system()";

impl Connection {
    /// Asks the server who it is.
    pub async fn identify(&mut self) -> Result<Identity, DatabaseError> {
        let database = self.database.clone();
        let questions = async {
            let row = sqlx::query(IDENTIFY).persistent(false).fetch_one(self.pg()).await?;
            let encoding: String = row.try_get(3)?;
            // pg_dump writes in the database's own encoding; our session's is always UTF8.
            let mut settings = BTreeMap::from([("client_encoding".to_owned(), encoding.clone())]);
            for name in SHAPING {
                let value = sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(self.pg()).await?;
                settings.insert(name.to_owned(), value);
            }
            // Only for pg_monitor and superusers on some servers; nothing depends on it.
            let system_identifier = sqlx::query_scalar(SYSTEM_IDENTIFIER).fetch_one(self.pg()).await.ok();
            let version_num = row.try_get::<i32, _>(1)?.unsigned_abs();
            Ok(Identity {
                version: row.try_get(0)?,
                version_num,
                major: version_num / 10_000,
                database: row.try_get(2)?,
                encoding,
                in_recovery: row.try_get(4)?,
                user: row.try_get(5)?,
                superuser: row.try_get(6)?,
                system_identifier,
                settings,
            })
        };
        answer(&database, "identify", ANSWER_WITHIN, questions).await
    }
}
