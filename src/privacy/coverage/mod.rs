//! Coverage: whether everybody knows what each column holds. Columns that the policy does not classify, columns whose values
//! look like something else than their class says, and personal columns that nothing ever touches.

mod account;
mod hint;
mod looks;
mod national;
mod person;
mod sample;
mod value;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

pub use looks::{Kind, Likeness};

use super::ground::Ground;
use crate::config::{Action, PrivacyPolicy, Sensitivity, SubjectRow, TableName};
use crate::database::schema::{Column, Schema, Table, TableKind};

/// How long all tables together may be read; what is not looked at by then is named.
const LOOK_WITHIN: Duration = Duration::from_secs(300);

/// What is known of a database's columns.
#[derive(Debug, Clone, Serialize)]
pub struct Coverage {
    /// The policy.
    pub policy: String,
    /// Its database.
    pub database: String,
    /// When it was looked at.
    pub at: Timestamp,
    /// How many tables there are; partitions count as their table.
    pub tables: usize,
    /// How many columns.
    pub columns: usize,
    /// At most so many rows of each table were read.
    pub sample: u32,
    /// Columns without a class.
    pub unclassified: Vec<Finding>,
    /// Columns that are public or internal, and look like something personal.
    pub contradicted: Vec<Finding>,
    /// Personal and sensitive columns that no rule, no erasure and no reference touches.
    pub untouched: Vec<Finding>,
    /// What the configuration classifies and the database does not have.
    pub unknown: Vec<Unknown>,
    /// Tables that could not be looked at.
    pub unseen: Vec<Unseen>,
}

/// A column of which there is something to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its table.
    pub table: String,
    /// Its name.
    pub column: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What the policy says of it.
    pub class: Option<Sensitivity>,
    /// What its values look like.
    pub looks_like: Vec<Likeness>,
}

/// An entry of the configuration that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// `users.emial`
    pub entry: String,
    /// What is missing.
    pub why: String,
}

/// A table that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// The table.
    pub table: String,
    /// Why.
    pub why: String,
}

/// Reads at most `sample` rows of each table, and says what is known of the columns. Changes nothing.
pub async fn look(policy: &PrivacyPolicy, schema: &Schema, ground: &mut dyn Ground, sample: u32) -> Coverage {
    let mut coverage = Coverage {
        policy: policy.name.clone(),
        database: policy.database.to_string(),
        at: Timestamp::now(),
        tables: 0,
        columns: 0,
        sample,
        unclassified: Vec::new(),
        contradicted: Vec::new(),
        untouched: Vec::new(),
        unknown: unknown(policy, schema),
        unseen: Vec::new(),
    };
    let deadline = Instant::now() + LOOK_WITHIN;
    for table in tables(policy, schema) {
        coverage.tables += 1;
        coverage.columns += table.columns.len();
        let seen = match Instant::now() < deadline {
            true => sample::values(table, ground, sample).await.map_err(|error| error.message),
            false => Err("there was no time left for it".to_owned()),
        };
        let seen = seen.unwrap_or_else(|why| {
            coverage.unseen.push(Unseen { table: table.relation.to_string(), why });
            Vec::new()
        });
        for (at, column) in table.columns.iter().enumerate() {
            let values = seen.get(at).map_or(&[][..], Vec::as_slice);
            let finding = Finding {
                table: table.relation.to_string(),
                column: column.name.clone(),
                type_name: column.type_name.clone(),
                class: class(policy, schema, table, column),
                looks_like: looks::looks(&table.relation.name, column, values),
            };
            coverage.sort_in(finding, is_touched(policy, schema, table, column));
        }
    }
    coverage
}

impl Coverage {
    /// Whether the classes have to be put right: a column has none, an entry means nothing, or what everybody may know looks
    /// like a person's. That something internal does may well be so, and a personal column may be kept on purpose.
    pub fn is_wrong(&self) -> bool {
        let is_public = |finding: &Finding| finding.class == Some(Sensitivity::Public);
        !self.unclassified.is_empty() || !self.unknown.is_empty() || self.contradicted.iter().any(is_public)
    }

