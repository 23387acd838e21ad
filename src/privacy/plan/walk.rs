//! How a table's rows are walked through, window by window, each row once.

use std::fmt;

use super::Resolved;
use crate::database::schema::{Column, Table, TableKind};
use crate::privacy::dialect::{Dialect, Unfit};
use crate::privacy::fragment::{Fragment, Scalar};

/// The order of the walk.
#[derive(Debug, Clone, PartialEq)]
pub enum Walk {
    /// Along a key: every row is looked at, in its order.
    Key(Vec<Column>),
    /// Along an index on the age: only rows that are old enough are looked at.
    Age(Column),
    /// Page by page: PostgreSQL, where there is no key, or rows lie anywhere in its order, as those of random UUIDs do: each
    /// window would read and write pages all over the table.
    Pages,
    /// Not at all: whole partitions go.
    Partitions,
}

/// Rows of one age are taken at once; more than so many are too many for one transaction.
const MOST_OF_ONE_AGE: u64 = 2_000;

/// Up to which share of a table its old rows are better found by an index on the age than by reading all.
const FEW: f64 = 0.2;

impl Walk {
    /// Whether a walk along the ages comes into question, for so many rows of a table with so many.
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    pub fn may_be_by_age(resolved: &Resolved<'_>, rows: u64, table_rows: u64) -> bool {
        rows as f64 <= table_rows as f64 * FEW && resolved.table.index_on(&resolved.rule.age_column).is_some()
    }

    /// The best walk. `of_one_age`: how many rows the most frequent age has; `None`: a walk along the ages does not come into
    /// question.
    pub fn choose(resolved: &Resolved<'_>, of_one_age: Option<u64>, dialect: &dyn Dialect) -> Result<Self, Unfit> {
        let table = resolved.table;
        let by_age = table.column(&resolved.rule.age_column).zip(of_one_age);
        let key = table.key().map(|columns| Self::Key(columns.into_iter().cloned().collect()));
        let is_scattered = |key: &Self| key.columns().first().is_some_and(|first| first.is_in_order == Some(false));
        match (key, by_age) {
            (_, Some((age, most))) if most <= MOST_OF_ONE_AGE => Ok(Self::Age(age.clone())),
            (Some(key), _) if table.has_page_ranges && is_scattered(&key) => Ok(Self::Pages),
            (Some(key), _) => Ok(key),
            (None, Some((age, _))) => Ok(Self::Age(age.clone())),
            (None, None) if table.kind == TableKind::Partitioned || !dialect.has_pages() => Err(Unfit(format!(
                "`{}` has neither a primary key nor an index on `{}`: its rows cannot be taken in small numbers",
                table.relation, resolved.rule.age_column
            ))),
            (None, None) => Ok(Self::Pages),
        }
    }

    /// The index that finds the old rows, by its name; `None`: all rows are read.
    pub fn index(&self, resolved: &Resolved<'_>) -> Option<String> {
        resolved.table.index_on(&resolved.rule.age_column).map(|index| index.name.clone())
    }

    /// The columns of the walk.
    pub fn columns(&self) -> &[Column] {
        match self {
            Self::Key(columns) => columns,
            Self::Age(column) => std::slice::from_ref(column),
            Self::Pages | Self::Partitions => &[],
        }
    }

    /// A window as people are shown it.
    pub fn shown(&self, dialect: &dyn Dialect) -> Fragment {
        let names: Vec<String> = self.columns().iter().map(|column| dialect.name(&column.name)).collect();
        match self {
            Self::Pages => Fragment::text("ctid >= NULL::tid AND ctid < NULL::tid"),
            _ => {
                let known = names.iter().map(|name| Fragment::text(format!("{name} IS NOT NULL")));
                Fragment::join(known, " AND ")
            }
        }
    }

    /// The walk's columns, each with its table before it: a bare name would mean what a question calls its answer, which is
    /// text and has another order.
    pub fn names(&self, table: &Table, dialect: &dyn Dialect) -> Vec<String> {
        let table = dialect.table(&table.relation);
        self.columns().iter().map(|column| format!("{table}.{}", dialect.name(&column.name))).collect()
    }

    /// A place on the walk as a row value that is bound.
    pub fn bound(&self, at: &[Scalar]) -> Fragment {
        let values = self.columns().iter().zip(at);
        Fragment::join(values.map(|(column, value)| Fragment::value(value.clone(), &column.type_name)), ", ").enclosed()
    }
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.columns().iter().map(|column| column.name.as_str()).collect();
        match self {
            Self::Key(_) => write!(f, "key ({})", names.join(", ")),
            Self::Age(_) => write!(f, "index on {}", names.join(", ")),
            Self::Pages => f.write_str("pages of the table"),
            Self::Partitions => f.write_str("whole partitions"),
        }
    }
}
