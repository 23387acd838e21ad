//! pg_restore as our child, and the rows compared.

use std::io::Write;

use caretaker::database::postgres::{
    CopySession, DatabaseErrorKind, Identifier, NewDatabase, Postgres, ProcessErrorKind as Kind, Program, RestoreEnd,
    RestoreOptions, RestoreProcess, check_archive,
};

use super::dump::dump;
use super::support::{Server, psql, server, tool, unique};

const TABLES: &str = r#"
    CREATE TABLE "Odd ""name""" (id int PRIMARY KEY, "a, b" text, bytes bytea, f float8, at timestamptz, i interval,
        doubled int GENERATED ALWAYS AS (id * 2) STORED);
    INSERT INTO "Odd ""name""" (id, "a, b", bytes, f, at, i)
        SELECT n, E'tab\t newline\n back\\slash é ' || n, decode(md5(n::text), 'hex'), n / 3.0, '2026-01-01'::timestamptz
            + n * interval '1 hour', n * interval '1 minute' FROM generate_series(1, 20000) AS n;
    CREATE TABLE nothing ();
    INSERT INTO nothing DEFAULT VALUES;
    SELECT lo_from_bytea(4711, decode(repeat('ab', 1500000), 'hex'));"#;

async fn copied(session: &mut CopySession, table: &str, columns: Option<&str>) -> Vec<u8> {
    let mut stream = session.copy_out("public", table, columns).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

async fn load(server: &Server, postgres: &Postgres, archive: Vec<u8>) -> RestoreEnd {
    let mut reserved = postgres.reserve(2).await.unwrap();
    let connection = postgres.connect_with(reserved.take().unwrap(), "test").await.unwrap();
    let options = RestoreOptions::default();
    let tool = tool(Program::PgRestore).await;
    let permit = reserved.take().unwrap();
    let mut restore =
        RestoreProcess::start(&tool, postgres, connection.endpoint(), permit, &options, "run", server.tmp())
            .await
            .unwrap();
    let mut stdin = restore.take_stdin().unwrap();
    let writer = tokio::task::spawn_blocking(move || stdin.write_all(&archive));
    let end = restore.wait().await.unwrap();
    writer.await.unwrap().unwrap();
    end
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dumped_comes_back_alike_under_an_awkward_name() {
    let server = server();
    let owner = unique("gone");
    let source = server.database(&unique("source"), TABLES).await;
    psql(
        &source.target().dbname,
        &format!("CREATE ROLE {owner}; CREATE TABLE owned AS SELECT 1 AS x; ALTER TABLE owned OWNER TO {owner}"),
    );
    let archive = dump(&server, &source).await;
    psql(&source.target().dbname, &format!("ALTER TABLE owned OWNER TO postgres; DROP ROLE {owner}"));

    let mut name = format!("it's \"a=b\" \\ ü {}", unique(""));
    name.extend(std::iter::repeat_n('x', 63 - name.len()));
    let name = Identifier::new(&name).unwrap();
    let mut maintenance = server.handle().connect("test").await.unwrap();
    assert!(!maintenance.database_exists(&name).await.unwrap());
    let new = NewDatabase { encoding: Some("UTF8".to_owned()), ..NewDatabase::default() };
    maintenance.create_database(&name, &new).await.unwrap();
    assert!(maintenance.database_exists(&name).await.unwrap());

    let target = server.handle().with_database(name.as_str());
    let mut inside = target.connect("test").await.unwrap();
    assert_eq!(inside.contents().await.unwrap(), Vec::<String>::new());
    let end = load(&server, &target, archive).await;
    assert_eq!(end.errors, Vec::<String>::new());
    assert!(end.warnings.iter().any(|text| text.contains(&owner)), "{:?}", end.warnings);
    assert!(!inside.is_empty().await.unwrap());

    let settings = source.connect("test").await.unwrap().identify().await.unwrap().settings;
    let mut left = CopySession::open(&source, &settings).await.unwrap();
    let mut right = CopySession::open(&target, &settings).await.unwrap();
    let columns = Some(r#"id, "a, b", bytes, f, at, i"#);
    for (table, columns) in [("Odd \"name\"", columns), ("nothing", Some("")), ("owned", None)] {
        let bytes = copied(&mut left, table, columns).await;
        assert!(!bytes.is_empty() && bytes == copied(&mut right, table, columns).await, "{table}");
    }
    assert_eq!(inside.large_objects().await.unwrap(), [4711]);
    let mut bytes = Vec::new();
    inside.read_large_object(4711, |chunk| bytes.extend_from_slice(chunk)).await.unwrap();
    assert_eq!(bytes, vec![0xab; 1_500_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_gives_what_psql_gives_and_survives_a_failure() {
    let server = server();
    let source = server.database(&unique("copy"), TABLES).await;
    let settings = [("bytea_output".to_owned(), "escape".to_owned()), ("work_mem".to_owned(), "nonsense".to_owned())];
    let mut session = CopySession::open(&source, &settings.into()).await.unwrap();
    let error = session.copy_out("public", "missing", None).await.map(drop).unwrap_err();
    assert!(matches!(error.kind, DatabaseErrorKind::Query { ref code, .. } if code == "42P01"), "{error}");
    // Given up in the middle.
    session.copy_out("public", "Odd \"name\"", None).await.unwrap().next().await.unwrap();
    let bytes = copied(&mut session, "Odd \"name\"", None).await;
    let sql = r#"SET bytea_output = escape; SET extra_float_digits = 3; COPY "Odd ""name""" TO STDOUT"#;
    assert_eq!(String::from_utf8(bytes).unwrap(), psql(&source.target().dbname, sql));
    let injected = session.copy_out("public", "nothing", Some("a) TO PROGRAM 'id' --")).await.map(drop);
    assert!(injected.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_a_person_may_have_put_there_makes_a_database_not_empty() {
    let server = server();
    let cases = [
        "CREATE TABLE public.t ()",
        "CREATE SCHEMA s",
        "CREATE TYPE mood AS ENUM ('a')",
        "CREATE EXTENSION hstore",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT lo_create(0)",
        "CREATE SEQUENCE s",
    ];
    let name = unique("contents");
    let postgres = server.database(&name, "").await;
    let mut connection = postgres.connect("test").await.unwrap();
    for sql in cases {
        if sql.contains("EXTENSION")
            && psql(&name, "SELECT count(*) FROM pg_available_extensions WHERE name = 'hstore'") == "0\n"
        {
            continue;
        }
        assert!(connection.is_empty().await.unwrap());
        psql(&name, sql);
        assert!(!connection.is_empty().await.unwrap(), "{sql}");
        psql(&name, "DROP SCHEMA IF EXISTS s; DROP EXTENSION IF EXISTS hstore; DROP SCHEMA public CASCADE; CREATE SCHEMA public;
            SELECT lo_unlink(oid) FROM pg_largeobject_metadata");
    }
    psql(&name, "DROP SCHEMA public");
    assert!(connection.is_empty().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_readable_to_its_end_or_said_to_be_damaged() {
    let server = server();
    let source = server.database(&unique("archive"), TABLES).await;
    let archive = dump(&server, &source).await;
    let tool = tool(Program::PgRestore).await;
    let check = async |bytes: Vec<u8>| {
        let mut check = check_archive(&tool, "backup 1", server.tmp()).unwrap();
        let mut stdin = check.take_stdin().unwrap();
        let writer = tokio::task::spawn_blocking(move || drop(stdin.write_all(&bytes)));
        let end = check.wait().await;
        writer.await.unwrap();
        end
    };
    assert_eq!(check(archive.clone()).await.unwrap(), Vec::<String>::new());
    for cut in [archive.len() / 2, archive.len() - 100, 3, 0] {
        let error = check(archive[..cut].to_vec()).await.unwrap_err();
        assert!(matches!(error.kind, Kind::DamagedArchive(_)), "{cut}: {error:?}");
    }
}
