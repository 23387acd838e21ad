//! What else happens when a rule's statements run: triggers and rewrite rules. Pure.

use crate::database::schema::{Table, Trigger};

/// What happens to the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// They are changed.
    Update,
    /// They go.
    Delete,
    /// They go with their partition.
    Drop,
}

/// What there is to say about it.
pub(super) fn warnings(table: &Table, deed: Deed) -> Vec<String> {
    let goes = deed != Deed::Update;
    let named = |wanted: &dyn Fn(&Trigger) -> bool| {
        let fires = table.triggers.iter().filter(|one| if goes { one.on_delete } else { one.on_update });
        fires.filter(|one| wanted(one)).map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let triggers = match deed {
        Deed::Drop => vec![("triggers do not fire for what is dropped", named(&|_| true))],
        Deed::Update | Deed::Delete => vec![
            ("triggers fire for each row", named(&|one| one.is_for_each_row)),
            ("triggers fire for each statement, of which a run has many", named(&|one| !one.is_for_each_row)),
        ],
    };
    let triggers = triggers.into_iter().filter(|(_, names)| !names.is_empty());
    let rules = table.rewrites.iter().filter(|one| one.is_of_delete == goes).map(|one| {
        let (name, table) = (&one.name, &table.relation);
        let statement = if goes { "DELETE" } else { "UPDATE" };
        match (deed, one.is_instead) {
            (Deed::Drop, _) => format!("the rewrite rule `{name}` of `{table}` does nothing to what is dropped"),
            (_, true) => format!(
                "the rewrite rule `{name}` of `{table}` does something else instead of each {statement}: rows may stay as \
                 they are"
            ),
            (_, false) => format!(
                "the rewrite rule `{name}` of `{table}` does something more with each {statement}: what goes may be \
                 written elsewhere"
            ),
        }
    });
    triggers.map(|(what, names)| format!("{what}: {names}")).chain(rules).collect()
}