    fn sort_in(&mut self, finding: Finding, is_touched: bool) {
        match finding.class {
            None => self.unclassified.push(finding),
            Some(Sensitivity::Public | Sensitivity::Internal) if finding.looks_like.is_empty() => {}
            Some(Sensitivity::Public | Sensitivity::Internal) => self.contradicted.push(finding),
            Some(Sensitivity::Personal | Sensitivity::Sensitive) if is_touched => {}
            Some(Sensitivity::Personal | Sensitivity::Sensitive) => self.untouched.push(finding),
        }
    }
}

/// The columns without a class, as `table.column`. Nothing is read.
pub fn unclassified(policy: &PrivacyPolicy, schema: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    for table in tables(policy, schema) {
        let columns = table.columns.iter().filter(|column| class(policy, schema, table, column).is_none());
        found.extend(columns.map(|column| format!("{}.{}", table.relation, column.name)));
    }
    found
}

/// Partitions have the columns of their table; those of the policy's own queue are known, and empty themselves.
fn tables<'s>(policy: &PrivacyPolicy, schema: &'s Schema) -> impl Iterator<Item = &'s Table> {
    let queue = super::queue::find(policy, schema).map(|table| &table.relation);
    schema.tables.iter().filter(move |table| table.kind != TableKind::Partition && Some(&table.relation) != queue)
}

/// What the policy says of a column: itself, or all others of its table.
fn class(policy: &PrivacyPolicy, schema: &Schema, table: &Table, column: &Column) -> Option<Sensitivity> {
    let of = |wanted: &str| {
        let mut entries = policy.columns.iter();
        entries.find(|((name, entry), _)| entry == wanted && is_of(schema, name, table)).map(|(_, class)| *class)
    };
    of(&column.name).or_else(|| of("*"))
}

fn is_of(schema: &Schema, name: &TableName, table: &Table) -> bool {
    schema.find(name.schema.as_deref(), &name.name).is_some_and(|found| found.relation == table.relation)
}

/// Whether a rule, the erasure of a person or a reference makes the column's values go or change.
fn is_touched(policy: &PrivacyPolicy, schema: &Schema, table: &Table, column: &Column) -> bool {
    let by_rule = policy.rules.iter().any(|rule| {
        let hits = match &rule.action {
            Action::Set(changes) => changes.contains_key(&column.name),
            Action::Delete | Action::Archive { .. } | Action::DropPartition => true,
        };
        hits && is_of(schema, &rule.table, table)
    });
    let hits = |row: &SubjectRow| match row {
        SubjectRow::Set(changes) => changes.contains_key(&column.name),
        SubjectRow::Delete => true,
    };
    by_rule
        || policy.subject.as_ref().is_some_and(|subject| {
            (hits(&subject.row) && is_of(schema, &subject.table, table))
                || subject.references.iter().any(|one| hits(&one.action) && is_of(schema, &one.table, table))
        })
}

fn unknown(policy: &PrivacyPolicy, schema: &Schema) -> Vec<Unknown> {
    let mut found = Vec::new();
    let mut missing = BTreeSet::new();
    for (name, column) in policy.columns.keys() {
        let Some(table) = schema.find(name.schema.as_deref(), &name.name) else {
            if missing.insert(name) {
                let why = format!("there is no table `{name}`");
                found.push(Unknown { entry: name.to_string(), why });
            }
            continue;
        };
        if column != "*" && table.column(column).is_none() {
            let names = table.columns.iter().map(|column| column.name.as_str());
            let near = crate::config::suggest(column, names)
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let why = format!("`{}` has no column `{column}`{near}", table.relation);
            found.push(Unknown { entry: format!("{name}.{column}"), why });
        }
    }
    found
}
