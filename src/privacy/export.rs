//! What is held about a person, from the same references that erase them.

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::erase::{Person, by, subject};
use super::fragment::{Fragment, Scalar};
use super::ground::Ground;
use super::plan::Setting;
use crate::database::schema::{Column, Family, Table};
use crate::run::Failure;

/// What is held about a person.
#[derive(Debug, Clone, Serialize)]
pub struct Held {
    /// Under which policy.
    pub policy: String,
    /// In which database.
    pub database: String,
    /// When it was read.
    pub at: jiff::Timestamp,
    /// The person's own row, then what each reference finds.
    pub places: Vec<Place>,
}

/// Rows about a person in one table.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// The table.
    pub table: String,
    /// How they are found.
    pub by: String,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A row: the columns' names and values in their order. The values are JSON text, so that no digit and no member of a document
/// is lost: `serde_json::Value` would keep 17 digits of a number and one member of each name.
#[derive(Debug, Clone)]
pub struct Row(Vec<(String, Box<RawValue>)>);

/// An object, column by column.
impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Held {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.places.iter().map(|place| place.rows.len()).sum()
    }
}

/// Reads what is held about a person.
pub async fn read(ground: &mut dyn Ground, setting: &Setting<'_>, person: &Person) -> Result<Held, Failure> {
    let unfit = |unfit: super::dialect::Unfit| Failure::new(unfit.0);
    let subject = subject(setting)?;
    let table = setting.table(&subject.table).map_err(unfit)?;
    let own = setting.is_person(table, &subject.key, &person.id).map_err(unfit)?;
    let mut places = vec![place(ground, table, subject.key.clone(), own).await?];
    for reference in &subject.references {
        let table = setting.table(&reference.table).map_err(unfit)?;
        let theirs = setting.by_reference(reference, &person.id).map_err(unfit)?;
        places.push(place(ground, table, by(reference), theirs).await?);
    }
    let (policy, database) = (setting.policy.name.clone(), setting.policy.database.to_string());
    Ok(Held { policy, database, at: setting.now, places })
}

async fn place(ground: &mut dyn Ground, table: &Table, by: String, theirs: Fragment) -> Result<Place, Failure> {
    let dialect = ground.dialect();
    let columns = table.columns.iter().map(|column| dialect.read(Fragment::text(dialect.name(&column.name))));
    let mut question = Fragment::text("SELECT ");
    question.append(Fragment::join(columns, ", "));
    question.push(format!(" FROM {} WHERE ", dialect.table(&table.relation))).append(theirs);
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    let named = |row: Vec<Scalar>| {
        let columns = table.columns.iter().zip(row);
        columns.map(|(column, scalar)| Ok((column.name.clone(), value(column, scalar)?))).collect::<Result<_, _>>()
    };
    let rows = rows.into_iter().map(|row| named(row).map(Row)).collect::<Result<_, serde_json::Error>>();
    let rows = rows.map_err(|error| Failure::new(format!("a row of `{}` as JSON: {error}", table.relation)))?;
    Ok(Place { table: table.relation.to_string(), by, rows })
}

/// A value as JSON: what JSON has a form for in that form, digit for digit, all else as the database writes it.
fn value(column: &Column, scalar: Scalar) -> Result<Box<RawValue>, serde_json::Error> {
    match scalar {
        Scalar::Null => to_raw_value(&()),
        Scalar::Integer(number) => to_raw_value(&number),
        Scalar::Real(number) if number.is_finite() => to_raw_value(&number),
        Scalar::Real(number) => to_raw_value(if number > 0.0 { "Infinity" } else { "-Infinity" }),
        Scalar::Bytes(bytes) => to_raw_value(&format!("\\x{}", hex::encode(bytes))),
        Scalar::Text(text) => {
            let is_json = match column.family {
                // Not NaN, nor Infinity, nor money.
                Family::Integer | Family::Number => {
                    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
                }
                Family::Boolean => matches!(text.as_str(), "true" | "false"),
                Family::Json => true,
                _ => false,
            };
            match is_json.then(|| RawValue::from_string(text.clone())) {
                Some(Ok(written)) => Ok(written),
                _ => to_raw_value(&text),
            }
        }
    }
}
