//! From a rule and the live schema to SQL: which rows it means, what becomes of them, and what keeps them. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::fires::{self, Deed};
use crate::config::{Action, Change, PrivacyPolicy, Rule, TableName};
use crate::database::schema::{Column, ForeignKey, OnDelete, Schema, Table};
use crate::privacy::change::{Assignment, Palette, unknown};
use crate::privacy::dialect::{Dialect, Unfit};
use crate::privacy::fragment::Fragment;
use crate::privacy::key::HmacKey;
use crate::state::{Held, Hold};

/// What rules are resolved against.
pub struct Setting<'a> {
    /// The words.
    pub dialect: &'a dyn Dialect,
    /// The tables as they are.
    pub schema: &'a Schema,
    /// The policy.
    pub policy: &'a PrivacyPolicy,
    /// The key of pseudonyms.
    pub key: &'a HmacKey,
    /// Now, as far as everybody agrees.
    pub now: Timestamp,
}

/// A rule in SQL.
#[derive(Debug, Clone)]
pub struct Resolved<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Its table.
    pub table: &'a Table,
    /// Rows older than this.
    pub cutoff: Timestamp,
    /// Old enough.
    pub older: Fragment,
    /// Of an age that cannot be told.
    pub ageless: Fragment,
    /// Old enough, and as the rule's condition says.
    pub matches: Fragment,
    /// Not yet as the rule sets them; `None`: they go.
    pub undone: Option<Fragment>,
    /// What they are set to; empty: they go.
    pub assignments: Vec<Assignment>,
    /// What keeps a row although it matches.
    pub guards: Vec<Guard>,
    /// Whether the table refers to itself, so that it is gone through again until nothing goes any more.
    pub is_layered: bool,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

impl Resolved<'_> {
    /// Whether the rows go.
    pub fn goes(&self) -> bool {
        self.undone.is_none()
    }
}

/// Children that keep a row.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Through which foreign key.
    pub key: ForeignKey,
    /// Whether a row has such children.
    pub has_children: Fragment,
    /// The same, asked row by row where an index on the children answers that.
    pub has_children_each: Fragment,
    /// Whether a rule or reference speaks of the children.
    pub is_covered: bool,
}

