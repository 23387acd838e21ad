//! SQLite's words. What SQLite cannot say, functions of ours do; see [`functions`].

pub mod functions;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Dialect, Unfit, document, no_way};
use crate::config::{CalendarUnit, Constant, FakeKind};
use crate::database::schema::{Column, Family, Relation, Table};
use crate::privacy::fragment::{Fragment, Scalar};
use crate::privacy::key::HmacKey;

/// SQLite as it is built in.
pub struct SqliteDialect;

impl Dialect for SqliteDialect {
    fn name(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    fn table(&self, relation: &Relation) -> String {
        format!("\"main\".{}", self.name(&relation.name))
    }

    fn read(&self, expression: Fragment) -> Fragment {
        expression
    }

    fn placeholder(&self) -> fn(usize, &str) -> String {
        |number, _| format!("?{number}")
    }

    fn literal(&self) -> fn(&Scalar, &str) -> String {
        |scalar, _| match scalar {
            Scalar::Null => "NULL".to_owned(),
            Scalar::Integer(number) => number.to_string(),
            Scalar::Real(number) => number.to_string(),
            Scalar::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Scalar::Bytes(bytes) => format!("x'{}'", hex::encode(bytes)),
        }
    }

    /// It never does anything else.
    fn row_by_row(&self) -> &'static str {
        ""
    }

    fn has_pages(&self) -> bool {
        false
    }

    fn older(&self, column: &Column, cutoff: Timestamp, zone: &TimeZone) -> Result<Fragment, Unfit> {
        let mut older = Fragment::text(format!("caretaker_instant({}) < ", self.name(&column.name)));
        older.append(self.cutoff(column, cutoff, zone)?);
        Ok(older)
    }

    /// As `caretaker_instant` gives it.
    fn cutoff(&self, _: &Column, at: Timestamp, _: &TimeZone) -> Result<Fragment, Unfit> {
        #[allow(clippy::cast_precision_loss, reason = "milliseconds of this millennium are exact")]
        let seconds = at.as_millisecond() as f64 / 1000.0;
        Ok(Fragment::value(Scalar::Real(seconds), ""))
    }

    /// An instant's form is the application's: no index is in their order for certain.
    fn since(&self, _: &Column, _: Timestamp, _: &TimeZone) -> Option<Fragment> {
        None
    }

    fn milliseconds(&self, column: &str) -> String {
        format!("CAST(caretaker_instant({}) * 1000 AS INTEGER)", self.name(column))
    }

    fn ageless(&self, column: &Column) -> Fragment {
        Fragment::text(format!("caretaker_instant({}) IS NULL", self.name(&column.name)))
    }

    fn constant(&self, constant: &Constant, _: &Column) -> Result<Fragment, Unfit> {
        let scalar = match constant {
            Constant::Text(text) => Scalar::Text(text.clone()),
            Constant::Integer(number) => Scalar::Integer(*number),
            Constant::Float(number) => Scalar::Real(*number),
            Constant::Boolean(yes) => Scalar::Integer(i64::from(*yes)),
        };
        Ok(Fragment::value(scalar, ""))
    }

    fn differs(&self, one: Fragment, other: Fragment) -> Fragment {
        Fragment::join([one, other], " IS NOT ").enclosed()
    }

    /// SQLite keeps a UUID as the application wrote it.
    fn is(&self, column: &Column, id: &str) -> Fragment {
        let one = |id: String| Fragment::secret(Scalar::Text(id), "", "SUBJECT");
        let name = self.name(&column.name);
        if column.family != Family::Uuid {
            // A column without affinity holds numbers as numbers, which no text is equal to.
            let declared = column.type_name.to_uppercase();
            let is_free = declared.is_empty() || declared.contains("BLOB") || declared == "ANY";
            let place = if is_free { format!("CAST({name} AS TEXT)") } else { name };
            let mut is = Fragment::text(format!("{place} = "));
            is.append(one(id.to_owned()));
            return is;
        }
        let mut is = Fragment::text(format!("{name} IN ("));
        is.append(Fragment::join([one(id.to_lowercase()), one(id.to_uppercase())], ", ")).push(")");
        is
    }

    fn subject_hmac(&self, column: &Column, _: &HmacKey) -> Fragment {
        let name = self.name(&column.name);
        match column.family {
            Family::Uuid => Fragment::text(format!("caretaker_subject_hmac(lower({name}))")),
            _ => Fragment::text(format!("caretaker_subject_hmac({name})")),
        }
    }

