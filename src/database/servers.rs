//! The handles of all configured PostgreSQL databases: one gate per database, shared by every job.

use std::collections::BTreeMap;

use super::postgres::Postgres;
use crate::config::{Config, DatabaseKind, DatabaseName};

/// The handles, by the database's name.
#[derive(Debug, Default)]
pub struct Servers(BTreeMap<DatabaseName, Postgres>);

impl Servers {
    /// Handles for all PostgreSQL databases of a configuration; connects to nothing yet.
    pub fn new(config: &Config) -> Self {
        let handles = config.databases.iter().filter_map(|(name, database)| match &database.kind {
            DatabaseKind::Postgres(target) => {
                Some((name.clone(), Postgres::new(target, name.as_str(), database.max_connections)))
            }
            DatabaseKind::Sqlite(_) => None,
        });
        Self(handles.collect())
    }

    /// The handle of this database; `None`: it is not in the configuration, or not PostgreSQL.
    pub fn get(&self, name: &DatabaseName) -> Option<&Postgres> {
        self.0.get(name)
    }
}
