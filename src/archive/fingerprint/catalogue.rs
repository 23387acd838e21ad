//! What the table of contents says of the tables whose data the archive holds.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::copy_statement::CopyStatement;
use super::toc::{Entry, Stop, text};
use crate::archive::manifest::Table;

const FOREIGN: &str = "it is a foreign table: its rows live on another server";
/// Extension configuration tables are dumped by `COPY (SELECT … WHERE …)`, which the archive does not show; but that an
/// extension defines them it does.
const UNDEFINED: &str =
    "the archive does not define it: an extension does, and only a part of its rows may have been dumped";

/// What an entry's data block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    /// The rows of a COPY.
    Copy,
    /// Large objects.
    LargeObjects,
    /// Something else, as INSERT statements.
    Other,
}

/// The entries of interest.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) encoding: Option<String>,
    pub(super) owners: BTreeSet<String>,
    tables: Vec<(i32, Vec<i32>, Table)>,
    defined: HashSet<i32>,
    foreign: HashSet<i32>,
    blocks: HashMap<i32, BlockKind>,
}

/// A table's rows, and their hash if one was asked for.
pub(super) type Rows = (u64, Option<String>);

impl Catalogue {
    pub(super) fn add(&mut self, entry: &Entry<'_>) -> Result<(), Stop> {
        if !entry.owner.is_empty() {
            let owner = String::from_utf8_lossy(entry.owner);
            if !self.owners.contains(owner.as_ref()) {
                self.owners.insert(owner.into_owned());
            }
        }
        match entry.desc {
            b"ENCODING" => self.encoding = encoding(entry.defn),
            b"TABLE" => {
                self.defined.insert(entry.dump_id);
            }
            b"FOREIGN TABLE" => {
                self.foreign.insert(entry.dump_id);
            }
            b"TABLE DATA" => {
                let table = table(entry);
                self.tables.push((entry.dump_id, entry.dependencies.clone(), table));
            }
            _ => {}
        }
        if entry.has_data {
            let kind = match entry.desc {
                b"TABLE DATA" if !entry.copy_statement.is_empty() => BlockKind::Copy,
                b"BLOBS" => BlockKind::LargeObjects,
                _ => BlockKind::Other,
            };
            if self.blocks.insert(entry.dump_id, kind).is_some() {
                return Err(Stop::Wrong(format!("two entries {} in the table of contents", entry.dump_id)));
            }
        }
        Ok(())
    }

    /// The blocks that must follow, by the id of their entry.
    pub(super) fn blocks(&mut self) -> HashMap<i32, BlockKind> {
        std::mem::take(&mut self.blocks)
    }

    pub(super) fn fill(&mut self, mut rows: HashMap<i32, Rows>) {
        for (id, _, table) in &mut self.tables {
            if let Some((count, hash)) = rows.remove(id) {
                table.rows = Some(count);
                table.hash = hash;
            }
        }
    }

    pub(super) fn into_tables(self) -> Vec<Table> {
        let Self { tables, defined, foreign, .. } = self;
        let mut tables: Vec<Table> = tables
            .into_iter()
            .map(|(_, dependencies, mut table)| {
                let among = |ids: &HashSet<i32>| dependencies.iter().any(|id| ids.contains(id));
                if !among(&defined) {
                    let why = if among(&foreign) { FOREIGN } else { UNDEFINED };
                    table.not_comparable.get_or_insert_with(|| why.to_owned());
                }
                table
            })
            .collect();
        tables.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
        tables
    }
}

fn table(entry: &Entry<'_>) -> Table {
    let (schema, name) = (text(entry.schema), text(entry.tag));
    let copy = std::str::from_utf8(entry.copy_statement).ok().and_then(CopyStatement::parse);
    let not_comparable = if std::str::from_utf8(entry.schema).and(std::str::from_utf8(entry.tag)).is_err() {
        Some("its name is not UTF-8")
    } else if entry.copy_statement.is_empty() {
        Some("its rows are dumped as INSERT statements")
    } else {
        match &copy {
            None => Some("its rows are dumped by a COPY of an unknown form"),
            Some(copy) if copy.table != name || copy.schema.as_ref().is_some_and(|of| *of != schema) => {
                Some("its rows are restored through another table")
            }
            Some(_) => None,
        }
    };
    Table {
        schema,
        name,
        columns: copy.map(|copy| copy.columns),
        rows: None,
        hash: None,
        not_comparable: not_comparable.map(str::to_owned),
    }
}

/// `SET client_encoding = 'UTF8';`
fn encoding(defn: &[u8]) -> Option<String> {
    text(defn).split('\'').nth(1).map(str::to_owned)
}
