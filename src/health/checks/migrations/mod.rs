//! Whether the schema is where its migrations should have brought it. What was applied stands in the database, in the
//! tool's own table; what should have been, in the folder or the name that the operator configures. Without either only
//! failures can be told, and the rest is UNKNOWN.

mod alembic;
mod django;
mod flyway;
mod folder;
mod sqlx;

use super::sqlite::{WAIT, unseen};
use super::{Check, LookAt};
use crate::config::{CheckName, Migrations};
use crate::database::sqlite::table_rows;
use crate::health::view::{figure, texts};
use crate::health::{OwnView, PostgresView, Seen, SqliteView, Unseen, Verdict};
use crate::state::Status;
use folder::File;

pub(super) const CHECK: Check = Check {
    name: CheckName::Migrations,
    about: "migrations that are not applied, or have failed",
    deep: false,
    warning: Some(1.0),
    critical: None,
    source: "a failed one is always CRITICAL: the schema is between two versions",
    look: LookAt {
        postgres: Some(|view| Box::pin(look(view))),
        sqlite: Some(|view| Box::pin(look_sqlite(view))),
        own: None,
    },
};

/// A tool that keeps its migrations in a table.
struct Tool {
    name: &'static str,
    table: &'static str,
    /// Makes its table the one that is meant, wherever it is: in `public`, else in the first schema that has one. Gives
    /// the schema, and whether we may read it.
    find: &'static str,
    /// The rows of its table, in their order, every column as text and truth as `yes` or `no`.
    rows: &'static str,
    /// The same of a SQLite file.
    rows_sqlite: &'static str,
    take: fn(&[Row]) -> Applied,
    /// Of a folder's files; `None`: they are not this tool's.
    compare: fn(&Applied, &[File]) -> Option<Difference>,
}

macro_rules! find {
    ($table:literal) => {
        concat!(
            "SELECT nspname, visible, set_config('search_path', 'pg_catalog, ' || quote_ident(nspname), false)
                FROM (SELECT n.nspname::text, has_schema_privilege(n.oid, 'USAGE')
                        AND has_table_privilege(c.oid, 'SELECT') AS visible
                    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE c.relname = '",
            $table,
            "' AND c.relkind IN ('r', 'p') AND NOT pg_is_other_temp_schema(n.oid)
                    ORDER BY n.nspname <> 'public', n.nspname LIMIT 1) t"
        )
    };
}
use find;

const TOOLS: [Tool; 4] = [sqlx::TOOL, alembic::TOOL, django::TOOL, flyway::TOOL];

/// A row of a tool's table.
struct Row(Vec<Option<String>>);

impl Row {
    /// A column's text; empty: NULL.
    fn text(&self, column: usize) -> String {
        self.0.get(column).cloned().flatten().unwrap_or_default()
    }

    fn is_yes(&self, column: usize) -> bool {
        self.text(column) == "yes"
    }
}

/// What stands in a tool's table.
#[derive(Debug, Clone, PartialEq, Default)]
struct Applied {
    /// The migrations, in their order.
    names: Vec<String>,
    /// Those that failed.
    failed: Vec<String>,
    /// By name: the hash, in hexadecimal, that the file had when it was applied; where the tool keeps that.
    hashes: std::collections::BTreeMap<String, String>,
}

/// What a folder has beyond that.
#[derive(Debug, Clone, PartialEq, Default)]
struct Difference {
    /// In the folder, and not applied.
    pending: Vec<String>,
    /// Applied, and not as it stands in the folder.
    doubtful: Vec<String>,
}

/// What was found of one tool.
struct Found {
    tool: &'static Tool,
    applied: Applied,
    /// `None`: there is nothing to compare it with.
    difference: Option<Difference>,
}

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let wanted = Wanted::read(&view.own).await?;
    let mut found = Vec::new();
    for tool in &TOOLS {
        found.extend(ask(view, tool).await?.map(|rows| wanted.compared_with(tool, &rows)));
    }
    verdict(&view.own, &found, wanted.named.is_some())
}

async fn look_sqlite(view: &mut SqliteView<'_>) -> Seen {
    let wanted = Wanted::read(&view.own).await?;
    let mut found = Vec::new();
    for tool in &TOOLS {
        if view.own.exclude.leaves_out(tool.table) {
            continue;
        }
        let rows = table_rows(view.path, tool.table, tool.rows_sqlite, WAIT).await.map_err(|error| unseen(&error))?;
        if let Some(rows) = rows {
            view.asks(&[tool.rows_sqlite]);
            let rows: Vec<Row> = rows.into_iter().map(Row).collect();
            found.push(wanted.compared_with(tool, &rows));
        }
    }
    verdict(&view.own, &found, wanted.named.is_some())
}

/// What the operator says should be applied.
struct Wanted {
    named: Option<Migrations>,
    files: Option<Vec<File>>,
}

