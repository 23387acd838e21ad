//! What a database's tables look like, the same for PostgreSQL and SQLite.

use std::fmt;

/// The tables of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// In the order of their names.
    pub tables: Vec<Table>,
    /// The foreign keys between them.
    pub foreign_keys: Vec<ForeignKey>,
}

/// The full name of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relation {
    /// Its schema; SQLite's is `main`.
    pub schema: String,
    /// Its own name.
    pub name: String,
}

/// The schemas that people leave out.
const UNSPOKEN: [&str; 2] = ["public", "main"];

/// As people write it: without `public` and `main`.
impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNSPOKEN.contains(&self.schema.as_str()) {
            true => f.write_str(&self.name),
            false => write!(f, "{}.{}", self.schema, self.name),
        }
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub relation: Relation,
    /// Whether its bare name finds it.
    pub is_reachable: bool,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// Its indexes, the primary key's first.
    pub indexes: Vec<Index>,
    /// Its triggers that are switched on, but for those that keep constraints.
    pub triggers: Vec<Trigger>,
    /// Its rewrite rules for DELETE and UPDATE that are switched on.
    pub rewrites: Vec<Rewrite>,
    /// The number that SQLite gives each row, under a name that no column has taken.
    pub rowid: Option<Column>,
    /// How many rows the server believes it has; `None`: it was never looked at.
    pub estimated_rows: Option<u64>,
    /// How many pages the server believes it has; 0: it does not know.
    pub pages: u64,
    /// What it is to its partitions.
    pub kind: TableKind,
    /// Whether some of its pages are read without all others: a table of PostgreSQL 14 or later.
    pub has_page_ranges: bool,
    /// Whether row security hides rows from us.
    pub hides_rows: bool,
}

/// What a table is to its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// One of its own.
    Plain,
    /// One that consists of partitions.
    Partitioned,
    /// A partition of another.
    Partition,
    /// SQLite: without rowids.
    WithoutRowid,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as the server writes it: `character varying(40)`. SQLite: as declared, which may be nothing.
    pub type_name: String,
    /// What kind of values it holds.
    pub family: Family,
    /// Most characters; `None`: any number.
    pub max_chars: Option<u32>,
    /// Whether it refuses NULL.
    pub not_null: bool,
    /// Whether the server computes it.
    pub generated: bool,
    /// Whether rows lie on the disk about in its order; `None`: the server does not know.
    pub is_in_order: Option<bool>,
}

/// What kind of values a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Text of any kind.
    Text,
    /// Whole numbers.
    Integer,
    /// Numbers with a fraction.
    Number,
    /// Truth values.
    Boolean,
    /// Days.
    Date,
    /// Moments on somebody's clock.
    LocalTimestamp,
    /// Moments.
    Timestamp,
    /// UUIDs.
    Uuid,
    /// IP addresses and networks.
    Network,
    /// JSON documents.
    Json,
    /// Bytes.
    Bytes,
    /// Anything else.
    Other,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its columns, in their order; `None` for an expression.
    pub columns: Vec<Option<String>>,
    /// Whether no two rows are the same in it.
    pub is_unique: bool,
    /// Whether it is the primary key's.
    pub is_primary: bool,
    /// Whether rows can be walked through in its order: a b-tree over the whole table, valid.
    pub is_ordered: bool,
}

/// A trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// Whether it fires when a row is deleted.
    pub on_delete: bool,
    /// Whether it fires when a row is changed.
    pub on_update: bool,
    /// Whether it fires for each row, rather than once for each statement.
    pub is_for_each_row: bool,
}

/// A rewrite rule of PostgreSQL: what the server does instead of a statement, or beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// Its name.
    pub name: String,
    /// Whether it is about DELETE, rather than UPDATE.
    pub is_of_delete: bool,
    /// Whether something else is done instead, rather than as well.
    pub is_instead: bool,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name; SQLite's have none.
    pub name: String,
    /// The table that refers.
    pub child: Relation,
    /// Its columns.
    pub child_columns: Vec<String>,
    /// The table that is referred to.
    pub parent: Relation,
    /// Its columns.
    pub parent_columns: Vec<String>,
    /// What becomes of a child whose parent goes.
    pub on_delete: OnDelete,
    /// Whether the child's columns are the first of an index: without one each parent that goes reads the whole child.
    pub is_indexed: bool,
}

/// What becomes of a child whose parent goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The parent may not go.
    Refuse,
    /// The child goes too.
    Cascade,
    /// The child's columns become NULL, or their default.
    Unset,
}

impl Schema {
    /// The table that a name means.
    pub fn find(&self, schema: Option<&str>, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| {
            table.relation.name == name && schema.map_or(table.is_reachable, |schema| table.relation.schema == schema)
        })
    }

    /// The foreign keys that refer to a table.
    pub fn inbound<'a>(&'a self, parent: &'a Relation) -> impl Iterator<Item = &'a ForeignKey> {
        self.foreign_keys.iter().filter(move |key| key.parent == *parent)
    }
}

impl Table {
    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns by which each row can be named and all walked through in order: those of the primary key, else of
    /// another unique index without NULLs; SQLite's rowid.
    pub fn key(&self) -> Option<Vec<&Column>> {
        if let Some(rowid) = &self.rowid {
            return Some(vec![rowid]);
        }
        self.indexes.iter().filter(|index| index.is_unique && index.is_ordered).find_map(|index| {
            let columns: Option<Vec<&Column>> =
                index.columns.iter().map(|name| self.column(name.as_deref()?)).collect();
            columns.filter(|columns| columns.iter().all(|column| column.not_null))
        })
    }

    /// The index by which rows are found by this column.
    pub fn index_on(&self, column: &str) -> Option<&Index> {
        self.indexes.iter().find(|index| index.is_ordered && index.columns.first() == Some(&Some(column.to_owned())))
    }
}
