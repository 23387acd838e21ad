//! Whom a row is about, as the policy's subject says. Pure.

use super::resolve::Setting;
use crate::config::{Reference, Step, TableName};
use crate::database::schema::{Column, Relation, Table};
use crate::privacy::change::unknown;
use crate::privacy::dialect::Unfit;
use crate::privacy::fragment::Fragment;

impl<'a> Setting<'a> {
    /// The column that tells whose row it is, as the policy's subject says; else that of the primary key.
    pub fn person_column(&self, table: &'a Table) -> Option<&'a Column> {
        let subject = self.policy.subject.as_ref();
        let named = subject.and_then(|subject| {
            let own = self.table(&subject.table).ok().filter(|own| own.relation == table.relation);
            own.map(|_| subject.key.as_str()).or_else(|| {
                let mut references = subject.references.iter();
                let of_table = |name: &TableName| self.table(name).is_ok_and(|found| found.relation == table.relation);
                references.find(|reference| of_table(&reference.table)).and_then(|found| found.column.as_deref())
            })
        });
        named.and_then(|name| table.column(name)).or_else(|| table.key()?.first().copied())
    }

    /// The conditions under which a row of this table is about a person.
    pub fn of_subject(&self, table: &Table, id: &str) -> Vec<Fragment> {
        let Some(subject) = &self.policy.subject else { return Vec::new() };
        let mut found = Vec::new();
        let is_this = |name: &TableName| self.table(name).is_ok_and(|found| found.relation == table.relation);
        if is_this(&subject.table) {
            found.extend(self.is_person(table, &subject.key, id));
        }
        for reference in subject.references.iter().filter(|reference| is_this(&reference.table)) {
            found.extend(self.by_reference(reference, id));
        }
        found
    }

    /// The condition under which a row is about a person by a reference.
    pub fn by_reference(&self, reference: &Reference, id: &str) -> Result<Fragment, Unfit> {
        match &reference.column {
            Some(column) => self.is_person(self.table(&reference.table)?, column, id),
            None => self.by_way(&reference.via, id),
        }
    }

    /// The condition under which a row names a person in this column.
    pub fn is_person(&self, table: &Table, column: &str, id: &str) -> Result<Fragment, Unfit> {
        let column = table.column(column).ok_or_else(|| unknown(table, column))?;
        Ok(self.dialect.is(column, id))
    }

    /// `a IN (SELECT key FROM b WHERE c = id)`, as deep as the way is long.
    fn by_way(&self, way: &[Step], id: &str) -> Result<Fragment, Unfit> {
        let Some((step, rest)) = way.split_first() else { return Err(Unfit("a way without steps".to_owned())) };
        let table = self.table(&step.table)?;
        let Some(next) = rest.first() else { return self.is_person(table, &step.column, id) };
        let column = table.column(&step.column).ok_or_else(|| unknown(table, &step.column))?;
        let next = self.table(&next.table)?;
        let key = self.key_for(&table.relation, &column.name, next)?;
        let (name, key) = (self.dialect.name(&column.name), self.dialect.name(key));
        let mut within =
            Fragment::text(format!("{name} IN (SELECT {key} FROM {} WHERE ", self.dialect.table(&next.relation)));
        within.append(self.by_way(rest, id)?).push(")");
        Ok(within)
    }

    /// The column of a table that another one's column refers to: by the foreign key, else the primary key.
    fn key_for(&self, child: &Relation, column: &str, parent: &'a Table) -> Result<&'a str, Unfit> {
        let mut keys = self.schema.foreign_keys.iter();
        let declared =
            keys.find(|key| key.child == *child && key.parent == parent.relation && key.child_columns == [column]);
        if let Some([key]) = declared.map(|key| key.parent_columns.as_slice()) {
            return Ok(key);
        }
        match parent.indexes.iter().find(|index| index.is_primary).map(|index| index.columns.as_slice()) {
            Some([Some(key)]) => Ok(key),
            _ => Err(Unfit(format!(
                "`{child}`.`{column}` has no foreign key to `{}`, which has no primary key of one column",
                parent.relation
            ))),
        }
    }
}
