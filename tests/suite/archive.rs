//! What a backup is made of: dumps fingerprinted on their way through, and stored bytes that stock tools read.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use caretaker::archive::codec::{Decoder, EncodeSpec, Encoded, Encoder, Identities, ObjectName, object_name};
use caretaker::archive::fingerprint::{DumpFingerprint, DumpReader, TableHasher};
use caretaker::archive::manifest::Table;
use caretaker::config::{Compression, FingerprintLevel};
use rstest::rstest;

fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run through `make test`"))
}

/// A database of its own on the test server, dropped at the end.
struct Database(String);

impl Database {
    fn new(purpose: &str) -> Self {
        let name = format!("archive_{purpose}_{}", std::process::id());
        sql("postgres", &format!("CREATE DATABASE {name}"));
        Self(name)
    }

    fn dump(&self, level: FingerprintLevel, options: &[&str]) -> (DumpFingerprint, Vec<u8>) {
        let mut child = tool("pg_dump")
            .args(["--format=custom", "--compress=0", "--dbname", &self.0])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reader = DumpReader::new(level);
        let mut archive = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        let mut output = child.stdout.take().unwrap();
        loop {
            let length = output.read(&mut buffer).unwrap();
            if length == 0 {
                break;
            }
            reader.push(&buffer[..length]);
            archive.extend_from_slice(&buffer[..length]);
        }
        assert!(child.wait().unwrap().success());
        (reader.finish(), archive)
    }

