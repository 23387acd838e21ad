//! `[privacy.*.subject]`

use std::time::Duration;

use ::config::ValueKind;

use super::super::super::{ErasureQueue, Reference, Step, Subject, SubjectRow, TableName, Tombstone};
use super::super::values::{duration, span, text};
use super::super::{Problem, Section, Spot};
use super::{change, table};

pub(super) fn read(section: &Section<'_>) -> Option<Subject> {
    let table = section.required("table", table);
    let key = section.required("key", text);
    let tombstone = section.or("tombstone", "random", tombstone);
    let due_after = section.or("due_after", "30 days", span);
    let row = row(section, "row");
    let queue = queue(section);
    let references: Vec<_> = section.sections("references").iter().map(reference).collect();
    section.finish();
    let references = references.into_iter().collect::<Option<Vec<_>>>()?;
    if section.is_faulty() {
        return None;
    }
    let (table, key) = (table?, key?);
    let queue = queue.map(|queue| in_schema_of(&table, queue));
    if let Some(queue) = &queue
        && (queue.table == table || references.iter().any(|reference| reference.table == queue.table))
    {
        let problem = Problem::new(format!("`{}` cannot be the queue: people's rows stand there", queue.table));
        section.error(problem.help("name a table of its own: `queue = \"caretaker_erasures\"`"));
        return None;
    }
    Some(Subject { table, key, tombstone: tombstone?, row: row?, due_after: due_after?, queue, references })
}

/// How seldom, and how often, the daemon may look into a queue.
const SELDOM: Duration = Duration::from_secs(24 * 3600);
const OFTEN: Duration = Duration::from_secs(1);

/// `queue = "caretaker_erasures"`, `queue_every = "1m"`
fn queue(section: &Section<'_>) -> Option<ErasureQueue> {
    let name = section.optional("queue", table);
    if !section.has("queue") {
        section.know("queue_every");
        if section.has("queue_every") {
            let help = "name the table in which applications ask for erasures: `queue = \"caretaker_erasures\"`";
            section.error(Problem::new("`queue_every` without a queue").help(help));
        }
        return None;
    }
    let every = section.or("queue_every", "1m", |spot| match duration(spot)? {
        every if (OFTEN..=SELDOM).contains(&every) => Ok(every),
        _ => Err(Problem::new("this is not between 1 s and 24 h")),
    });
    Some(ErasureQueue { table: name?, every: every? })
}

/// A queue without a schema is beside the subject's table.
fn in_schema_of(table: &TableName, queue: ErasureQueue) -> ErasureQueue {
    let schema = queue.table.schema.or_else(|| table.schema.clone());
    ErasureQueue { table: TableName { schema, ..queue.table }, ..queue }
}

fn tombstone(spot: &Spot<'_>) -> Result<Tombstone, Problem> {
    match &spot.value.kind {
        ValueKind::String(text) if text == "random" => Ok(Tombstone::Random),
        _ => change::constant(spot).map(Tombstone::Fixed),
    }
}

/// `"delete"`, or `{ set = { … } }`; a person's own row goes unless the policy says otherwise.
fn row(section: &Section<'_>, key: &'static str) -> Option<SubjectRow> {
    let Some(spot) = section.spot(key) else { return (!section.is_faulty()).then_some(SubjectRow::Delete) };
    let help = "write `\"delete\"`, or `{ set = { … } }`";
    match &spot.value.kind {
        ValueKind::Table(_) => {
            let table = section.table(key);
            let set = change::set(&table);
            table.know("set");
            table.finish();
            if table.is_faulty() {
                section.is_wrong();
            }
            set.map(SubjectRow::Set)
        }
        _ => section.optional(key, |spot| match spot.text()? {
            "delete" => Ok(SubjectRow::Delete),
            other => Err(Problem::new(format!("unknown value `{other}`")).help(help)),
        }),
    }
}

fn reference(section: &Section<'_>) -> Option<Reference> {
    let table = section.required("table", table);
    let column = section.optional("column", text);
    let via = section.optional("via", via).unwrap_or_default();
    let set = section.has("set").then(|| change::set(section));
    section.know("set");
    let action = section.has("action").then(|| row(section, "action"));
    section.know("action");
    if section.has("column") == section.has("via") && !section.is_faulty() {
        let problem = Problem::new("a reference needs either `column` or `via`");
        section.error(
            problem.help("`column`: the table's column with the person's key; `via`: the way over other tables"),
        );
    }
    let action = match (set, action) {
        (Some(set), None) => set.map(SubjectRow::Set),
        (None, Some(action)) => action,
        (None, None) => {
            section.is_missing_as("set", "`set` or `action = \"delete\"`".to_owned());
            None
        }
        (Some(_), Some(_)) => {
            section.error(Problem::new("`set` and `action` exclude each other").help("keep one"));
            None
        }
    };
    section.finish();
    let table = table?;
    if let Some(first) = via.first()
        && first.table != table
    {
        let problem = Problem::new(format!("`via` begins at `{}`, not at `{table}`", first.table));
        section.error(problem.help(format!("write `{table}.COLUMN -> …`")));
    }
    if section.is_faulty() {
        return None;
    }
    Some(Reference { table, column, via, action: action? })
}

/// `essay_versions.essay_id -> essays.student_id`
fn via(spot: &Spot<'_>) -> Result<Vec<Step>, Problem> {
    let help = "write `essay_versions.essay_id -> essays.student_id`: each a column that refers to the next table, the last to the subject";
    let steps = spot.text()?.split("->").map(|step| {
        let (table, column) = TableName::with_column(step.trim())
            .map_err(|_| Problem::new(format!("`{}` is not TABLE.COLUMN", step.trim())).help(help))?;
        Ok(Step { table, column })
    });
    let steps: Vec<Step> = steps.collect::<Result<_, Problem>>()?;
    match steps.len() {
        0 | 1 => Err(Problem::new("a way has at least two steps").help(help)),
        _ => Ok(steps),
    }
}
