//! The hash of rows, and the worked examples of `docs/fingerprint.md`.

use proptest::prelude::*;

use crate::archive::fingerprint::{RowEncoder, RowHasher, TableHasher};
use crate::config::FingerprintLevel::{Counts, Hash};

fn table(level: crate::config::FingerprintLevel, pieces: &[&[u8]]) -> (u64, Option<String>) {
    let mut hasher = TableHasher::new(level);
    pieces.iter().for_each(|piece| hasher.push(piece));
    hasher.finish()
}

fn example() -> (Vec<u8>, Vec<u8>) {
    let mut encoder = RowEncoder::new();
    encoder.integer(1);
    encoder.text(b"one");
    encoder.null();
    let first = encoder.end_row().to_vec();
    encoder.integer(-2);
    encoder.real(2.5);
    encoder.blob(b"\x00\xff");
    (first, encoder.end_row().to_vec())
}

#[test]
fn the_worked_example_of_a_copy_holds() {
    let documented = include_str!("../../../../docs/fingerprint.md");
    let copy = b"1\tone\n2\t\\N\n2\t\\N\n";
    let hash = "0e1f531b78d824078650929597eabd12";
    assert_eq!(table(Hash, &[copy]), (3, Some(hash.to_owned())));
    assert_eq!(table(Counts, &[copy]), (3, None));
    for line in [&copy[..5], &copy[6..10]] {
        assert!(documented.contains(&table(Hash, &[line]).1.unwrap()));
    }
    assert!(documented.contains(hash));
}

#[test]
fn the_worked_example_of_sqlite_holds() {
    let documented = include_str!("../../../../docs/fingerprint.md");
    let (first, second) = example();
    for row in [&first, &second] {
        assert!(documented.contains(&hex::encode(row)));
    }
    let mut hasher = RowHasher::new(Hash);
    hasher.push_row(&second);
    hasher.push_row(&first);
    let hash = "426896aab0fb87e0716ae5e5e842e7de";
    assert_eq!(hasher.finish(), (2, Some(hash.to_owned())));
    assert!(documented.contains(hash));
}

#[test]
fn no_rows_are_zero_and_empty_rows_are_not() {
    let zero = "0".repeat(32);
    assert_eq!(table(Hash, &[]), (0, Some(zero.clone())));
    let (rows, hash) = table(Hash, &[b"\n\n", b"\n"]);
    assert_eq!(rows, 3);
    assert_ne!(hash, Some(zero));
}

#[test]
fn equal_rows_do_not_cancel() {
    assert_ne!(table(Hash, &[b"a\na\n"]).1, table(Hash, &[b"b\nb\n"]).1);
}

fn copy_text() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let line = prop_oneof![
        3 => "[a-c\\\\.]{0,5}",
        1 => "[a-z]{200,600}",
    ];
    proptest::collection::vec(line.prop_map(String::into_bytes), 0..30)
}

proptest! {
    #[test]
    fn neither_the_cuts_nor_the_order_matter(
        lines in copy_text().prop_shuffle(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let joined = |lines: &[Vec<u8>]| lines.iter().flat_map(|line| [&line[..], b"\n"].concat()).collect::<Vec<u8>>();
        let text = joined(&lines);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        let mut sorted = lines.clone();
        sorted.sort();
        for level in [Counts, Hash] {
            let cut = table(level, &pieces);
            prop_assert_eq!(cut.0, lines.len() as u64);
            prop_assert_eq!(cut, table(level, &[&joined(&sorted)]));
        }
    }

    #[test]
    fn different_rows_are_encoded_differently(a in sqlite_row(), b in sqlite_row()) {
        let same = format!("{a:?}") == format!("{b:?}");
        prop_assert_eq!(encode(&a) == encode(&b), same);
    }
}

#[derive(Debug, Clone)]
enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

fn sqlite_row() -> impl Strategy<Value = Vec<Value>> {
    let bytes = || proptest::collection::vec(0u8..5, 0..3);
    let value = prop_oneof![
        Just(Value::Null),
        (0i64..3).prop_map(Value::Integer),
        prop_oneof![Just(0.0), Just(-0.0), Just(1.0)].prop_map(Value::Real),
        bytes().prop_map(Value::Text),
        bytes().prop_map(Value::Blob),
    ];
    proptest::collection::vec(value, 0..4)
}

fn encode(row: &[Value]) -> Vec<u8> {
    let mut encoder = RowEncoder::new();
    for value in row {
        match value {
            Value::Null => encoder.null(),
            Value::Integer(value) => encoder.integer(*value),
            Value::Real(value) => encoder.real(*value),
            Value::Text(value) => encoder.text(value),
            Value::Blob(value) => encoder.blob(value),
        }
    }
    encoder.end_row().to_vec()
}
