//! PostgreSQL's words.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Dialect, Unfit, document, no_way};
use crate::config::{CalendarUnit, Constant, FakeKind};
use crate::database::schema::{Column, Family, Relation, Table};
use crate::privacy::fragment::{Fragment, Scalar};
use crate::privacy::key::HmacKey;
use crate::privacy::names;

/// PostgreSQL 13 and later.
pub struct PostgresDialect;

impl Dialect for PostgresDialect {
    fn name(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    fn table(&self, relation: &Relation) -> String {
        format!("{}.{}", self.name(&relation.schema), self.name(&relation.name))
    }

    /// All answers are text.
    fn read(&self, expression: Fragment) -> Fragment {
        let mut read = expression.enclosed();
        read.push("::text");
        read
    }

    fn placeholder(&self) -> fn(usize, &str) -> String {
        |number, cast| format!("${number}::{cast}")
    }

    fn literal(&self) -> fn(&Scalar, &str) -> String {
        |scalar, cast| match scalar {
            Scalar::Null => format!("NULL::{cast}"),
            Scalar::Integer(number) => number.to_string(),
            Scalar::Real(number) => number.to_string(),
            Scalar::Text(text) => format!("'{}'::{cast}", text.replace('\'', "''")),
            Scalar::Bytes(bytes) => format!("'\\x{}'::{cast}", hex::encode(bytes)),
        }
    }

    /// A subquery with an offset is not turned into a join.
    fn row_by_row(&self) -> &'static str {
        " OFFSET 0"
    }

    fn has_pages(&self) -> bool {
        true
    }

    fn older(&self, column: &Column, cutoff: Timestamp, zone: &TimeZone) -> Result<Fragment, Unfit> {
        let mut older = Fragment::text(format!("{} < ", self.name(&column.name)));
        older.append(instant(column, cutoff, zone)?);
        Ok(older)
    }

    fn cutoff(&self, column: &Column, at: Timestamp, zone: &TimeZone) -> Result<Fragment, Unfit> {
        instant(column, at, zone)
    }

    fn since(&self, column: &Column, from: Timestamp, zone: &TimeZone) -> Option<Fragment> {
        let mut since = Fragment::text(format!("{} >= ", self.name(&column.name)));
        since.append(instant(column, from, zone).ok()?);
        Some(since)
    }

    fn milliseconds(&self, column: &str) -> String {
        let name = self.name(column);
        format!("CASE WHEN isfinite({name}) THEN (extract(epoch FROM {name}) * 1000)::int8 END")
    }

    fn ageless(&self, column: &Column) -> Fragment {
        Fragment::text(format!("{} IS NULL", self.name(&column.name)))
    }

    fn constant(&self, constant: &Constant, column: &Column) -> Result<Fragment, Unfit> {
        let text = match constant {
            Constant::Text(text) => text.clone(),
            Constant::Integer(number) => number.to_string(),
            Constant::Float(number) => number.to_string(),
            Constant::Boolean(yes) => yes.to_string(),
        };
        Ok(Fragment::value(Scalar::Text(text), &column.type_name))
    }

    fn differs(&self, one: Fragment, other: Fragment) -> Fragment {
        Fragment::join([one, other], " IS DISTINCT FROM ").enclosed()
    }

    fn is(&self, column: &Column, id: &str) -> Fragment {
        let mut is = Fragment::text(format!("{} = ", self.name(&column.name)));
        is.append(Fragment::secret(Scalar::Text(id.to_owned()), &column.type_name, "SUBJECT"));
        is
    }

    /// PostgreSQL writes UUIDs and numbers in their canonical form.
    fn subject_hmac(&self, column: &Column, key: &HmacKey) -> Fragment {
        keyed_hash(&format!("{}::text", self.name(&column.name)), key)
    }

    /// The place of a row is its partition's.
    fn identity(&self, _: &Table) -> Result<String, Unfit> {
        Ok("tableoid, ctid".to_owned())
    }

    fn line(&self, table: &Table) -> Fragment {
        document::line(table, self, document::postgres)
    }

    /// Where it stands, and what wrote it: whoever changes a row writes a new one.
    fn version(&self, _: &Table) -> Fragment {
        Fragment::text("(tableoid::text || ctid::text || xmin::text)")
    }

