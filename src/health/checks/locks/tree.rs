//! The blocking tree: those that wait below those they wait for.

use std::collections::{BTreeMap, BTreeSet};

use super::Session;
use crate::units;

/// A session that waits, or that others wait for.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) session: Session,
    /// Whom it waits for; empty: for nobody. 0 stands for a prepared transaction.
    pub(super) blockers: Vec<i32>,
    /// `ShareLock on public.note`
    pub(super) wanted: String,
    /// For how long, in seconds; `None`: hidden, or it does not wait.
    pub(super) waits: Option<f64>,
}

impl Node {
    /// What it wants to lock: `public.note`, or the kind of thing.
    pub(super) fn wanted_object(&self) -> String {
        self.wanted.split_once(" on ").map_or_else(String::new, |(_, object)| object.to_owned())
    }
}

/// Sessions by process id.
#[derive(Debug)]
pub(super) struct Tree(BTreeMap<i32, Node>);

impl Tree {
    pub(super) fn new(nodes: Vec<Node>) -> Self {
        Self(nodes.into_iter().map(|node| (node.session.pid, node)).collect())
    }

    /// Those that wait.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Node> {
        self.0.values().filter(|node| !node.blockers.is_empty())
    }

    /// Whether a wait is Caretaker's own, or everybody at the head of the queue is Caretaker.
    pub(super) fn is_our_doing(&self, node: &Node) -> bool {
        if node.session.ours() {
            return true;
        }
        let mut heads = BTreeSet::new();
        self.heads(node, &mut BTreeSet::new(), &mut heads);
        !heads.is_empty() && heads.iter().all(|pid| self.0.get(pid).is_some_and(|head| head.session.ours()))
    }

    /// Those that wait for nobody, above a node. A cycle, which the server will break as a deadlock, has none.
    fn heads(&self, node: &Node, seen: &mut BTreeSet<i32>, heads: &mut BTreeSet<i32>) {
        for pid in &node.blockers {
            match self.0.get(pid).filter(|above| !above.blockers.is_empty()) {
                Some(above) if seen.insert(*pid) => self.heads(above, seen, heads),
                Some(_) => {}
                None => {
                    heads.insert(*pid);
                }
            }
        }
    }

    /// One line for each, indented below what it waits for; each once.
    pub(super) fn lines(&self) -> Vec<String> {
        let (mut lines, mut shown) = (Vec::new(), BTreeSet::new());
        let blockers: BTreeSet<i32> = self.waiting().flat_map(|node| node.blockers.iter().copied()).collect();
        let waits = |pid: &i32| self.0.get(pid).is_some_and(|node| !node.blockers.is_empty());
        for head in blockers.iter().filter(|pid| !waits(pid)) {
            self.branch(*head, 0, &mut shown, &mut lines);
        }
        // What is left waits in a cycle.
        for node in self.waiting() {
            self.branch(node.session.pid, 0, &mut shown, &mut lines);
        }
        lines
    }

    fn branch(&self, pid: i32, depth: usize, shown: &mut BTreeSet<i32>, lines: &mut Vec<String>) {
        if !shown.insert(pid) {
            return;
        }
        lines.push(format!("{}{}", "  ".repeat(depth), self.line(pid)));
        for node in self.waiting().filter(|node| node.blockers.contains(&pid)) {
            self.branch(node.session.pid, depth + 1, shown, lines);
        }
    }

    fn line(&self, pid: i32) -> String {
        let Some(node) = self.0.get(&pid) else {
            return match pid {
                0 => "a prepared transaction blocks (see pg_prepared_xacts)".to_owned(),
                pid => format!("pid {pid} blocks, and has ended since"),
            };
        };
        let ours = if node.session.ours() { "Caretaker's own, not judged: " } else { "" };
        let by: Vec<String> = node.blockers.iter().map(ToString::to_string).collect();
        match (by.is_empty(), node.waits) {
            (true, _) => format!("{ours}blocks: {}", node.session),
            (false, Some(waits)) => {
                let (waits, by) = (units::seconds(waits), by.join(", "));
                format!("{ours}waits {waits} for {}, blocked by {by}: {}", node.wanted, node.session)
            }
            (false, None) => format!("{ours}waits for {}, blocked by {}: {}", node.wanted, by.join(", "), node.session),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(pid: i32, application: &str, blockers: &[i32]) -> Node {
        let session = Session {
            pid,
            role: "app".to_owned(),
            application: application.to_owned(),
            client: "local".to_owned(),
            state: Some("active".to_owned()),
            hidden: false,
            wait: None,
            query_id: None,
            statement: String::new(),
            seconds: Some(5.0),
        };
        Node { session, blockers: blockers.to_vec(), wanted: "ShareLock on public.t".to_owned(), waits: Some(2.0) }
    }

    #[test]
    fn those_who_wait_stand_below_those_they_wait_for() {
        let tree =
            Tree::new(vec![node(1, "web", &[]), node(2, "web", &[1]), node(3, "web", &[2]), node(4, "web", &[0])]);
        let indents: Vec<(usize, String)> = tree
            .lines()
            .iter()
            .map(|line| {
                (
                    line.len() - line.trim_start().len(),
                    line.trim_start().split(", role").next().unwrap_or("").to_owned(),
                )
            })
            .collect();
        let waits = "waits 2.0s for ShareLock on public.t, blocked by";
        let (one, two) = (format!("{waits} 1: pid 2"), format!("{waits} 2: pid 3"));
        let nobody = format!("{waits} 0: pid 4");
        let prepared = "a prepared transaction blocks (see pg_prepared_xacts)";
        let expected = [(0, prepared), (2, &nobody), (0, "blocks: pid 1"), (2, &one), (4, &two)]
            .map(|(n, text)| (n, text.to_owned()));
        assert_eq!(indents, expected);
        assert_eq!(tree.waiting().next().map(Node::wanted_object).as_deref(), Some("public.t"));
    }

    #[test]
    fn a_cycle_is_shown_once_and_blames_nobody() {
        let tree = Tree::new(vec![node(1, "web", &[2]), node(2, "web", &[1])]);
        assert_eq!(tree.lines().len(), 2);
        assert!(tree.waiting().all(|node| !tree.is_our_doing(node)));
    }

    #[test]
    fn a_queue_is_our_doing_only_if_everybody_at_its_head_is_ours() {
        let tree = Tree::new(vec![
            node(1, "caretaker backup", &[]),
            node(2, "web", &[]),
            node(3, "web", &[1]),
            node(4, "web", &[3]),
            node(5, "web", &[1, 2]),
            node(6, "caretaker purge", &[2]),
        ]);
        let ours: Vec<i32> = tree.waiting().filter(|n| tree.is_our_doing(n)).map(|n| n.session.pid).collect();
        assert_eq!(ours, [3, 4, 6]);
    }
}
