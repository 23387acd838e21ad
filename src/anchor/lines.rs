//! The lines of the log as the stores were told them, compared with what stands in it now: a log that was made anew from its
//! first line on shows line by line.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::span::Spans;
use super::told::{Told, told};
use super::{Missed, folder, stores};
use crate::archive::codec::Identities;
use crate::config::{Config, StoreName};
use crate::state::{Flaw, LogHead, LogRecord, State, StateError};

/// What came of comparing lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// Anchors whose lines were compared.
    pub compared: usize,
    /// Anchors whose lines are encrypted to others: only their heads could be compared.
    pub sealed: usize,
    /// What differs.
    pub flaws: Vec<Flaw>,
    /// What could not be read.
    pub missed: Vec<Missed>,
}

/// Compares the log with all lines that the stores were told, as far as these keys open them, and looks whether all is there
/// that was written.
pub async fn compare(
    config: &Config,
    state: &State,
    records: &[LogRecord],
    identities: &Identities,
) -> Result<Lines, StateError> {
    let folder = &folder(state).await?;
    let reads =
        stores(config).into_iter().map(|name| async move { (name, told(config, name, folder, identities).await) });
    let mut comparison = Comparison { records, lines: Lines::default(), differences: Differences::default() };
    for (name, told) in join_all(reads).await {
        let mut spans = Spans::default();
        // A store whose folder cannot be listed was named when its heads were read.
        for told in told.unwrap_or_default() {
            if let Some(first) = comparison.anchor(name, &told) {
                spans.add(first, told.head.seq);
            }
        }
        for (first, last) in spans.gaps() {
            let gone = match first == last {
                true => format!("line {first} is in no anchor there"),
                false => format!("the lines {first} to {last} are in no anchor there"),
            };
            comparison.missed(name, format!("{gone}: what was written is gone"));
        }
    }
    let Comparison { mut lines, differences, .. } = comparison;
    lines.flaws = differences.flaws();
    Ok(lines)
}

/// A comparison under way.
struct Comparison<'a> {
    records: &'a [LogRecord],
    lines: Lines,
    differences: Differences,
}

impl Comparison<'_> {
    fn missed(&mut self, name: &StoreName, error: String) {
        self.lines.missed.push(Missed::new(name, error));
    }

    /// Compares one anchor. Gives the first line that it holds; `None`: it is none, or does not tell.
    fn anchor(&mut self, name: &StoreName, told: &Told) -> Option<u64> {
        let (head, place) = (&told.head, format!("store {name}"));
        let document = match &told.document {
            None => None,
            Some(Ok(document)) => Some(document),
            Some(Err(error)) => {
                self.missed(name, format!("the anchor of line {}: {error}", head.seq));
                None
            }
        };
        if let Some(document) = document {
            if document.head != *head {
                let what = "what was written there was changed: the anchor is of another line than its name says, in";
                self.differences.add(head.seq, what.to_owned(), &place);
            }
            if !told.lines.contains_key(&document.lines) {
                self.missed(name, format!("the lines up to {} are gone ({})", head.seq, document.lines));
            }
        }
        let said = document.map(|document| document.first);
        let mut first = None;
        for text in told.lines.values() {
            match text {
                Ok(Some(text)) => {
                    self.lines.compared += 1;
                    let begins = self.differences.look(self.records, head, (said.unwrap_or(head.seq), text), &place);
                    first = [first, begins].into_iter().flatten().min();
                }
                Ok(None) => self.lines.sealed += 1,
                Err(error) => self.missed(name, format!("the lines up to {}: {error}", head.seq)),
            }
        }
        // Lines without a document are what a writer has left that was cut off; the next one writes them again.
        told.document.as_ref().and(first.or(said))
    }
}

/// What differs, and in which places that is known: several stores are told the same.
#[derive(Default)]
struct Differences(BTreeMap<(u64, String), Vec<String>>);

impl Differences {
    fn add(&mut self, seq: u64, what: String, place: &str) {
        let places = self.0.entry((seq, what)).or_default();
        if !places.iter().any(|known| known == place) {
            places.push(place.to_owned());
        }
    }

    /// Compares the lines of one anchor, which should begin with line `first`. Gives the line that they begin with.
    fn look(&mut self, records: &[LogRecord], head: &LogHead, (first, text): (u64, &str), place: &str) -> Option<u64> {
        let changed = |what: &str| format!("what was written there was changed: {what}, in");
        let (mut begins, mut next) = (None, None);
        for line in text.lines() {
            let Ok(told) = serde_json::from_str::<LogRecord>(line) else {
                let seq = next.unwrap_or(first);
                self.add(seq, changed("it is no line of a log"), place);
                next = Some(seq.saturating_add(1));
                continue;
            };
            if let Some(next) = next.filter(|next| told.seq != *next) {
                self.add(next, changed("it is not there any more"), place);
            }
            begins = begins.or(Some(told.seq));
            next = Some(told.seq.saturating_add(1));
            if told.hash != told.expected_hash() || (told.seq == head.seq && told.hash != head.hash) {
                self.add(told.seq, changed("its hash is another"), place);
                continue;
            }
            match records.binary_search_by_key(&told.seq, |record| record.seq) {
                Err(_) => {
                    let what = format!("it is missing: {} by {} of {}, as is known to", told.kind, told.who, told.at);
                    self.add(told.seq, what, place);
                }
                Ok(at) => {
                    let differs = differing(&records[at], &told);
                    // Where only hashes differ, the lines before tell why.
                    if !differs.is_empty() {
                        self.add(told.seq, format!("another {} than was told to", differs.join(", ")), place);
                    }
                }
            }
        }
        if next != Some(head.seq.saturating_add(1)) {
            self.add(head.seq, changed("it is not there any more"), place);
        }
        begins
    }

    fn flaws(self) -> Vec<Flaw> {
        let said = |((seq, what), places): ((u64, String), Vec<String>)| Flaw {
            seq,
            what: format!("{what} {}", places.join(", ")),
        };
        self.0.into_iter().map(said).collect()
    }
}

/// The members that differ, but for the hashes.
fn differing(ours: &LogRecord, theirs: &LogRecord) -> Vec<&'static str> {
    let members = [
        ("instant", ours.at == theirs.at),
        ("kind", ours.kind == theirs.kind),
        ("policy", ours.policy == theirs.policy),
        ("database", ours.database == theirs.database),
        ("run", ours.run_id == theirs.run_id),
        ("person", ours.who == theirs.who),
        ("machine", ours.host == theirs.host),
        ("detail", ours.detail == theirs.detail),
    ];
    members.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}