    fn is_among(&self, table: &Table, versions: &[String]) -> Fragment {
        let mut among = self.version(table);
        among.push(" IN (SELECT unnest(string_to_array(");
        among.append(Fragment::value(Scalar::Text(versions.join(";")), "text")).push(", ';')))");
        among
    }

    fn random(&self, column: &Column) -> Result<Fragment, Unfit> {
        let made = "gen_random_uuid()";
        match column.family {
            Family::Uuid => Ok(Fragment::text(made)),
            Family::Text if column.max_chars.is_none_or(|most| most >= 36) => {
                Ok(Fragment::text(format!("{made}::text")))
            }
            _ => Err(no_way("a random tombstone", column, "write a constant one")),
        }
    }

    fn truncated(&self, column: &Column, unit: CalendarUnit, zone: &TimeZone) -> Result<Fragment, Unfit> {
        let name = self.name(&column.name);
        let unit = match unit {
            CalendarUnit::Day => "day",
            CalendarUnit::Month => "month",
            CalendarUnit::Year => "year",
        };
        let zone = zone.iana_name().unwrap_or("UTC");
        match column.family {
            Family::Timestamp => {
                Ok(Fragment::text(format!("date_trunc('{unit}', {name} AT TIME ZONE '{zone}') AT TIME ZONE '{zone}'")))
            }
            Family::LocalTimestamp => Ok(Fragment::text(format!("date_trunc('{unit}', {name})"))),
            Family::Date => Ok(Fragment::text(format!("date_trunc('{unit}', {name}::timestamp)::date"))),
            _ => Err(no_way("`truncate`", column, "it is for timestamps and dates")),
        }
    }

    fn masked(&self, column: &Column, first: u32, last: u32) -> Result<Fragment, Unfit> {
        if column.family != Family::Text {
            return Err(no_way("`mask`", column, "it is for text"));
        }
        let name = format!("{}::text", self.name(&column.name));
        let kept = u64::from(first) + u64::from(last);
        // What is no longer than what would be kept is masked whole: it would stand there unchanged.
        Ok(Fragment::text(format!(
            "CASE WHEN length({name}) <= {kept} THEN repeat('*', length({name})) \
             ELSE left({name}, {first}) || repeat('*', length({name}) - {kept}) || right({name}, {last}) END::{}",
            column.type_name
        )))
    }

    fn rounded(&self, column: &Column, step: u64) -> Result<Fragment, Unfit> {
        match column.family {
            Family::Integer | Family::Number => {
                let name = self.name(&column.name);
                Ok(Fragment::text(format!("(round({name}::numeric / {step}) * {step})::{}", column.type_name)))
            }
            _ => Err(no_way("`round`", column, "it is for numbers")),
        }
    }

    fn pseudonym(&self, column: &Column, key: &HmacKey) -> Result<(Fragment, Fragment), Unfit> {
        let name = self.name(&column.name);
        let hash = || keyed_hash(&format!("{name}::text"), key);
        Ok(match column.family {
            Family::Text => {
                let most = column.max_chars.unwrap_or(u32::MAX).min(64 + PSEUDONYM.len() as u32);
                let digits = most.saturating_sub(PSEUDONYM.len() as u32);
                if digits < LEAST_DIGITS {
                    return Err(no_way("`hmac`", column, "a pseudonym needs at least 21 characters"));
                }
                let mut value = Fragment::text(format!("'{PSEUDONYM}' || left("));
                value.append(hash()).push(format!(", {digits})"));
                (value, Fragment::text(format!("{name} !~ '^{PSEUDONYM}[0-9a-f]{{{digits}}}$'")))
            }
            // RFC 9562, section 5.8: version 8 is for one's own purposes.
            Family::Uuid => {
                let mut value = Fragment::text("overlay(overlay(left(");
                value.append(hash()).push(", 32) placing '8' from 13) placing '8' from 17)::uuid");
                (value, Fragment::text(format!("substr({name}::text, 15, 1) <> '8'")))
            }
            _ => return Err(no_way("`hmac`", column, "it is for text and uuid")),
        })
    }

