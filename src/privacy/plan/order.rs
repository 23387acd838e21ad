//! In which order rules are applied: children before their parents, else as they are written. Pure.

use crate::database::schema::{Relation, Schema};

/// The rules' numbers in the order in which they are applied. `tables`: each rule's table. Tables in a circle keep the order
/// in which they are written; their names come second.
pub fn order(tables: &[&Relation], schema: &Schema) -> (Vec<usize>, Vec<Relation>) {
    let mut left: Vec<usize> = (0..tables.len()).collect();
    let mut ordered = Vec::new();
    let mut circle = Vec::new();
    // Whether a rule that is still to come is about a child of this one's table.
    let waits = |rule: usize, left: &[usize]| {
        schema
            .inbound(tables[rule])
            .any(|key| key.child != *tables[rule] && left.iter().any(|other| *tables[*other] == key.child))
    };
    while !left.is_empty() {
        let at = left.iter().position(|rule| !waits(*rule, &left)).unwrap_or_else(|| {
            circle.extend(
                left.iter()
                    .map(|rule| tables[*rule].clone())
                    .filter(|table| !circle.contains(table))
                    .collect::<Vec<_>>(),
            );
            0
        });
        ordered.push(left.remove(at));
    }
    (ordered, circle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::schema::{ForeignKey, OnDelete};

    fn relation(name: &str) -> Relation {
        Relation { schema: "public".to_owned(), name: name.to_owned() }
    }

    fn schema(keys: &[(&str, &str)]) -> Schema {
        let key = |(child, parent): &(&str, &str)| ForeignKey {
            name: format!("{child}_{parent}"),
            child: relation(child),
            child_columns: vec!["x".to_owned()],
            parent: relation(parent),
            parent_columns: vec!["id".to_owned()],
            on_delete: OnDelete::Refuse,
            is_indexed: true,
        };
        Schema { tables: Vec::new(), foreign_keys: keys.iter().map(key).collect() }
    }

    #[test]
    fn children_go_before_their_parents() {
        let [users, sessions, answers] = ["users", "sessions", "answers"].map(relation);
        let schema = schema(&[("sessions", "users"), ("answers", "sessions"), ("answers", "users")]);
        assert_eq!(order(&[&users, &sessions, &answers], &schema), (vec![2, 1, 0], vec![]));
        // Several rules about one table stay in their order.
        assert_eq!(order(&[&sessions, &answers, &sessions], &schema), (vec![1, 0, 2], vec![]));
    }

    #[test]
    fn tables_in_a_circle_stay_as_they_are_written_and_are_named() {
        let [one, other, third] = ["one", "other", "third"].map(relation);
        let schema = schema(&[("one", "other"), ("other", "one"), ("third", "third")]);
        assert_eq!(order(&[&one, &other, &third], &schema), (vec![2, 0, 1], vec![one.clone(), other.clone()]));
    }
}
