//! Who is meant: the canonical form of an identity, and people found again by what the ledger calls them.

use std::collections::BTreeMap;

use crate::config::{Constant, Subject, TableName, Tombstone};
use crate::database::schema::{Column, Family, Table};
use crate::privacy::change::unknown;
use crate::privacy::dialect::Unfit;
use crate::privacy::fragment::{Fragment, Scalar};
use crate::privacy::ground::Ground;
use crate::privacy::plan::Setting;
use crate::privacy::queue;
use crate::run::Failure;

/// How many HMACs are looked for with one question.
const AT_ONCE: usize = 5_000;

/// A person, as the subject's key column has them.
#[derive(Clone)]
pub struct Person {
    /// In canonical form. Shown to whoever asked, and written nowhere.
    pub id: String,
    /// What ledger and log call them.
    pub hmac: String,
}

impl Person {
    /// The person of this id: as the subject's table writes it where they stand there, for what is equal may be written in
    /// several ways.
    pub async fn find(ground: &mut dyn Ground, setting: &Setting<'_>, id: &str) -> Result<Self, Failure> {
        let subject = subject(setting)?;
        let table = setting.table(&subject.table).map_err(wrong)?;
        let column = table.column(&subject.key).ok_or_else(|| wrong(unknown(table, &subject.key)))?;
        let given = canonical(column, id).map_err(wrong)?;
        let dialect = ground.dialect();
        let mut question = Fragment::text("SELECT ");
        question.append(dialect.read(Fragment::text(dialect.name(&column.name))));
        question.push(format!(" FROM {} WHERE ", dialect.table(&table.relation)));
        question.append(dialect.is(column, &given)).push(" LIMIT 2");
        let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
        let written = match rows.as_slice() {
            [row] => row.first().and_then(Scalar::shown),
            _ => None,
        };
        let id = canonical(column, &written.unwrap_or(given)).map_err(wrong)?;
        Ok(Self { hmac: setting.key.hash(&id), id })
    }

    /// Whether an id means this person.
    pub fn is(&self, setting: &Setting<'_>, id: &str) -> bool {
        let column = subject(setting).ok().and_then(|subject| setting.table(&subject.table).ok()?.column(&subject.key));
        column.and_then(|column| canonical(column, id).ok()).is_some_and(|id| id == self.id)
    }

    /// Whether it is what stands for everybody who was erased: nobody.
    pub fn is_tombstone(&self, setting: &Setting<'_>) -> bool {
        let tombstone = setting.policy.subject.as_ref().map(|subject| &subject.tombstone);
        matches!(tombstone, Some(Tombstone::Fixed(constant)) if self.is(setting, &as_text(constant)))
    }

    /// Those people, among these HMACs, who still stand in a declared column: the column is hashed where it lies.
    pub async fn again(
        ground: &mut dyn Ground,
        setting: &Setting<'_>,
        hmacs: &[&str],
    ) -> Result<BTreeMap<String, Self>, Failure> {
        let mut found = BTreeMap::new();
        if hmacs.is_empty() {
            return Ok(found);
        }
        let declared = columns(subject(setting)?).into_iter();
        let declared = declared.map(|(table, name)| Ok((setting.table(table)?, name)));
        let mut places = declared.collect::<Result<Vec<_>, Unfit>>().map_err(wrong)?;
        // Whom the application has deleted, and a hold keeps, may stand nowhere else.
        places.extend(queue::table(setting).map(|table| (table, queue::SUBJECT)));
        for (table, name) in places {
            let column = table.column(name).ok_or_else(|| wrong(unknown(table, name)))?;
            for some in hmacs.chunks(AT_ONCE) {
                for id in hashed_so(ground, setting, table, column, some).await? {
                    let id = canonical(column, &id).map_err(wrong)?;
                    let hmac = setting.key.hash(&id);
                    found.insert(hmac.clone(), Self { id, hmac });
                }
            }
        }
        Ok(found)
    }
}