    fn fake(&self, column: &Column, kind: FakeKind, of: &Column, key: &HmacKey) -> Result<Fragment, Unfit> {
        let hash = |purpose: &str| {
            let mut bytes = Fragment::text("decode(");
            bytes
                .append(keyed_hash(&format!("'{purpose}:' || coalesce({}::text, '')", self.name(&of.name)), key))
                .push(", 'hex')");
            bytes
        };
        let pick = |names: &[&str], purpose: &str| {
            let list: Vec<String> = names.iter().map(|name| format!("'{}'", name.replace('\'', "''"))).collect();
            let mut piece = Fragment::text(format!("(ARRAY[{}])[1 + get_byte(", list.join(",")));
            piece.append(hash(purpose)).push(format!(", 0) % {}]", names.len()));
            piece
        };
        let number = |purpose: &str, modulus: u32| {
            let mut piece = Fragment::text("(('x' || left(");
            piece.append(keyed_hash(&format!("'{purpose}:' || coalesce({}::text, '')", self.name(&of.name)), key));
            piece.push(format!(", 7))::bit(28)::int % {modulus})"));
            piece
        };
        let is_text = column.family == Family::Text;
        let made = match kind {
            FakeKind::Ip if column.family == Family::Network || is_text => {
                let mut made = Fragment::text("'192.0.2.' || ");
                made.append(number("ip", 254)).push(" + 1");
                made
            }
            _ if !is_text => return Err(no_way("`fake`", column, "it is for text")),
            FakeKind::FirstName => pick(names::FIRST, "first"),
            FakeKind::LastName => pick(names::LAST, "last"),
            FakeKind::Name => Fragment::join([pick(names::FIRST, "first"), pick(names::LAST, "last")], " || ' ' || "),
            FakeKind::Email => {
                let mut made = Fragment::text("'user-' || left(");
                made.append(keyed_hash(&format!("'email:' || coalesce({}::text, '')", self.name(&of.name)), key));
                made.push(", 16) || '@example.invalid'");
                made
            }
            FakeKind::Phone => {
                let mut made = Fragment::text("'+1202555' || lpad((100 + ");
                made.append(number("phone", 100)).push(")::text, 4, '0')");
                made
            }
            FakeKind::Ip => return Err(no_way("`fake ip`", column, "it is for text and inet")),
        };
        let mut cast = Fragment::text("(");
        cast.append(made).push(format!(")::{}", column.type_name));
        Ok(cast)
    }
}

/// An instant as a value that is compared with a column's.
fn instant(column: &Column, at: Timestamp, zone: &TimeZone) -> Result<Fragment, Unfit> {
    let local = at.to_zoned(zone.clone()).datetime();
    let (value, cast) = match column.family {
        Family::Timestamp => (at.to_string(), "timestamptz"),
        Family::LocalTimestamp => (local.to_string(), "timestamp"),
        // A day is older once all of it is.
        Family::Date => (local.date().to_string(), "date"),
        _ => {
            return Err(Unfit(format!(
                "`{}` is of type {}, which tells no age: it must be a timestamp or a date",
                column.name, column.type_name
            )));
        }
    };
    Ok(Fragment::value(Scalar::Text(value), cast))
}

/// What a pseudonym begins with, so that it is not hashed again.
const PSEUDONYM: &str = "hmac:";

/// The least hexadecimal digits of a pseudonym: 64 bits, so that a million of them are all different but once in
/// 36,000,000 times.
const LEAST_DIGITS: u32 = 16;

/// HMAC-SHA-256 of a text expression, hexadecimal, without an extension: SHA-256 of the outer pad and SHA-256 of the inner
/// pad and the text.
fn keyed_hash(text: &str, key: &HmacKey) -> Fragment {
    let (inner, outer) = key.pads();
    let pad = |bytes: Vec<u8>| Fragment::secret(Scalar::Text(format!("\\x{}", hex::encode(bytes))), "bytea", "KEY");
    let mut hash = Fragment::text("encode(sha256(");
    hash.append(pad(outer)).push(" || sha256(").append(pad(inner));
    hash.push(format!(" || convert_to({text}, 'UTF8'))), 'hex')"));
    hash
}