    fn identity(&self, table: &Table) -> Result<String, Unfit> {
        let key = table.key().ok_or_else(|| Unfit(format!("the rows of `{}` have no key", table.relation)))?;
        let names: Vec<String> = key.iter().map(|column| self.name(&column.name)).collect();
        Ok(names.join(", "))
    }

    fn line(&self, table: &Table) -> Fragment {
        document::line(table, self, |name, _| document::sqlite(name))
    }

    /// All that stands in it.
    fn version(&self, table: &Table) -> Fragment {
        let mut digest = Fragment::text("caretaker_digest(");
        digest.append(self.line(table)).push(")");
        digest
    }

    fn is_among(&self, table: &Table, versions: &[String]) -> Fragment {
        let mut among = self.version(table);
        let list = serde_json::Value::from(versions).to_string();
        among.push(" IN (SELECT value FROM json_each(").append(Fragment::value(Scalar::Text(list), "")).push("))");
        among
    }

    fn random(&self, column: &Column) -> Result<Fragment, Unfit> {
        if matches!(column.family, Family::Integer | Family::Number | Family::Boolean | Family::Bytes) {
            return Err(Unfit(format!("a random tombstone does not fit `{}`: write a constant one", column.name)));
        }
        // RFC 9562, section 5.4: version 4.
        let hex = |bytes: u32| format!("lower(hex(randomblob({bytes})))");
        Ok(Fragment::text(format!(
            "{} || '-' || {} || '-4' || substr({}, 2) || '-a' || substr({}, 2) || '-' || {}",
            hex(4),
            hex(2),
            hex(2),
            hex(2),
            hex(6)
        )))
    }

    fn truncated(&self, column: &Column, unit: CalendarUnit, _: &TimeZone) -> Result<Fragment, Unfit> {
        let unit = match unit {
            CalendarUnit::Day => "day",
            CalendarUnit::Month => "month",
            CalendarUnit::Year => "year",
        };
        Ok(Fragment::text(format!("caretaker_truncate({}, '{unit}')", self.name(&column.name))))
    }

    /// A column whose declared type says nothing may hold texts.
    fn masked(&self, column: &Column, first: u32, last: u32) -> Result<Fragment, Unfit> {
        if !matches!(column.family, Family::Text | Family::Other) {
            return Err(no_way("`mask`", column, "it is for text"));
        }
        Ok(Fragment::text(format!("caretaker_mask({}, {first}, {last})", self.name(&column.name))))
    }

    /// A column whose declared type says nothing may hold numbers.
    fn rounded(&self, column: &Column, step: u64) -> Result<Fragment, Unfit> {
        if !matches!(column.family, Family::Integer | Family::Number | Family::Other) {
            return Err(no_way("`round`", column, "it is for numbers"));
        }
        let name = self.name(&column.name);
        Ok(Fragment::text(format!(
            "CASE typeof({name}) WHEN 'integer' THEN CAST(round({name} / {step}.0) * {step} AS INTEGER) \
             WHEN 'real' THEN round({name} / {step}.0) * {step} ELSE {name} END"
        )))
    }

    fn pseudonym(&self, column: &Column, _: &HmacKey) -> Result<(Fragment, Fragment), Unfit> {
        let name = self.name(&column.name);
        match column.family {
            Family::Uuid => Ok((
                Fragment::text(format!("caretaker_hmac_uuid({name})")),
                Fragment::text(format!("substr({name}, 15, 1) <> '8'")),
            )),
            Family::Integer | Family::Number | Family::Boolean => Err(no_way("`hmac`", column, "it is for text")),
            _ => Ok((
                Fragment::text(format!("caretaker_hmac({name})")),
                Fragment::text(format!("substr({name}, 1, 5) <> 'hmac:'")),
            )),
        }
    }

    fn fake(&self, column: &Column, kind: FakeKind, of: &Column, _: &HmacKey) -> Result<Fragment, Unfit> {
        let kind = match kind {
            FakeKind::Name => "name",
            FakeKind::FirstName => "first_name",
            FakeKind::LastName => "last_name",
            FakeKind::Email => "email",
            FakeKind::Phone => "phone",
            FakeKind::Ip => "ip",
        };
        match column.family {
            Family::Integer | Family::Number | Family::Boolean => Err(no_way("`fake`", column, "it is for text")),
            _ => Ok(Fragment::text(format!("caretaker_fake('{kind}', {})", self.name(&of.name)))),
        }
    }
}