/// The ids in a column whose HMAC is one of these.
async fn hashed_so(
    ground: &mut dyn Ground,
    setting: &Setting<'_>,
    table: &Table,
    column: &Column,
    hmacs: &[&str],
) -> Result<Vec<String>, Failure> {
    let dialect = ground.dialect();
    let (name, hashed) = (dialect.name(&column.name), dialect.subject_hmac(column, setting.key));
    let wanted = hmacs.iter().map(|hmac| Fragment::value(Scalar::Text((*hmac).to_owned()), "text"));
    let mut question = Fragment::text("SELECT ");
    question.append(dialect.read(Fragment::text(&name)));
    // Each id is hashed once, however many rows have it.
    question.push(format!(" FROM (SELECT DISTINCT {name} FROM {}) AS people WHERE ", dialect.table(&table.relation)));
    question.append(hashed).push(" IN (").append(Fragment::join(wanted, ", ")).push(")");
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    Ok(rows.iter().filter_map(|row| row.first().and_then(Scalar::shown)).collect())
}

/// The policy's subject.
pub fn subject<'a>(setting: &Setting<'a>) -> Result<&'a Subject, Failure> {
    setting.policy.subject.as_ref().ok_or_else(|| {
        let name = &setting.policy.name;
        Failure::new(format!("the policy {name} does not say who its people are"))
            .hint(format!("add `[privacy.{name}.subject]`"))
    })
}

/// The columns in which a person's key stands.
fn columns(subject: &Subject) -> Vec<(&TableName, &str)> {
    let own = std::iter::once((&subject.table, subject.key.as_str()));
    let named = subject.references.iter().filter_map(|reference| match (&reference.column, reference.via.last()) {
        (Some(column), _) => Some((&reference.table, column.as_str())),
        (None, Some(last)) => Some((&last.table, last.column.as_str())),
        (None, None) => None,
    });
    own.chain(named).collect()
}

/// The one form in which an identity is hashed.
fn canonical(column: &Column, id: &str) -> Result<String, Unfit> {
    // Not repeated in the message: errors are logged.
    let wrong =
        |what: &str| Unfit(format!("`--subject` is not {what}, as `{}` is ({})", column.name, column.type_name));
    match column.family {
        // In braces or without, as the server takes them.
        Family::Uuid => uuid::Uuid::parse_str(id.trim().trim_matches(['{', '}']))
            .map(|id| id.to_string())
            .map_err(|_| wrong("a UUID")),
        Family::Integer => id.trim().parse::<i64>().map(|id| id.to_string()).map_err(|_| wrong("a whole number")),
        _ => Ok(id.to_owned()),
    }
}

fn as_text(constant: &Constant) -> String {
    match constant {
        Constant::Text(text) => text.clone(),
        Constant::Integer(number) => number.to_string(),
        Constant::Float(number) => number.to_string(),
        Constant::Boolean(yes) => yes.to_string(),
    }
}

pub(super) fn wrong(unfit: Unfit) -> Failure {
    Failure::new(unfit.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_one_form() {
        let column = |family| Column {
            name: "id".to_owned(),
            type_name: "x".to_owned(),
            family,
            max_chars: None,
            not_null: true,
            generated: false,
            is_in_order: None,
        };
        let of = |family, id| canonical(&column(family), id).ok();
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        for written in [uuid, "67E55044-10B1-426F-9247-BB680E5FE0C8", "{67e5504410b1426f9247bb680e5fe0c8}"] {
            assert_eq!(of(Family::Uuid, written).as_deref(), Some(uuid), "{written}");
        }
        for written in ["7", "007", "+7", " 7 "] {
            assert_eq!(of(Family::Integer, written).as_deref(), Some("7"), "{written}");
        }
        assert_eq!(of(Family::Integer, "7; DROP"), None);
        assert_eq!(of(Family::Uuid, "7"), None);
        assert_eq!(of(Family::Text, " Straße ").as_deref(), Some(" Straße "));
    }
}