impl Wanted {
    async fn read(view: &OwnView<'_>) -> Result<Self, Unseen> {
        let named = view.job.migrations.clone();
        let files = match named.as_ref().and_then(|named| named.dir.clone()) {
            Some(dir) => Some(folder::read(dir).await?),
            None => None,
        };
        Ok(Self { named, files })
    }

    fn compared_with(&self, tool: &'static Tool, rows: &[Row]) -> Found {
        let applied = (tool.take)(rows);
        let difference = compare(tool, &applied, self.named.as_ref(), self.files.as_deref());
        Found { tool, applied, difference }
    }
}

async fn ask(view: &mut PostgresView<'_>, tool: &'static Tool) -> Result<Option<Vec<Row>>, Unseen> {
    let rows = view.rows(tool.find).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (schema, visible): (String, bool) = (figure(row, "nspname")?, figure(row, "visible")?);
    if view.own.exclude.leaves_out(&format!("{schema}.{}", tool.table)) {
        return Ok(None);
    }
    if !visible {
        let why = format!("{schema}.{} is hidden from this role", tool.table);
        let name = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let grants =
            [format!("USAGE ON SCHEMA {}", name(&schema)), format!("SELECT ON {}.{}", name(&schema), name(tool.table))];
        let grants: Vec<String> = grants.iter().map(|what| super::grant(what)).collect();
        return Err(Unseen::unknown(why).cure(grants.join("; ")));
    }
    let rows = view.rows(tool.rows).await?;
    rows.iter().map(|row| texts(row).map(Row)).collect::<Result<_, _>>().map(Some)
}

fn compare(tool: &Tool, applied: &Applied, wanted: Option<&Migrations>, files: Option<&[File]>) -> Option<Difference> {
    let in_folder = files.and_then(|files| (tool.compare)(applied, files));
    let by_name = wanted.and_then(|wanted| wanted.expected.as_ref()).map(|expected| {
        let wanted = expected.split(',').map(|name| name.trim().to_owned());
        let pending = wanted.filter(|name| !applied.names.contains(name)).collect();
        Difference { pending, doubtful: Vec::new() }
    });
    match (in_folder, by_name) {
        (Some(mut one), Some(other)) => {
            one.pending.extend(other.pending);
            one.pending.dedup();
            Some(one)
        }
        (one, other) => one.or(other),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a count of migrations")]
fn verdict(view: &OwnView<'_>, found: &[Found], is_configured: bool) -> Seen {
    let advice = "apply them with their own tool; a failed one first has to be made whole by hand, as its manual says";
    if found.is_empty() {
        if !is_configured {
            return Err(Unseen::not_applicable("no table of a migration tool that Caretaker knows"));
        }
        let summary = "no migration was ever applied: there is no table of a migration tool";
        return Ok(Verdict::new(view.limits.judge(1.0), summary).figure(1.0).advice(advice));
    }
    let mut evidence = Vec::new();
    let (mut failed, mut pending, mut doubtful, mut compared) = (0, 0, 0, 0);
    for Found { tool, applied, difference } in found {
        let last = applied.names.last().map(|last| format!(", the last {last}")).unwrap_or_default();
        evidence.push(format!("{}: {} applied{last}", tool.name, applied.names.len()));
        failed += applied.failed.len();
        evidence.extend(applied.failed.iter().map(|name| format!("{}: failed: {name}", tool.name)));
        if let Some(difference) = difference {
            compared += 1;
            pending += difference.pending.len();
            doubtful += difference.doubtful.len();
            evidence
                .extend(difference.pending.iter().take(10).map(|name| format!("{}: not applied: {name}", tool.name)));
            evidence.extend(difference.doubtful.iter().take(10).map(|text| format!("{}: {text}", tool.name)));
        }
    }
    if compared == 0 && failed == 0 {
        let names: Vec<&str> = found.iter().map(|found| found.tool.name).collect();
        let why = format!("what {} should have applied is not known", names.join(" and "));
        let job = &view.job.name;
        return Err(Unseen::unknown(why)
            .cure(format!("add `migrations = {{ dir = \"/path\" }}` (or `expected = \"…\"`) to [health.{job}]")));
    }
    let count = (failed + pending) as f64;
    let judged = view.limits.judge(pending as f64);
    let (status, summary) = match (failed, pending, doubtful) {
        (0, 0, 0) => (judged, "every migration is applied".to_owned()),
        (0, 0, _) => {
            (judged.max(Status::Warning), format!("{doubtful} applied migrations are not those of the folder"))
        }
        (0, _, _) => (judged, format!("{pending} migrations are not applied")),
        (_, 0, _) => (Status::Critical, format!("{failed} migrations have failed")),
        _ => (Status::Critical, format!("{failed} migrations have failed, and {pending} are not applied")),
    };
    Ok(Verdict::new(status, summary).figure(count).evidence(evidence).advice(advice))
}
