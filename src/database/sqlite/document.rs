//! Values as JSON, exactly: what JSON has no form for is an object with one member that begins with `$`.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};
use sha2::{Digest, Sha256};

/// Teaches a connection `caretaker_json(value)`, the value as JSON, and `caretaker_digest(text)`, its SHA-256.
pub(super) fn teach(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection
        .create_scalar_function("caretaker_json", 1, flags, |context: &Context<'_>| Ok(json(context.get_raw(0))))?;
    connection.create_scalar_function("caretaker_digest", 1, flags, |context: &Context<'_>| {
        Ok(context.get_raw(0).as_bytes_or_null()?.map(|bytes| hex::encode(Sha256::digest(bytes))))
    })
}

fn json(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        // The shortest form that reads back as the same number; it always has a point or an exponent.
        ValueRef::Real(number) if number.is_finite() => format!("{number:?}"),
        ValueRef::Real(number) => format!("{{\"$real\":\"{number}\"}}"),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => serde_json::Value::from(text).to_string(),
            Err(_) => format!("{{\"$text\":\"{}\"}}", hex::encode(bytes)),
        },
        ValueRef::Blob(bytes) => format!("{{\"$blob\":\"{}\"}}", hex::encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_one_form_and_no_two_share_one() {
        for (value, form) in [
            (ValueRef::Null, "null"),
            (ValueRef::Integer(i64::MIN), "-9223372036854775808"),
            (ValueRef::Real(1.0), "1.0"),
            (ValueRef::Real(0.1 + 0.2), "0.30000000000000004"),
            (ValueRef::Real(1e300), "1e300"),
            (ValueRef::Real(f64::NEG_INFINITY), r#"{"$real":"-inf"}"#),
            (ValueRef::Text(b"1"), r#""1""#),
            (ValueRef::Text(b"a\"b\n\0"), r#""a\"b\n\u0000""#),
            (ValueRef::Text(b"\xff"), r#"{"$text":"ff"}"#),
            (ValueRef::Blob(b"\xff"), r#"{"$blob":"ff"}"#),
        ] {
            assert_eq!(json(value), form);
            assert!(serde_json::from_str::<serde_json::Value>(form).is_ok());
        }
    }
}
