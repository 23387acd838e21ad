//! From what a policy says of a person to SQL: which rows are about them, what becomes of those, in which order. Pure.

use super::person::Person;
use crate::config::{Change, Constant, Reference, Subject, SubjectRow, Tombstone};
use crate::database::schema::Table;
use crate::privacy::change::{Assignment, Palette, unknown};
use crate::privacy::dialect::Unfit;
use crate::privacy::fragment::Fragment;
use crate::privacy::plan::Setting;
use crate::privacy::queue;

/// What becomes of a person's rows in one table.
pub struct Step<'a> {
    /// The table.
    pub table: &'a Table,
    /// How the rows are found: `user_id`, `essay_versions.essay_id -> essays.student_id`.
    pub by: String,
    /// Whether it is the person's own row.
    pub is_own: bool,
    /// Which rows are about the person.
    pub theirs: Fragment,
    /// Which of them are not yet as they shall be.
    pub left: Fragment,
    /// Which of those nothing keeps.
    pub undone: Fragment,
    /// What they are set to; empty: they go.
    pub assignments: Vec<Assignment>,
    /// The tables on the way to the person.
    way: Vec<&'a Table>,
}

impl Step<'_> {
    /// `delete`, `set user_id, ip`
    pub fn action(&self) -> String {
        let set: Vec<&str> = self.assignments.iter().map(|one| one.column.as_str()).collect();
        if set.is_empty() { "delete".to_owned() } else { format!("set {}", set.join(", ")) }
    }

    /// `sessions by user_id`
    pub fn place(&self) -> String {
        format!("{} by {}", self.table.relation, self.by)
    }

    /// Whether the rows go.
    pub fn goes(&self) -> bool {
        self.assignments.is_empty()
    }
}

/// The steps of erasing a person, in their order. `random`: what stands for them where the policy says `random`.
pub fn steps<'a>(
    setting: &Setting<'a>,
    subject: &'a Subject,
    person: &Person,
    random: Option<&str>,
) -> Result<Vec<Step<'a>>, Unfit> {
    let mut steps = Vec::new();
    for reference in &subject.references {
        let table = setting.table(&reference.table)?;
        let theirs = setting.by_reference(reference, &person.id)?;
        let way = reference.via.iter().skip(1).map(|step| setting.table(&step.table)).collect::<Result<_, _>>()?;
        steps.push(step(setting, table, by(reference), theirs, &reference.action, random, way)?);
    }
    let table = setting.table(&subject.table)?;
    let theirs = setting.is_person(table, &subject.key, &person.id)?;
    let mut own = step(setting, table, subject.key.clone(), theirs, &subject.row, random, Vec::new())?;
    own.is_own = true;
    steps.push(own);
    let mut steps = in_order(setting, steps);
    // When the person's own row goes, the trigger writes them down once more.
    if let Some(table) = queue::table(setting) {
        let theirs = setting.is_person(table, queue::SUBJECT, &person.id)?;
        let by = queue::SUBJECT.to_owned();
        steps.push(step(setting, table, by, theirs, &SubjectRow::Delete, random, Vec::new())?);
    }
    Ok(steps)
}

/// How a reference finds rows, as people read it.
pub fn by(reference: &Reference) -> String {
    let way = reference.via.iter().map(|step| format!("{}.{}", step.table, step.column));
    reference.column.clone().unwrap_or_else(|| way.collect::<Vec<_>>().join(" -> "))
}

fn step<'a>(
    setting: &Setting<'a>,
    table: &'a Table,
    by: String,
    theirs: Fragment,
    action: &SubjectRow,
    random: Option<&str>,
    way: Vec<&'a Table>,
) -> Result<Step<'a>, Unfit> {
    let mut left = theirs.clone().enclosed();
    let mut guards = Fragment::default();
    let assignments = match action {
        SubjectRow::Set(changes) => {
            let assignments = assignments(setting, table, changes, random)?;
            let differs = assignments.iter().filter_map(|one| one.undone.clone());
            left.push(" AND ").append(Fragment::join(differs, " OR ").enclosed());
            assignments
        }
        SubjectRow::Delete => {
            // Children that came meanwhile keep the row, rather than going with it unseen.
            for key in setting.schema.inbound(&table.relation) {
                guards.push(" AND NOT ").append(setting.has_children_each(table, key));
            }
            Vec::new()
        }
    };
    let mut undone = left.clone();
    undone.append(guards);
    Ok(Step { table, by, is_own: false, theirs, left, undone, assignments, way })
}

fn assignments(
    setting: &Setting<'_>,
    table: &Table,
    changes: &std::collections::BTreeMap<String, Change>,
    random: Option<&str>,
) -> Result<Vec<Assignment>, Unfit> {
    let tombstone = setting.policy.subject.as_ref().map(|subject| &subject.tombstone);
    // The same in all tables for this erasure, and another one for the next.
    let fixed = random.map(|random| Tombstone::Fixed(Constant::Text(random.to_owned())));
    let palette = Palette {
        dialect: setting.dialect,
        key: setting.key,
        tombstone: fixed.as_ref().or(tombstone),
        zone: &setting.policy.timezone,
    };
    let assign = |(name, change): (&String, &Change)| {
        let column = table.column(name).ok_or_else(|| unknown(table, name))?;
        if *change == Change::Tombstone && random.is_some() {
            setting.dialect.random(column)?;
        }
        let person = setting.person_column(table).unwrap_or(column);
        let assigned = palette.assign(table, name, change, person);
        assigned.map_err(|unfit| Unfit(format!("`{}`: {unfit}", table.relation)))
    };
    changes.iter().map(assign).collect()
}

/// Longer ways first; and what another step needs, or would be kept by, before that one.
fn in_order<'a>(setting: &Setting<'_>, mut left: Vec<Step<'a>>) -> Vec<Step<'a>> {
    left.sort_by_key(|step| (step.is_own, std::cmp::Reverse(step.way.len())));
    let waits = |step: &Step<'_>, other: &Step<'_>| {
        let is_needed = other.way.iter().any(|table| table.relation == step.table.relation);
        let keeps = step.goes()
            && other.table.relation != step.table.relation
            && setting.schema.inbound(&step.table.relation).any(|key| key.child == other.table.relation);
        is_needed || keeps || (step.is_own && !other.is_own)
    };
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let ready = (0..left.len()).find(|at| {
            let mut others = left.iter().enumerate().filter(|(other, _)| other != at);
            !others.any(|(_, other)| waits(&left[*at], other))
        });
        ordered.push(left.remove(ready.unwrap_or(0)));
    }
    ordered
}

/// A step whose rows no index finds.
pub(super) fn slow(step: &Step<'_>) -> Option<String> {
    let first = step.by.split(" -> ").next()?;
    let column = first.rsplit('.').next()?;
    step.table
        .index_on(column)
        .is_none()
        .then(|| format!("no index begins with `{column}`: each transaction reads all of `{}`", step.table.relation))
}
