//! What a certificate says in plain sentences, before any table. It says what was done, never that a law is complied with.

use jiff::Timestamp;

use super::{Certificate, Of, Outcome};
use crate::privacy::erase::Remains;

/// The sentences.
pub(super) fn of(certificate: &Certificate) -> Vec<String> {
    let mut said = Vec::new();
    if !certificate.log.verifies {
        said.push(
            "The records that this rests on do not verify: what is said below may have been changed since.".to_owned(),
        );
    }
    match certificate.of {
        Of::Disposition => run(certificate, &mut said),
        Of::Erasure => erasure(certificate, &mut said),
    }
    said.push(remains(certificate));
    said
}

fn run(certificate: &Certificate, said: &mut Vec<String>) {
    let (policy, database, rows) = (&certificate.policy, &certificate.database, rows(certificate.rows()));
    let when = match certificate.ended {
        Some(ended) => format!("from {} to {}", when(certificate.began), when(ended)),
        None => format!("from {} on, until it was cut off", when(certificate.began)),
    };
    said.push(format!("Under the policy {policy}, {rows} of the database {database} were deleted or changed, {when}."));
    let wrong = certificate.rules.iter().filter_map(|rule| Some((&rule.applied.rule, rule.applied.error.as_ref()?)));
    match certificate.outcome {
        Outcome::Completed => {}
        Outcome::Partial => {
            let wrong: Vec<String> = wrong.map(|(rule, error)| format!("{rule}: {error}")).collect();
            said.push(format!("Not all of it was done. {}.", wrong.join("; ")));
        }
        Outcome::CutOff => said.push(
            "It was cut off before it could say what came of all its rules; later runs went on where it had come to."
                .to_owned(),
        ),
    }
    let found = certificate.rules.iter().filter_map(|rule| rule.applied.residual.as_ref());
    let sum = found.fold([0; 4], |[rows, held, children, left], one| {
        [rows + one.rows, held + one.held, children + one.kept_for_children, left + one.left]
    });
    let searched = certificate.rules.iter().filter(|rule| rule.applied.residual.is_some()).count();
    match sum {
        _ if searched == 0 => {}
        [0, ..] => said.push("A search at the end found no row that still matches.".to_owned()),
        [all, held, children, left] => {
            let why = [
                (held, "held"),
                (children, "kept because other rows refer to them"),
                (left, "there because they came while it worked, or a trigger kept them"),
            ];
            let verb = |rows| if rows == 1 { "is" } else { "are" };
            let why = why.into_iter().filter(|(rows, _)| *rows > 0);
            let why: Vec<String> = why.map(|(rows, why)| format!("{} {} {why}", figure(rows), verb(rows))).collect();
            let why = why.join(", ");
            said.push(format!("A search at the end found {} that still match: {why}.", self::rows(all)));
        }
    }
    let unsearched = certificate.rules.iter().filter(|rule| rule.applied.residual.is_none());
    let unsearched: Vec<&str> = unsearched.map(|rule| rule.applied.rule.as_str()).collect();
    if searched > 0 && !unsearched.is_empty() {
        said.push(format!("What these rules are about was not searched: {}.", unsearched.join(", ")));
    }
}

fn erasure(certificate: &Certificate, said: &mut Vec<String>) {
    let (policy, database) = (&certificate.policy, &certificate.database);
    let ended = certificate.ended.map(when).unwrap_or_default();
    let rows = rows(certificate.rows());
    said.push(format!(
        "Under the policy {policy}, one person was erased from the database {database}: {rows} deleted or changed, \
         completed {ended}."
    ));
    let left: u64 = certificate.erased.iter().flat_map(|erased| &erased.residual).map(|found| found.rows).sum();
    said.push(match left {
        0 => "A search of all declared columns afterwards found nothing of that person.".to_owned(),
        left => format!("A search of all declared columns afterwards found {}.", self::rows(left)),
    });
}

/// What honestly remains in backups, or that it does no more.
fn remains(certificate: &Certificate) -> String {
    if let Some(at) = certificate.copies_gone {
        return format!("The last backup that held it is gone from all stores; that was found {}.", when(at));
    }
    match &certificate.remains {
        None if certificate.outcome == Outcome::CutOff => {
            "Backups that were begun before may still hold what is gone.".to_owned()
        }
        None => "Nothing went that a backup could hold.".to_owned(),
        Some(remains) if remains.backups.is_empty() => {
            "When it ended, no backup that Caretaker knows of had been begun before.".to_owned()
        }
        Some(remains) => backups(remains),
    }
}

fn backups(remains: &Remains) -> String {
    let count: usize = remains.backups.iter().map(|left| left.count).sum();
    let hold = match count {
        1 => "1 backup that was begun before still held it".to_owned(),
        count => format!("{count} backups that were begun before still held it"),
    };
    let dated = remains.backups.iter().filter(|left| left.last_expires_not_before.is_some());
    let last = dated.clone().filter_map(|left| left.last_expires_not_before).max();
    let undated = count - dated.map(|left| left.count).sum::<usize>();
    let until = match last.map(when) {
        Some(at) if undated == 0 => format!("the last does not expire before {at}"),
        Some(at) => {
            format!("the last that expires does not before {at}, and {undated} stay until a person deletes them")
        }
        None => "a person must delete them, nothing else does".to_owned(),
    };
    let pinned: usize = remains.backups.iter().map(|left| left.pinned.len()).sum();
    let pinned = match pinned {
        0 => String::new(),
        1 => ", and 1 is pinned: it stays until it is unpinned".to_owned(),
        pinned => format!(", and {pinned} are pinned: they stay until they are unpinned"),
    };
    format!("When it ended, {hold}: {until}{pinned}.")
}

/// `1 row`, `1,234 rows`
fn rows(rows: u64) -> String {
    format!("{} {}", figure(rows), if rows == 1 { "row" } else { "rows" })
}

/// `1,234,567`
pub(super) fn figure(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `2026-11-20 02:00:13 UTC`
pub(super) fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_in_groups_of_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(figure(number), text);
        }
    }
}
