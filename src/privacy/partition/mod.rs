//! Partitions by range of an age: which of them hold nothing that is young. PostgreSQL's alone.

mod look;
mod plan;

pub use look::{Partition, Standing, detached};
pub use plan::{count_of, ready, statements};

use serde::{Deserialize, Serialize};

use crate::database::schema::Relation;

/// A partition that is about to be detached, or was: written down before, so that whoever comes after a crash finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detaching {
    /// The schema and name of the table whose partition it is.
    pub parent: (String, String),
    /// Its own.
    pub partition: (String, String),
    /// What the server calls it whatever its name.
    pub oid: String,
    /// `FOR VALUES FROM (…) TO (…)`
    pub bounds: String,
    /// How many rows it had.
    pub rows: u64,
}

impl Detaching {
    /// What is written down of a partition.
    pub fn new(parent: &Relation, partition: &Partition) -> Self {
        let names = |of: &Relation| (of.schema.clone(), of.name.clone());
        Self {
            parent: names(parent),
            partition: names(&partition.relation),
            oid: partition.oid.clone(),
            bounds: partition.bounds.clone(),
            rows: partition.rows,
        }
    }

    /// The table that it is, or becomes.
    pub fn relation(&self) -> Relation {
        Relation { schema: self.partition.0.clone(), name: self.partition.1.clone() }
    }

    /// What stands in a disposition's cursor; `None`: it is not of one that drops partitions.
    pub fn read(cursor: &str) -> Option<Self> {
        serde_json::from_str(cursor).ok()
    }
}
