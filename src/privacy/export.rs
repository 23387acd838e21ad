//! What is held about a person, from the same references that erase them.

use serde::Serialize;
use serde_json::{Map, Value};

use super::erase::{Person, by, subject};
use super::fragment::{Fragment, Scalar};
use super::ground::{Ground, GroundError};
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
    /// The rows, column by column.
    pub rows: Vec<Map<String, Value>>,
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

async fn place(ground: &mut dyn Ground, table: &Table, by: String, theirs: Fragment) -> Result<Place, GroundError> {
    let dialect = ground.dialect();
    let columns = table.columns.iter().map(|column| dialect.read(Fragment::text(dialect.name(&column.name))));
    let mut question = Fragment::text("SELECT ");
    question.append(Fragment::join(columns, ", "));
    question.push(format!(" FROM {} WHERE ", dialect.table(&table.relation))).append(theirs);
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    let named = |row: Vec<Scalar>| {
        table.columns.iter().zip(row).map(|(column, scalar)| (column.name.clone(), value(column, scalar))).collect()
    };
    Ok(Place { table: table.relation.to_string(), by, rows: rows.into_iter().map(named).collect() })
}

/// A value as JSON: what JSON has a form for in that form, all else as the database writes it.
fn value(column: &Column, scalar: Scalar) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Integer(number) => number.into(),
        Scalar::Real(number) => number.into(),
        Scalar::Bytes(bytes) => format!("\\x{}", hex::encode(bytes)).into(),
        Scalar::Text(text) => {
            let read = match column.family {
                Family::Integer => text.parse::<i64>().ok().map(Value::from),
                Family::Boolean => text.parse::<bool>().ok().map(Value::from),
                Family::Json => serde_json::from_str(&text).ok(),
                _ => None,
            };
            read.unwrap_or(Value::String(text))
        }
    }
}
