//! `[[privacy.*.rules]]`

use ::config::ValueKind;

use super::super::super::{Action, Rule};
use super::super::backup::encrypt_to;
use super::super::values::{choice, span, text};
use super::super::{Known, Problem, Section};
use super::{change, table};

pub(super) fn read(section: &Section<'_>, known: &Known) -> Option<Rule> {
    let name = section.required("name", text);
    let table = section.required("table", table);
    let age_column = section.required("age_column", text);
    let older_than = section.required("older_than", span);
    let condition = section.optional("where", text);
    let reason = section.optional("reason", text);
    let action = action(section, known);
    section.finish();
    if section.is_faulty() {
        return None;
    }
    Some(Rule {
        name: name?,
        table: table?,
        age_column: age_column?,
        older_than: older_than?,
        condition,
        action: action?,
        reason,
    })
}

/// `"delete"`, `"drop partition"`, `{ set = { … } }`, `{ archive = { store = "…" } }`
fn action(section: &Section<'_>, known: &Known) -> Option<Action> {
    if !section.has("action") {
        section.is_missing("action");
    }
    let spot = section.spot("action")?;
    if !matches!(spot.value.kind, ValueKind::Table(_)) {
        let words = [("delete", Action::Delete), ("drop partition", Action::DropPartition)];
        let help = "or a table: `{ set = { … } }`, `{ archive = { store = \"…\" } }`";
        return section.optional("action", |spot| {
            choice(&words)(spot).map_err(|problem| match problem.help.clone() {
                Some(before) => problem.help(format!("{before}, {help}")),
                None => problem.help(format!("it can be `delete` or `drop partition`, {help}")),
            })
        });
    }
    let table = section.table("action");
    let set = table.has("set").then(|| change::set(&table));
    let archive = table.has("archive").then(|| {
        let archive = table.table("archive");
        let store = archive.required("store", |spot| known.store(spot));
        let expire_after = archive.optional("expire_after", span);
        let encrypt_to = encrypt_to(&archive);
        archive.finish();
        (!archive.is_faulty()).then_some(())?;
        Some(Action::Archive { store: store?, expire_after, encrypt_to: encrypt_to? })
    });
    for key in ["set", "archive"] {
        table.know(key);
    }
    table.finish();
    let action = match (set, archive) {
        (Some(set), None) => set.map(Action::Set),
        (None, Some(archive)) => archive,
        _ => {
            table.error(Problem::new("an action does one thing").help("write either `set` or `archive`"));
            None
        }
    };
    if action.is_none() || table.is_faulty() {
        section.is_wrong();
        return None;
    }
    action
}
