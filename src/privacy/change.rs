//! From what a policy sets a column to, to SQL.

use jiff::tz::TimeZone;

use super::dialect::{Dialect, Unfit};
use super::fragment::Fragment;
use super::key::HmacKey;
use crate::config::{Change, Tombstone};
use crate::database::schema::{Column, Table};

/// A column's new value.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Which column.
    pub column: String,
    /// Its new value.
    pub value: Fragment,
    /// Whether a row does not have it yet; `None`: a row does not show it.
    pub undone: Option<Fragment>,
    /// Whether all rows get the same.
    pub is_shared: bool,
}

/// What assignments are made with.
pub struct Palette<'a> {
    /// The words.
    pub dialect: &'a dyn Dialect,
    /// The key of pseudonyms.
    pub key: &'a HmacKey,
    /// What stands in place of an identity.
    pub tombstone: Option<&'a Tombstone>,
    /// The zone of calendar months and days.
    pub zone: &'a TimeZone,
}

impl Palette<'_> {
    /// The assignment of one column. `person`: the column that tells whose row it is, for what is made up.
    pub fn assign(&self, table: &Table, name: &str, change: &Change, person: &Column) -> Result<Assignment, Unfit> {
        let column = table.column(name).ok_or_else(|| unknown(table, name))?;
        if column.generated {
            return Err(Unfit(format!("`{name}` is computed by the server and cannot be set")));
        }
        let old = || Fragment::text(self.dialect.name(name));
        let differing = |value: Fragment| Assignment {
            column: name.to_owned(),
            undone: Some(self.dialect.differs(old(), value.clone())),
            value,
            is_shared: false,
        };
        let shared = |value: Fragment| Assignment { is_shared: true, ..differing(value) };
        Ok(match change {
            Change::Null if column.not_null => return Err(Unfit(format!("`{name}` is NOT NULL"))),
            Change::Null => {
                let mut undone = old();
                undone.push(" IS NOT NULL");
                // NULLs are not the same to a UNIQUE constraint.
                let value = Fragment::text("NULL");
                Assignment { column: name.to_owned(), value, undone: Some(undone.enclosed()), is_shared: false }
            }
            Change::Constant(constant) => shared(self.dialect.constant(constant, column)?),
            Change::Tombstone => match self.tombstone {
                Some(Tombstone::Fixed(constant)) => shared(self.dialect.constant(constant, column)?),
                Some(Tombstone::Random) => {
                    let value = self.dialect.random(column)?;
                    Assignment { column: name.to_owned(), value, undone: None, is_shared: false }
                }
                None => return Err(Unfit("there is no tombstone: add `[privacy.NAME.subject]`".to_owned())),
            },
            Change::Truncate(unit) => differing(self.dialect.truncated(column, *unit, self.zone)?),
            Change::Mask { first, last } => differing(self.dialect.masked(column, *first, *last)?),
            Change::Round(step) => differing(self.dialect.rounded(column, *step)?),
            Change::Hmac => {
                let (value, undone) = self.dialect.pseudonym(column, self.key)?;
                let value = only_if(undone.clone(), value, old());
                Assignment { column: name.to_owned(), value, undone: Some(undone.enclosed()), is_shared: false }
            }
            Change::Fake(kind) => {
                let mut present = old();
                present.push(" IS NOT NULL");
                differing(only_if(present, self.dialect.fake(column, *kind, person, self.key)?, old()))
            }
        })
    }
}

/// `CASE WHEN condition THEN value ELSE other END`
fn only_if(condition: Fragment, value: Fragment, other: Fragment) -> Fragment {
    let mut case = Fragment::text("CASE WHEN ");
    case.append(condition).push(" THEN ").append(value).push(" ELSE ").append(other).push(" END");
    case
}

/// A column that is not there.
pub fn unknown(table: &Table, name: &str) -> Unfit {
    let names = table.columns.iter().map(|column| column.name.as_str());
    match crate::config::suggest(name, names) {
        Some(near) => Unfit(format!("`{}` has no column `{name}`; did you mean `{near}`?", table.relation)),
        None => Unfit(format!("`{}` has no column `{name}`", table.relation)),
    }
}
