//! The names that tables may refer to.

use std::collections::BTreeSet;

use super::super::{ChannelName, DatabaseName, StoreName, suggest};
use super::{Problem, Section, Spot};

/// The names of tables. All that the files define, so that one wrong value in a table does not make every reference to it
/// wrong as well.
pub(super) struct Known {
    databases: BTreeSet<String>,
    stores: BTreeSet<String>,
    channels: BTreeSet<String>,
}

impl Known {
    /// The names of these tables.
    pub fn of(
        databases: &[(String, Section<'_>)],
        stores: &[(String, Section<'_>)],
        channels: &[(String, Section<'_>)],
    ) -> Self {
        let names = |tables: &[(String, Section<'_>)]| tables.iter().map(|(name, _)| name.clone()).collect();
        Self { databases: names(databases), stores: names(stores), channels: names(channels) }
    }

    /// The name of a database.
    pub fn database(&self, spot: &Spot<'_>) -> Result<DatabaseName, Problem> {
        reference(spot, "database", &self.databases)
    }

    /// The name of a store.
    pub fn store(&self, spot: &Spot<'_>) -> Result<StoreName, Problem> {
        reference(spot, "store", &self.stores)
    }

    /// All stores that are named, as far as their names are ones.
    pub fn stores(&self) -> Vec<StoreName> {
        self.stores.iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// The name of a channel.
    pub fn channel(&self, spot: &Spot<'_>) -> Result<ChannelName, Problem> {
        reference(spot, "channel", &self.channels)
    }
}

/// A name that a table must have.
fn reference<T: std::str::FromStr>(spot: &Spot<'_>, what: &str, names: &BTreeSet<String>) -> Result<T, Problem> {
    let name = spot.text()?;
    let dangling = || match suggest(name, names.iter().map(String::as_str)) {
        Some(near) => Problem::new(format!("unknown {what} `{name}`; did you mean `{near}`?")),
        None if names.is_empty() => {
            Problem::new(format!("unknown {what} `{name}`")).help(format!("add a table `[{what}s.{name}]`"))
        }
        None => {
            let all: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            Problem::new(format!("unknown {what} `{name}`")).help(format!("there are {}", all.join(", ")))
        }
    };
    // What a file that is not TOML would have defined is not known.
    if !names.contains(name) && !spot.reader.layers.is_incomplete {
        return Err(dangling());
    }
    name.parse().map_err(|_| dangling())
}
