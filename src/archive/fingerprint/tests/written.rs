//! Archives written here, of versions and kinds that are hard to come by.

use rstest::rstest;

use crate::archive::fingerprint::{DumpFingerprint, DumpReader};
use crate::archive::manifest::Table;
use crate::config::FingerprintLevel;

/// Writes archives as `pg_backup_archiver.c` does.
struct Archive {
    minor: u8,
    compression: i32,
    contents: Vec<u8>,
    entries: i32,
    blocks: Vec<u8>,
}

struct Entry<'a> {
    desc: &'a str,
    schema: &'a str,
    name: &'a str,
    copy: &'a str,
    dependencies: &'a [i32],
    data: Option<&'a [u8]>,
}

const TABLE: Entry<'_> = Entry { desc: "TABLE", schema: "public", name: "t", copy: "", dependencies: &[], data: None };
const DATA: Entry<'_> = Entry {
    desc: "TABLE DATA",
    copy: "COPY public.t (a) FROM stdin;\n",
    dependencies: &[1],
    data: Some(b"1\n2\n\\.\n\n\n"),
    ..TABLE
};

fn int(value: i32) -> Vec<u8> {
    [&[u8::from(value < 0)][..], &value.unsigned_abs().to_le_bytes()].concat()
}

fn string(text: &str) -> Vec<u8> {
    [&int(text.len() as i32)[..], text.as_bytes()].concat()
}

impl Archive {
    fn new(minor: u8) -> Self {
        Self { minor, compression: 0, contents: Vec::new(), entries: 0, blocks: Vec::new() }
    }

    fn with(mut self, entry: &Entry<'_>) -> Self {
        self.entries += 1;
        let mut fields = vec![int(self.entries), int(i32::from(entry.data.is_some())), string("1259"), string("16384")];
        fields.extend([string(entry.name), string(entry.desc), int(2), string(""), int(-1)]);
        fields.extend([string(entry.copy), string(entry.schema), string("")]);
        if self.minor >= 14 {
            fields.push(string("heap"));
        }
        if self.minor >= 16 {
            fields.push(int('r' as i32));
        }
        fields.extend([string("someone"), string("false")]);
        fields.extend(entry.dependencies.iter().map(|id| string(&id.to_string())));
        fields.extend([int(-1), vec![1], vec![0; 8]]);
        self.contents.extend(fields.concat());
        if let Some(data) = entry.data {
            self.blocks.push(1);
            self.blocks.extend([int(self.entries), int(data.len() as i32)].concat());
            self.blocks.extend([data, &int(0)].concat());
        }
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let compression = if self.minor >= 15 { vec![self.compression as u8] } else { int(self.compression) };
        let time: Vec<u8> = [5, 4, 3, 2, 1, 126, 0].into_iter().flat_map(int).collect();
        let names = ["db", "10.1", "10.1"].map(string).concat();
        let start = [&b"PGDMP\x01"[..], &[self.minor, 0, 4, 8, 1], &compression, &time, &names].concat();
        [start, int(self.entries), self.contents.clone(), self.blocks.clone()].concat()
    }

    fn read(&self) -> DumpFingerprint {
        let mut reader = DumpReader::new(FingerprintLevel::Hash);
        reader.push(&self.bytes());
        reader.finish()
    }

    fn only_table(&self) -> Table {
        let found = self.read();
        assert_eq!(found.not_fingerprinted, None);
        let [table] = found.tables.try_into().unwrap();
        table
    }

    fn reason(&self) -> String {
        self.read().not_fingerprinted.unwrap()
    }
}

#[rstest]
fn versions_from_1_12_to_1_16_are_read(#[values(12, 13, 14, 15, 16)] minor: u8) {
    let archive = Archive::new(minor).with(&TABLE).with(&DATA);
    let table = archive.only_table();
    assert_eq!((table.schema.as_str(), table.name.as_str()), ("public", "t"));
    assert_eq!((table.rows, table.columns.as_deref(), table.not_comparable), (Some(2), Some("a"), None));
    let contents = archive.read().contents.unwrap();
    assert_eq!(contents.created.unwrap().to_string(), "2026-02-02T03:04:05");
    assert_eq!(contents.owners, ["someone"]);
}

#[rstest]
fn other_versions_are_not_guessed_at(#[values(0, 11, 17, 255)] minor: u8) {
    assert!(Archive::new(minor).with(&TABLE).with(&DATA).reason().contains("unknown"));
}

#[rstest]
fn an_archive_compressed_inside_is_not_fingerprinted(#[values(14, 16)] minor: u8) {
    let archive = Archive { compression: 1, ..Archive::new(minor).with(&TABLE).with(&DATA) };
    assert_eq!(archive.reason(), "the archive is compressed inside");
}

#[rstest]
#[case::inserts(Entry { copy: "", data: Some(b"INSERT INTO public.t VALUES (1);\n\n\n"), ..DATA }, "INSERT")]
#[case::of_an_extension(Entry { dependencies: &[77], ..DATA }, "extension")]
#[case::through_the_root(Entry { copy: "COPY public.root (a) FROM stdin;\n", ..DATA }, "through another table")]
#[case::with_oids(Entry { copy: "COPY public.t (a) WITH OIDS FROM stdin;\n", ..DATA }, "unknown form")]
fn what_a_restored_table_cannot_be_compared_with_is_marked(#[case] data: Entry<'_>, #[case] why: &str) {
    let table = Archive::new(16).with(&TABLE).with(&data).only_table();
    assert!(table.not_comparable.as_ref().unwrap().contains(why), "{table:?}");
    assert_eq!(table.rows.is_none(), why == "INSERT");
}

#[test]
fn a_foreign_tables_rows_are_marked() {
    let table = Archive::new(16).with(&Entry { desc: "FOREIGN TABLE", ..TABLE }).with(&DATA).only_table();
    assert!(table.not_comparable.unwrap().contains("another server"));
}

#[rstest]
#[case::no_end(b"1\n2\n")]
#[case::rows_after_the_end(b"1\n\\.\n2\n\n\n")]
#[case::cut_line(b"1\n\\.\n\n2")]
#[case::nothing(b"x")]
fn a_block_that_is_not_a_copy_is_not_fingerprinted(#[case] data: &'static [u8]) {
    let archive = Archive::new(16).with(&TABLE).with(&Entry { data: Some(data), ..DATA });
    assert!(archive.reason().contains("not the text of a COPY"));
}

#[test]
fn a_block_that_does_not_come_or_comes_twice_is_not_fingerprinted() {
    let whole = Archive::new(16).with(&TABLE).with(&DATA);
    let twice = Archive { blocks: whole.blocks.repeat(2), ..Archive::new(16).with(&TABLE).with(&DATA) };
    assert!(twice.reason().contains("unknown entry 2"));
    let never = Archive { blocks: Vec::new(), ..whole };
    assert!(never.reason().contains("ends before"));
}

#[test]
fn an_absurd_length_is_refused_before_it_is_waited_for() {
    let mut bytes = Archive::new(16).with(&TABLE).bytes();
    let name = bytes.windows(2).position(|pair| pair == b"db").unwrap();
    bytes.splice(name - 5..name, int(i32::MAX));
    let mut reader = DumpReader::new(FingerprintLevel::Hash);
    reader.push(&bytes);
    assert!(reader.finish().not_fingerprinted.unwrap().contains("a string of 2147483647 bytes"));
}
