//! A policy's database, open and looked at.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::apply::Door;
use super::ground::{Ground, GroundError, PostgresGround, Purpose, SqliteGround, Trouble};
use super::key::{HmacKey, KeyError};
use super::plan::Setting;
use crate::config::{Config, DatabaseKind, PrivacyPolicy};
use crate::database::Servers;
use crate::database::postgres::Postgres;
use crate::database::schema::Schema;
use crate::run::{Failure, Refusal};

/// Two clocks that differ by more than this are worth a word.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(1);

/// A policy's database, open and looked at.
pub struct Session {
    /// The connection.
    pub ground: Box<dyn Ground>,
    /// What it looks like.
    pub seen: Seen,
    /// The way back in.
    pub entrance: Entrance,
}

/// What a policy's database looks like.
pub struct Seen {
    /// Its tables.
    pub schema: Schema,
    /// The key of pseudonyms.
    pub key: HmacKey,
    /// Now: the earlier of two clocks, so that a wrong one makes rows stay rather than go.
    pub now: Timestamp,
    /// What is strange about the clocks.
    pub warnings: Vec<String>,
}

impl Seen {
    /// What rules are resolved against.
    pub fn setting<'a>(&'a self, policy: &'a PrivacyPolicy, ground: &dyn Ground) -> Setting<'a> {
        Setting { dialect: ground.dialect(), schema: &self.schema, policy, key: &self.key, now: self.now }
    }
}

/// Opens a policy's database.
pub struct Entrance {
    place: Place,
    policy: PrivacyPolicy,
    key: HmacKey,
    purpose: Purpose,
}

/// Where a policy is carried out: in its database, or in a copy of it.
#[derive(Debug, Clone)]
pub enum Place {
    /// A PostgreSQL database.
    Postgres(Postgres),
    /// A SQLite file.
    File(PathBuf),
}

impl Place {
    /// The policy's database.
    fn of(config: &Config, servers: &Servers, policy: &PrivacyPolicy) -> Result<Self, Failure> {
        let kind = config.databases.get(&policy.database).map(|database| &database.kind);
        match (kind, servers.get(&policy.database)) {
            (Some(DatabaseKind::Sqlite(target)), _) => Ok(Self::File(target.path.clone())),
            (_, Some(server)) => Ok(Self::Postgres(server.clone())),
            // Every reference of a configuration that was read resolves.
            (_, None) => Err(Failure::new(format!("there is no database {}", policy.database))),
        }
    }
}

#[async_trait]
impl Door for Entrance {
    async fn open(&self) -> Result<Box<dyn Ground>, GroundError> {
        let policy = &self.policy;
        Ok(match &self.place {
            Place::File(file) => Box::new(SqliteGround::open(file, &policy.batch, &policy.timezone, &self.key).await?),
            Place::Postgres(server) => Box::new(PostgresGround::open(server, &policy.batch, self.purpose).await?),
        })
    }
}

impl Entrance {
    /// The way into a policy's database.
    pub async fn of(
        config: &Config,
        servers: &Servers,
        policy: &PrivacyPolicy,
        purpose: Purpose,
    ) -> Result<Self, Failure> {
        let key = read_key(config, policy, HmacKey::of).await?;
        Ok(Self { place: Place::of(config, servers, policy)?, policy: policy.clone(), key, purpose })
    }
}

impl Session {
    /// Opens the policy's database and looks at it.
    pub async fn open(
        config: &Config,
        servers: &Servers,
        policy: &PrivacyPolicy,
        purpose: Purpose,
    ) -> Result<Self, Failure> {
        Self::through(Entrance::of(config, servers, policy, purpose).await?).await
    }

    /// Opens the policy's database to look at it, where nobody's HMAC is written or shown: leaves no key behind.
    pub async fn glance(config: &Config, servers: &Servers, policy: &PrivacyPolicy) -> Result<Self, Failure> {
        let key = read_key(config, policy, HmacKey::existing).await?.unwrap_or_else(HmacKey::passing);
        Self::open_at(Place::of(config, servers, policy)?, policy, key, Purpose::Look).await
    }

    /// Opens the policy's database, or a copy of it, and looks at it.
    pub async fn open_at(
        place: Place,
        policy: &PrivacyPolicy,
        key: HmacKey,
        purpose: Purpose,
    ) -> Result<Self, Failure> {
        Self::through(Entrance { place, policy: policy.clone(), key, purpose }).await
    }

    async fn through(entrance: Entrance) -> Result<Self, Failure> {
        let mut ground = entrance.open().await.map_err(|error| {
            let is_busy = error.kind == Trouble::Busy;
            Failure { refused: is_busy.then_some(Refusal::Busy), ..Failure::from(error) }
        })?;
        let (theirs, ours) = (ground.clock().await?, Timestamp::now());
        let mut warnings = Vec::new();
        let apart = theirs.duration_since(ours).abs();
        if apart > CLOCKS_DIFFER {
            warnings.push(format!(
                "the server's clock and this machine's are {} apart; the earlier one counts",
                crate::units::seconds(apart.as_secs_f64())
            ));
        }
        let schema = ground.inspect().await?;
        let seen = Seen { schema, key: entrance.key.clone(), now: theirs.min(ours), warnings };
        Ok(Self { ground, seen, entrance })
    }
}

/// Reads the key where reading may block.
pub(super) async fn read_key<K: Send + 'static>(
    config: &Config,
    policy: &PrivacyPolicy,
    read: fn(&PrivacyPolicy, &Path) -> Result<K, KeyError>,
) -> Result<K, Failure> {
    let (policy, dir) = (policy.clone(), config.daemon.state_dir.clone());
    let key = tokio::task::spawn_blocking(move || read(&policy, &dir)).await;
    Ok(key.map_err(|panic| Failure::new(panic.to_string()))??)
}