impl<'a> Setting<'a> {
    /// The table that a name means.
    pub fn table(&self, name: &TableName) -> Result<&'a Table, Unfit> {
        self.schema.find(name.schema.as_deref(), &name.name).ok_or_else(|| {
            let names: Vec<String> = self.schema.tables.iter().map(|table| table.relation.to_string()).collect();
            match crate::config::suggest(&name.to_string(), names.iter().map(String::as_str)) {
                Some(near) => Unfit(format!("there is no table `{name}`; did you mean `{near}`?")),
                None => Unfit(format!("there is no table `{name}`")),
            }
        })
    }

    /// A rule in SQL.
    pub fn resolve(&self, rule: &'a Rule) -> Result<Resolved<'a>, Unfit> {
        let table = self.table(&rule.table)?;
        let mut warnings = Vec::new();
        let age = table.column(&rule.age_column).ok_or_else(|| unknown(table, &rule.age_column))?;
        let cutoff = cutoff(self.now, rule, &self.policy.timezone)?;
        let older = self.dialect.older(age, cutoff, &self.policy.timezone)?;
        let ageless = self.dialect.ageless(age);
        let mut matches = older.clone();
        if let Some(condition) = &rule.condition {
            matches.push(format!(" AND (\n{condition}\n)"));
        }
        if table.hides_rows {
            warnings.push(format!("row security is on for `{}`: it must not hide rows from this role", table.relation));
        }
        let (assignments, undone) = match &rule.action {
            Action::Set(changes) => {
                let palette = Palette {
                    dialect: self.dialect,
                    key: self.key,
                    tombstone: self.policy.subject.as_ref().map(|subject| &subject.tombstone),
                    zone: &self.policy.timezone,
                };
                // Somebody who is not there any more afterwards cannot tell again what was made up for them.
                let is_changed = |column: &&Column| changes.contains_key(&column.name);
                let person = match self.person_column(table).filter(|column| !is_changed(column)) {
                    Some(person) => Some(person),
                    None => table.key().and_then(|key| key.into_iter().find(|column| !is_changed(column))),
                };
                let makes_up = changes.values().any(|change| matches!(change, Change::Fake(_)));
                if person.is_none() && makes_up {
                    return Err(Unfit("`fake` needs a column that stays: the person's, or one of the key".to_owned()));
                }
                let assignments = changes
                    .iter()
                    .map(|(name, change)| palette.assign(table, name, change, person.unwrap_or(age)))
                    .collect::<Result<Vec<_>, _>>()?;
                let undone: Vec<Fragment> = assignments.iter().filter_map(|one| one.undone.clone()).collect();
                if undone.is_empty() {
                    return Err(Unfit(
                        "a row does not show that this was done to it, so it would be done again and again: \
                         set another column as well, or use a constant tombstone"
                            .to_owned(),
                    ));
                }
                self.collisions(table, &assignments, &mut warnings)?;
                for key in self.schema.inbound(&table.relation) {
                    let changes = |name: &String| assignments.iter().any(|one| one.column == *name);
                    if key.parent_columns.iter().any(changes) {
                        warnings.push(format!(
                            "`{}` refers to what is changed here ({}): ON UPDATE CASCADE changes its rows too, held ones \
                             among them; otherwise rows with such children stop the rule",
                            key.child, key.name
                        ));
                    }
                }
                (assignments, Some(Fragment::join(undone, " OR ").enclosed()))
            }
            Action::Delete | Action::Archive { .. } | Action::DropPartition => (Vec::new(), None),
        };
        let drops = matches!(rule.action, Action::DropPartition);
        let goes = assignments.is_empty();
        // A partition whose rows others refer to cannot be detached: that is looked at partition by partition.
        let guards = if goes && !drops { self.guards(table, &mut warnings) } else { Vec::new() };
        warnings.extend(fires::warnings(
            table,
            match (goes, drops) {
                (false, _) => Deed::Update,
                (true, false) => Deed::Delete,
                (true, true) => Deed::Drop,
            },
        ));
        let is_layered = goes && !drops && self.schema.inbound(&table.relation).any(|key| key.child == table.relation);
        Ok(Resolved { rule, table, cutoff, older, ageless, matches, undone, assignments, guards, is_layered, warnings })
    }

    /// A constant in a UNIQUE column can stand there once.
    fn collisions(&self, table: &Table, set: &[Assignment], warnings: &mut Vec<String>) -> Result<(), Unfit> {
        let shared = |name: &Option<String>| set.iter().any(|one| one.is_shared && Some(&one.column) == name.as_ref());
        for index in table.indexes.iter().filter(|index| index.is_unique) {
            if !index.columns.is_empty() && index.columns.iter().all(shared) {
                return Err(Unfit(format!(
                    "all rows would get the same values, but the index `{}` lets only one have them",
                    index.name
                )));
            }
            if index.columns.iter().any(shared) {
                warnings.push(format!("the index `{}` is unique: rows that become the same stop the rule", index.name));
            }
        }
        Ok(())
    }

    fn guards(&self, table: &Table, warnings: &mut Vec<String>) -> Vec<Guard> {
        let mut guards = Vec::new();
        for key in self.schema.inbound(&table.relation) {
            let is_own = key.child == table.relation;
            let is_covered = is_own || self.speaks_of(key);
            if !is_covered {
                warnings.push(format!(
                    "`{}` refers to `{}` ({}), and no rule or reference of this policy is about it: rows with such \
                     children are kept",
                    key.child, table.relation, key.name
                ));
            }
            if !key.is_indexed {
                warnings.push(format!(
                    "`{}` ({}) has no index: every row that goes makes the server read all of `{}`",
                    key.child,
                    key.child_columns.join(", "),
                    key.child
                ));
            }
            // Children whose columns merely become NULL do not keep a row, if somebody has thought of them.
            if key.on_delete == OnDelete::Unset && is_covered {
                continue;
            }
            guards.push(Guard {
                has_children: self.has_children(table, key, &[]),
                has_children_each: self.has_children_each(table, key),
                key: key.clone(),
                is_covered,
            });
        }
        guards
    }

    /// Whether a rule or a reference of the policy is about a foreign key's child.
    fn speaks_of(&self, key: &ForeignKey) -> bool {
        let is_child = |name: &TableName| self.table(name).is_ok_and(|found| found.relation == key.child);
        let mut rules = self.policy.rules.iter();
        let references = self.policy.subject.iter().flat_map(|subject| &subject.references);
        rules.any(|rule| is_child(&rule.table)) || references.into_iter().any(|one| is_child(&one.table))
    }

    /// Whether a row has children through a foreign key, but for those that `gone` says will be gone by then.
    pub fn has_children(&self, table: &Table, key: &ForeignKey, gone: &[Fragment]) -> Fragment {
        self.children(table, key, gone, None, "")
    }

    /// The same for few rows of a large table: where an index finds their children, no other children are looked at.
    pub fn has_children_each(&self, table: &Table, key: &ForeignKey) -> Fragment {
        let children = self.schema.tables.iter().find(|table| table.relation == key.child);
        let first = key.child_columns.first();
        let is_indexed = children.zip(first).is_some_and(|(children, first)| children.index_on(first).is_some());
        self.children(table, key, &[], None, if is_indexed { self.dialect.row_by_row() } else { "" })
    }

    fn children(
        &self,
        table: &Table,
        key: &ForeignKey,
        gone: &[Fragment],
        only: Option<&Fragment>,
        how: &str,
    ) -> Fragment {
        let own = self.dialect.table(&table.relation);
        let of = |holder: &str, column: &str| format!("{holder}.{}", self.dialect.name(column));
        // Without another name the child's conditions find its columns by their bare names and by the table's.
        let (child, named) = match key.child == table.relation {
            true => (self.dialect.name("caretaker_child"), format!(" AS {}", self.dialect.name("caretaker_child"))),
            false => (self.dialect.table(&key.child), String::new()),
        };
        let pairs = key.child_columns.iter().zip(&key.parent_columns);
        let refers: Vec<String> =
            pairs.map(|(ours, theirs)| format!("{} = {}", of(&child, ours), of(&own, theirs))).collect();
        let refers = refers.join(" AND ");
        let mut exists =
            Fragment::text(format!("EXISTS (SELECT 1 FROM {}{named} WHERE {refers}", self.dialect.table(&key.child)));
        if key.child == table.relation {
            // A row that refers to itself is not its own child.
            let same = key.parent_columns.iter().map(|name| format!("{} = {}", of(&child, name), of(&own, name)));
            exists.push(format!(" AND NOT ({})", same.collect::<Vec<_>>().join(" AND ")));
        }
        for condition in gone {
            exists.push(" AND ").append(condition.clone().enclosed()).push(" IS NOT TRUE");
        }
        if let Some(only) = only {
            exists.push(" AND ").append(only.clone());
        }
        exists.push(format!("{how})"));
        exists
    }

    /// Which rows of a table the holds keep; `None`: none do. With what the holds say that cannot be told of this table.
    /// `goes`: the rows would go, so that one is kept as well whose held children would forget it.
    pub fn held(&self, table: &Table, goes: bool, holds: &[Hold]) -> (Option<Fragment>, Vec<String>) {
        let (own, warnings) = self.held_itself(table, holds);
        let mut kept: Vec<Fragment> = own.into_iter().collect();
        let forget = |key: &&ForeignKey| goes && key.on_delete == OnDelete::Unset && key.child != table.relation;
        for key in self.schema.inbound(&table.relation).filter(forget) {
            let children = self.schema.tables.iter().find(|table| table.relation == key.child);
            let held = children.and_then(|children| self.held_itself(children, holds).0);
            kept.extend(held.map(|held| self.children(table, key, &[], Some(&held), "")));
        }
        ((!kept.is_empty()).then(|| Fragment::join(kept, " OR ").enclosed()), warnings)
    }

    fn held_itself(&self, table: &Table, holds: &[Hold]) -> (Option<Fragment>, Vec<String>) {
        let mut kept = Vec::new();
        let mut warnings = Vec::new();
        for hold in holds.iter().filter(|hold| hold.policy == self.policy.name && hold.is_active(self.now)) {
            match &hold.held {
                Held::Rows { table: name, condition } => {
                    let is_this = name.parse().is_ok_and(|name| self.table(&name).is_ok_and(|found| found == table));
                    if is_this {
                        kept.push(Fragment::text(format!("(\n{condition}\n)")));
                    }
                }
                Held::Subject(id) => match self.of_subject(table, id) {
                    found if found.is_empty() => warnings.push(format!(
                        "the hold {} is on a person, and the policy's subject does not say who a row of `{}` is about",
                        hold.id, table.relation
                    )),
                    found => kept.extend(found),
                },
            }
        }
        let kept = (!kept.is_empty()).then(|| Fragment::join(kept, " OR ").enclosed());
        (kept, warnings)
    }
}

/// The instant before which rows are old: by the calendar, in the policy's zone.
fn cutoff(now: Timestamp, rule: &Rule, zone: &TimeZone) -> Result<Timestamp, Unfit> {
    let cutoff = now.to_zoned(zone.clone()).checked_sub(rule.older_than);
    cutoff.map(|cutoff| cutoff.timestamp()).map_err(|_| Unfit("`older_than` reaches back before all time".to_owned()))
}
