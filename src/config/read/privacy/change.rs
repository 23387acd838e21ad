//! What a column is set to: `"null"`, `"mask last 4"`, a constant.

use std::collections::BTreeMap;

use ::config::ValueKind;

use super::super::super::{CalendarUnit, Change, Constant, FakeKind, suggest};
use super::super::{Problem, Section, Spot};

/// `set = { column = change, … }`
pub(super) fn set(section: &Section<'_>) -> Option<BTreeMap<String, Change>> {
    let entries = section.entries("set");
    if entries.is_empty() {
        section.error(Problem::new("this sets nothing").help("name a column: `set = { user_id = \"tombstone\" }`"));
        return None;
    }
    let read: Vec<_> =
        entries.iter().map(|(column, spot)| Some((column.clone(), section.taken(spot, change(spot))?))).collect();
    let shown: serde_json::Map<_, _> = entries.iter().map(|(column, spot)| (column.clone(), spot.to_json())).collect();
    if let Some(spot) = section.spot("set") {
        section.show("set", shown, &spot.origin);
    }
    read.into_iter().collect()
}

/// The words with which a change begins; anything else is a constant, as long as it does not look like a misspelt one.
const WORDS: [&str; 7] = ["null", "tombstone", "hmac", "truncate", "mask", "round", "fake"];

fn change(spot: &Spot<'_>) -> Result<Change, Problem> {
    let ValueKind::String(text) = &spot.value.kind else { return constant(spot).map(Change::Constant) };
    let words: Vec<&str> = text.split_whitespace().collect();
    let wrong = |help: &str| Problem::new(format!("`{text}` is not complete")).help(help);
    Ok(match words.as_slice() {
        ["null"] => Change::Null,
        ["tombstone"] => Change::Tombstone,
        ["hmac"] => Change::Hmac,
        ["truncate", unit] => Change::Truncate(match *unit {
            "day" => CalendarUnit::Day,
            "month" => CalendarUnit::Month,
            "year" => CalendarUnit::Year,
            _ => return Err(wrong("write `truncate day`, `truncate month` or `truncate year`")),
        }),
        ["mask", rest @ ..] => mask(rest).ok_or_else(|| {
            wrong("write what is kept: `mask first 1`, `mask last 4`, `mask first 1 last 4`; `mask all` keeps nothing")
        })?,
        ["round", step] => match step.parse::<u64>() {
            Ok(step) if step > 0 => Change::Round(step),
            _ => return Err(wrong("write the step as a whole number: `round 10`")),
        },
        ["fake", kind] => match FAKES.iter().find(|(word, _)| word == kind) {
            Some((_, kind)) => Change::Fake(*kind),
            None => return Err(wrong(&fakes())),
        },
        ["truncate", ..] => return Err(wrong("write `truncate day`, `truncate month` or `truncate year`")),
        ["round", ..] => return Err(wrong("write the step as a whole number: `round 10`")),
        ["fake", ..] => return Err(wrong(&fakes())),
        [word] if suggest(word, WORDS).is_some() => {
            let near = suggest(word, WORDS).unwrap_or_default();
            return Err(Problem::new(format!("`{word}` is nearly `{near}`")).help(format!(
                "write `{near}`; a constant that looks like it is written `{{ constant = \"{word}\" }}`"
            )));
        }
        _ => Change::Constant(Constant::Text(text.clone())),
    })
}

const FAKES: [(&str, FakeKind); 6] = [
    ("name", FakeKind::Name),
    ("first_name", FakeKind::FirstName),
    ("last_name", FakeKind::LastName),
    ("email", FakeKind::Email),
    ("phone", FakeKind::Phone),
    ("ip", FakeKind::Ip),
];

fn fakes() -> String {
    let all: Vec<String> = FAKES.iter().map(|(word, _)| format!("`fake {word}`")).collect();
    format!("there are {}", all.join(", "))
}

fn mask(words: &[&str]) -> Option<Change> {
    let kept = |text: &str| text.parse::<u32>().ok();
    Some(match words {
        ["all"] => Change::Mask { first: 0, last: 0 },
        ["first", first] => Change::Mask { first: kept(first)?, last: 0 },
        ["last", last] => Change::Mask { first: 0, last: kept(last)? },
        ["first", first, "last", last] => Change::Mask { first: kept(first)?, last: kept(last)? },
        _ => return None,
    })
}

/// A value as it stands, or `{ constant = … }`, which may be a word that would mean something else.
pub(super) fn constant(spot: &Spot<'_>) -> Result<Constant, Problem> {
    let of = |kind: &ValueKind| match kind {
        ValueKind::String(text) => Some(Constant::Text(text.clone())),
        ValueKind::I64(number) => Some(Constant::Integer(*number)),
        ValueKind::Float(number) => Some(Constant::Float(*number)),
        ValueKind::Boolean(yes) => Some(Constant::Boolean(*yes)),
        _ => None,
    };
    let inner = match &spot.value.kind {
        ValueKind::Table(table) if table.len() == 1 => table.get("constant").map(|value| &value.kind),
        kind => Some(kind),
    };
    inner
        .and_then(of)
        .ok_or_else(|| Problem::new("this is not a value").help("write text, a number, `true`, or `{ constant = … }`"))
}
