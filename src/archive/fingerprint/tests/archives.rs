//! Real archives, written by pg_dump 15, 16 and 18 of the database in `tests/fixtures/awkward.sql`.
//! `awkward.expected` was computed from `pg_restore`'s text of them, in Python.

use proptest::prelude::*;

use crate::archive::fingerprint::{DumpFingerprint, DumpReader};
use crate::config::FingerprintLevel;

const PG15: &[u8] = include_bytes!("../../../../tests/fixtures/pg15.dump");
const PG16: &[u8] = include_bytes!("../../../../tests/fixtures/pg16.dump");
const PG18: &[u8] = include_bytes!("../../../../tests/fixtures/pg18.dump");
const EXPECTED: &str = include_str!("../../../../tests/fixtures/awkward.expected");

fn read(level: FingerprintLevel, archive: &[u8], piece: usize) -> DumpFingerprint {
    let mut reader = DumpReader::new(level);
    archive.chunks(piece).for_each(|bytes| reader.push(bytes));
    reader.finish()
}

fn quoted(name: &str) -> String {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[test]
fn tables_of_every_version_have_the_rows_and_hashes_that_were_computed_by_hand() {
    for archive in [PG15, PG16, PG18] {
        let found = read(FingerprintLevel::Hash, archive, usize::MAX);
        assert_eq!(found.not_fingerprinted, None);
        let mut lines: Vec<String> = found
            .tables
            .iter()
            .map(|table| {
                assert_eq!(table.not_comparable, None, "{}", table.name);
                let columns = match table.columns.as_deref().unwrap() {
                    "" => String::new(),
                    columns => format!("({columns})"),
                };
                let (rows, hash) = (table.rows.unwrap(), table.hash.as_ref().unwrap());
                format!("{rows} {hash} {}.{} {columns}", quoted(&table.schema), quoted(&table.name))
            })
            .collect();
        let mut expected: Vec<&str> = EXPECTED.lines().collect();
        lines.sort();
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }
}

#[test]
fn large_objects_of_every_version_are_found() {
    for archive in [PG15, PG16, PG18] {
        let found = read(FingerprintLevel::Hash, archive, 77);
        let objects: Vec<_> =
            found.large_objects.iter().map(|o| (o.oid, o.bytes, o.hash.as_deref().unwrap())).collect();
        assert_eq!(
            objects,
            [
                (16_001, 4, "eb70bf5fc779e9e6a6111d53e80a3db5"),
                (16_002, 0, "99aa06d3014798d86001c324468d497f"),
                (4_000_000_000, 3000, "913d77268db14981d695feb620f014d1"),
            ]
        );
    }
}

#[test]
fn the_contents_are_told() {
    for (archive, minor, version) in [(PG15, 14, "15."), (PG16, 15, "16."), (PG18, 16, "18.")] {
        let contents = read(FingerprintLevel::None, archive, 4096).contents.unwrap();
        assert_eq!(contents.archive_version, (1, minor));
        assert_eq!(contents.database, "awkward");
        assert!(contents.server_version.starts_with(version) && contents.pg_dump_version.starts_with(version));
        assert_eq!(contents.encoding.as_deref(), Some("UTF8"));
        assert_eq!(contents.owners, ["postgres"]);
        assert!(contents.entries > 50);
        assert_eq!(contents.created.unwrap().year(), 2026);
    }
}

#[test]
fn levels_below_hash_tell_less() {
    let counts = read(FingerprintLevel::Counts, PG18, 1000);
    assert!(counts.tables.iter().all(|table| table.rows.is_some() && table.hash.is_none()));
    assert!(counts.large_objects.iter().all(|object| object.hash.is_none()));
    let none = read(FingerprintLevel::None, PG18, 1000);
    assert_eq!((none.tables.len(), none.not_fingerprinted), (counts.tables.len(), None));
    assert!(none.tables.iter().all(|table| table.rows.is_none()));
}

#[test]
fn no_end_but_the_real_one_is_believed() {
    let whole = read(FingerprintLevel::Hash, PG18, usize::MAX);
    assert_eq!(whole.not_fingerprinted, None);
    for end in (0..PG18.len()).rev().step_by(7).chain(PG18.len() - 200..PG18.len()) {
        let found = read(FingerprintLevel::Hash, &PG18[..end], 5000);
        assert!(found.not_fingerprinted.is_some() && found.broken.is_some(), "cut at {end}");
        assert!(found.tables.iter().all(|table| table.rows.is_none()) && found.large_objects.is_empty());
    }
    assert!(read(FingerprintLevel::Hash, &[PG18, b"\0"].concat(), 5000).not_fingerprinted.is_some());
    assert!(read(FingerprintLevel::Hash, &[PG18, PG18].concat(), 5000).not_fingerprinted.is_some());
}

proptest! {
    #[test]
    fn chunk_sizes_do_not_matter(
        cuts in proptest::collection::vec(1usize..400, 1..200), hash: bool, which in 0usize..3,
    ) {
        let archive = [PG15, PG16, PG18][which];
        let level = if hash { FingerprintLevel::Hash } else { FingerprintLevel::Counts };
        let mut reader = DumpReader::new(level);
        let mut rest = archive;
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            reader.push(piece);
            rest = after;
        }
        prop_assert_eq!(reader.finish(), read(level, archive, usize::MAX));
    }

    #[test]
    fn damaged_archives_are_read_without_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end in any::<prop::sample::Index>(), piece in 1usize..5000, which in 0usize..3,
    ) {
        let mut archive = [PG15, PG16, PG18][which].to_vec();
        for (place, byte) in changes {
            let place = place.index(archive.len());
            archive[place] = byte;
        }
        let end = end.index(archive.len() * 2).min(archive.len());
        let found = read(FingerprintLevel::Hash, &archive[..end], piece);
        prop_assert!(found.not_fingerprinted.is_none() || found.tables.iter().all(|table| table.rows.is_none()));
    }

    #[test]
    fn anything_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), start: bool) {
        let archive = if start { [&PG18[..60], &bytes].concat() } else { bytes };
        prop_assert!(read(FingerprintLevel::Hash, &archive, 100).not_fingerprinted.is_some());
    }
}
