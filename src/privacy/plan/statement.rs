//! What a rule says in SQL: which rows are taken in hand, and the statement for a batch of them. Pure.

use super::resolve::{Guard, Resolved};
use crate::privacy::dialect::Dialect;
use crate::privacy::fragment::Fragment;

impl Resolved<'_> {
    /// Which rows are taken in hand: they match, are not done yet, are not held, and no children keep them.
    pub fn wanted(&self, held: Option<&Fragment>, has_children: impl Fn(&Guard) -> Fragment) -> Fragment {
        let mut wanted = self.candidates(held);
        for guard in &self.guards {
            wanted.push(" AND NOT ").append(has_children(guard));
        }
        wanted
    }

    /// The same, whether children keep them or not.
    pub fn candidates(&self, held: Option<&Fragment>) -> Fragment {
        let mut wanted = self.matches.clone();
        if let Some(undone) = &self.undone {
            wanted.push(" AND ").append(undone.clone());
        }
        if let Some(held) = held {
            // Where a hold's condition is NULL it does not hold the row.
            wanted.push(" AND NOT coalesce(").append(held.clone()).push(", false)");
        }
        wanted
    }

    /// The statement for one batch: the rows within a window.
    pub fn batch(&self, dialect: &dyn Dialect, window: &Fragment, held: Option<&Fragment>) -> Fragment {
        let table = dialect.table(&self.table.relation);
        let mut statement = match self.assignments.as_slice() {
            [] => Fragment::text(format!("DELETE FROM {table}")),
            assignments => {
                let mut statement = Fragment::text(format!("UPDATE {table} SET "));
                let set = assignments.iter().map(|one| {
                    let mut set = Fragment::text(format!("{} = ", dialect.name(&one.column)));
                    set.append(one.value.clone());
                    set
                });
                statement.append(Fragment::join(set, ", "));
                statement
            }
        };
        statement
            .push("\nWHERE ")
            .append(window.clone())
            .push("\n  AND ")
            .append(self.wanted(held, |guard| guard.has_children_each.clone()));
        statement
    }
}