    /// The fingerprint of a table as it is in the database, by the COPY that pg_dump uses.
    fn copied(&self, table: &Table) -> (Option<u64>, Option<String>) {
        let columns = table.columns.as_deref().unwrap();
        let columns = if columns.is_empty() { String::new() } else { format!("({columns})") };
        let copy = format!("COPY {}.{} {columns} TO STDOUT", quoted(&table.schema), quoted(&table.name));
        let output = sql(
            &self.0,
            &format!(
                "SET datestyle = ISO; SET intervalstyle = postgres; SET extra_float_digits = 3; \
                 SELECT pg_catalog.set_config('search_path', '', false) \\g /dev/null\n{copy};"
            ),
        );
        let mut hasher = TableHasher::new(FingerprintLevel::Hash);
        output.stdout.chunks(7777).for_each(|chunk| hasher.push(chunk));
        let (rows, hash) = hasher.finish();
        (Some(rows), hash)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0);
        let _ = tool("psql").args(["-qX", "-d", "postgres", "-c", &drop]).output();
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn tool(program: &str) -> Command {
    let mut command = Command::new(Path::new(&server("CARETAKER_TEST_PG_BIN")).join(program));
    command
        .env("PGHOST", server("CARETAKER_TEST_PG_SOCKET"))
        .env("PGPORT", server("CARETAKER_TEST_PG_PORT"))
        .env("PGUSER", "postgres")
        .env("PGTZ", "UTC")
        .env("PGOPTIONS", "-c client_min_messages=warning")
        .stdin(Stdio::null());
    command
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn sql(database: &str, text: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("commands.sql");
    fs::write(&file, text).unwrap();
    done(tool("psql").args(["-qXAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-f"]).arg(file))
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Every table of the awkward database, and one of many rows with every kind of escape.
fn awkward(purpose: &str) -> Database {
    let database = Database::new(purpose);
    sql(&database.0, &fs::read_to_string(fixture("awkward.sql")).unwrap());
    sql(
        &database.0,
        r"CREATE TABLE many AS SELECT i, md5(i::text) || chr(9 + i % 5) || '\' || repeat('ä', i % 50) AS t,
              jsonb_build_object('i', i, 's', E'\n') AS j, now() + i * interval '1 s' AS at, i / 7.0::float8 AS f,
              decode(md5(i::text), 'hex') AS b
          FROM generate_series(1, 100000) i;
          CREATE TABLE wide AS SELECT i, repeat(md5(i::text), 100000) AS t FROM generate_series(1, 3) i;",
    );
    database
}

#[test]
fn a_dump_has_the_rows_and_hashes_of_a_copy_of_every_table() {
    let database = awkward("copy");
    let (found, _) = database.dump(FingerprintLevel::Hash, &[]);
    assert_eq!(found.not_fingerprinted, None);
    assert!(found.tables.len() >= 17);
    for table in &found.tables {
        assert_eq!((table.rows, table.hash.clone()), database.copied(table), "{}", table.name);
        assert_eq!(table.not_comparable, None, "{}", table.name);
    }
    let many = found.tables.iter().find(|table| table.name == "many").unwrap();
    assert_eq!(many.rows, Some(100_000));
    let (counted, _) = database.dump(FingerprintLevel::Counts, &[]);
    let rows = |found: &DumpFingerprint| found.tables.iter().map(|table| table.rows).collect::<Vec<_>>();
    assert_eq!(rows(&counted), rows(&found));
}

#[test]
fn a_restored_database_has_the_same_rows_and_hashes_and_a_changed_one_has_not() {
    let (found, archive) = awkward("source").dump(FingerprintLevel::Hash, &[]);
    let restored = Database::new("target");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.dump");
    fs::write(&file, archive).unwrap();
    done(tool("pg_restore").args(["--exit-on-error", "--dbname", &restored.0]).arg(&file));
    for table in &found.tables {
        assert_eq!((table.rows, table.hash.clone()), restored.copied(table), "{}", table.name);
    }
    let (again, _) = restored.dump(FingerprintLevel::Hash, &[]);
    assert_eq!((&again.tables, &again.large_objects), (&found.tables, &found.large_objects));
    assert_eq!(again.large_objects.len(), 3);

    sql(&restored.0, "UPDATE many SET f = f + 1e-9 WHERE i = 77777");
    let many = found.tables.iter().find(|table| table.name == "many").unwrap();
    let (rows, hash) = restored.copied(many);
    assert_eq!(rows, many.rows);
    assert_ne!(hash, many.hash);
}

#[test]
fn the_rows_of_an_extensions_table_are_marked_as_not_comparable() {
    let database = Database::new("extension");
    sql(
        &database.0,
        "CREATE TABLE settings (id int); INSERT INTO settings VALUES (1), (2), (3);
         ALTER EXTENSION plpgsql ADD TABLE settings;
         UPDATE pg_extension SET extconfig = ARRAY['settings'::regclass::oid], extcondition = '{WHERE id > 1}'
             WHERE extname = 'plpgsql';",
    );
    let (found, _) = database.dump(FingerprintLevel::Hash, &["--extension=plpgsql", "--extension=*"]);
    let [settings] = &found.tables[..] else { panic!("{found:?}") };
    assert_eq!(settings.rows, Some(2));
    assert!(settings.not_comparable.as_ref().unwrap().contains("extension"));
}

#[test]
fn rows_dumped_as_inserts_are_not_counted() {
    let database = Database::new("inserts");
    sql(&database.0, "CREATE TABLE t AS SELECT generate_series(1, 10) AS a");
    let (found, _) = database.dump(FingerprintLevel::Hash, &["--inserts"]);
    assert_eq!((found.tables[0].rows, found.not_fingerprinted), (None, None));
    assert!(found.tables[0].not_comparable.as_ref().unwrap().contains("INSERT"));
}

#[test]
fn an_empty_database_is_fingerprinted_as_one_without_tables() {
    let (found, _) = Database::new("empty").dump(FingerprintLevel::Hash, &[]);
    assert_eq!((found.tables.len(), found.not_fingerprinted), (0, None));
}

/// Some megabytes of text and noise.
fn plain() -> Vec<u8> {
    let noise = |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 29) as u8;
    (0..60_000u64)
        .flat_map(|i| format!("{i}\tuser{}@example.org\t", i * 7919 % 1009).into_bytes())
        .chain((0..3_000_000).map(noise))
        .collect()
}

fn encode(compression: Compression, recipients: &Identities, plain: &[u8], file: &Path) -> Encoded {
    let mut stored = Vec::new();
    let spec = EncodeSpec { compression, recipients: recipients.recipients(), threads: EncodeSpec::default_threads() };
    let mut encoder = Encoder::new(&spec, |chunk: bytes::Bytes| {
        stored.extend_from_slice(&chunk);
        Ok(())
    })
    .unwrap();
    plain.chunks(100_000).for_each(|part| encoder.write(part).unwrap());
    let encoded = encoder.finish().unwrap();
    fs::write(file, stored).unwrap();
    encoded
}

fn sha256sum(file: &Path) -> String {
    String::from_utf8(done(Command::new("sha256sum").arg(file)).stdout).unwrap()[..64].to_owned()
}

#[rstest]
#[case::zstd(Compression::Zstd(3), &["zstd", "-dc"])]
#[case::zstd_19(Compression::Zstd(19), &["zstd", "-dc"])]
#[case::gzip(Compression::Gzip(6), &["gunzip", "-c"])]
#[case::gzip_1(Compression::Gzip(1), &["gunzip", "-c"])]
#[case::none(Compression::None, &["cat"])]
fn stock_tools_read_what_is_stored(#[case] compression: Compression, #[case] tool: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(object_name("data.dump", compression, false));
    for plain in [plain(), Vec::new(), b"x".to_vec()] {
        let encoded = encode(compression, &Identities::none(), &plain, &file);
        let read = done(Command::new(tool[0]).args(&tool[1..]).arg(&file)).stdout;
        assert!(read == plain);
        assert_eq!(sha256sum(&file), encoded.stored_sha256);
        fs::write(folder.path().join("plain"), plain).unwrap();
        assert_eq!(sha256sum(&folder.path().join("plain")), encoded.plain_sha256);
    }
}

#[test]
fn age_opens_what_is_encrypted_with_either_of_two_keys() {
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let file = folder.path().join(name);
        done(Command::new("age-keygen").arg("-o").arg(&file));
        file
    };
    let files = [key("one"), key("two")];
    let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let identities = Identities::parse(&text.into()).unwrap();
    let file = folder.path().join(object_name("data.dump", Compression::Zstd(3), true));
    let plain = plain();
    let encoded = encode(Compression::Zstd(3), &identities, &plain, &file);
    assert_eq!(sha256sum(&file), encoded.stored_sha256);
    for key in &files {
        let zst = folder.path().join("data.dump.zst");
        done(Command::new("age").arg("-d").arg("-i").arg(key).arg("-o").arg(&zst).arg(&file));
        assert!(done(Command::new("zstd").arg("-dc").arg(&zst)).stdout == plain);
    }
}

#[rstest]
#[case::zstd("data.db.zst", &["zstd", "-qc"])]
#[case::zstd_of_several_threads("data.db.zst", &["zstd", "-qc", "-T0"])]
#[case::gzip("data.db.gz", &["gzip", "-c"])]
fn what_stock_tools_compressed_is_decoded(#[case] name: &str, #[case] tool: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (source, file) = (folder.path().join("source"), folder.path().join(name));
    fs::write(&source, plain()).unwrap();
    fs::write(&file, done(Command::new(tool[0]).args(&tool[1..]).arg(&source)).stdout).unwrap();
    let mut decoder =
        Decoder::new(ObjectName::parse(name), &Identities::none(), fs::File::open(&file).unwrap()).unwrap();
    let mut read = Vec::new();
    decoder.read_to_end(&mut read).unwrap();
    assert!(read == plain());
    assert_eq!(decoder.finish().unwrap().stored_sha256, sha256sum(&file));
}
