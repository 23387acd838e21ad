//! migrations: each tool's table, made as the tool makes it.

use std::fs;

use super::watch::{Says as _, Watch};
use crate::support::{Postgres, Sandbox, sqlite_url, stock};

/// With a folder of these files.
fn watch(url: &str, health: &str, files: &[(&str, &str)]) -> Watch {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("migrations")).unwrap();
    let watch = Watch::with(sandbox, "migrations", url, "critical = 2", health, "");
    files.iter().for_each(|(path, text)| add(&watch, path, text));
    watch
}

fn add(watch: &Watch, path: &str, text: &str) {
    let path = watch.sandbox.path("migrations").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const DIR: &str = "migrations = { dir = './migrations' }";

#[test]
fn sqlxs_table_is_compared_with_its_folder() {
    let database = Postgres::shared().database();
    let watch = watch(&database.url(), DIR, &[("1_note.sql", "CREATE TABLE note (id int)")]);
    watch.warns().says("no migration was ever applied");
    let hash = |path: &str| {
        stock::shell(r#"sha384sum <"$1""#, &[&watch.sandbox.path("migrations").join(path)]).succeeds().stdout
    };
    let apply = |version: u32, path: &str, success: bool| {
        let hash = hash(path);
        let hash = hash.split_whitespace().next().unwrap();
        database
            .sql(&format!("INSERT INTO _sqlx_migrations VALUES ({version}, 'x', now(), {success}, '\\x{hash}', 1)"));
    };
    database.sql(
        "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, installed_on timestamptz
         NOT NULL, success boolean NOT NULL, checksum bytea NOT NULL, execution_time bigint NOT NULL)",
    );
    apply(1, "1_note.sql", true);
    watch.ok().says("sqlx: 1 applied");
    add(&watch, "2_title.up.sql", "ALTER TABLE note ADD title text");
    add(&watch, "2_title.down.sql", "ALTER TABLE note DROP title");
    watch.warns().says("sqlx: not applied: 2_title.up.sql");
    add(&watch, "3_body.sql", "ALTER TABLE note ADD body text");
    watch.critical();
    apply(2, "2_title.up.sql", true);
    apply(3, "3_body.sql", true);
    watch.ok();
    add(&watch, "1_note.sql", "CREATE TABLE note (id bigint)");
    watch.warns().says("1_note.sql was changed after it was applied");
    add(&watch, "1_note.sql", "CREATE TABLE note (id int)");
    watch.ok();
    // One that failed is worse than any that is not there.
    add(&watch, "4_broken.sql", "ALTER TABLE");
    apply(4, "4_broken.sql", false);
    watch.critical().says("sqlx: failed: 4");
    database.sql("DELETE FROM _sqlx_migrations WHERE NOT success");
    fs::remove_file(watch.sandbox.path("migrations/4_broken.sql")).unwrap();
    watch.ok();
}

#[test]
fn a_table_with_nothing_to_compare_it_with_is_unknown_and_its_failures_are_not() {
    let database = Postgres::shared().database();
    let watch = Watch::new("migrations", &database.url(), "");
    watch.not_applicable();
    // In a schema of its own, with a name that wants quotes.
    database.sql(
        "CREATE SCHEMA \"My App\"; CREATE TABLE \"My App\".flyway_schema_history (installed_rank int PRIMARY KEY,
         version varchar(50), description varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT NULL,
         checksum int, installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(),
         execution_time int NOT NULL, success boolean NOT NULL);
         INSERT INTO \"My App\".flyway_schema_history VALUES (1, '1', 'a', 'SQL', 'V1__a.sql', 1, 'me', now(), 1, true)",
    );
    watch.unknown("migrations = { dir");
    database.sql(
        "INSERT INTO \"My App\".flyway_schema_history VALUES (2, '2', 'b', 'SQL', 'V2__b.sql', 1, 'me', now(), 1, false)",
    );
    watch.critical().says("flyway: failed: V2__b.sql");
}

#[test]
fn flyways_table_is_compared_with_its_folder() {
    let database = Postgres::shared().database();
    database.sql(
        "CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), type varchar(20) NOT
         NULL, script varchar(1000) NOT NULL, success boolean NOT NULL);
         INSERT INTO flyway_schema_history VALUES (1, '1', 'SQL', 'V1__a.sql', true)",
    );
    let watch = watch(&database.url(), DIR, &[("V1__a.sql", ""), ("sql/V1_1__b.sql", "")]);
    watch.warns().says("flyway: not applied: sql/V1_1__b.sql");
    add(&watch, "R__views.sql", "");
    watch.critical();
    database.sql(
        "INSERT INTO flyway_schema_history VALUES (2, '1.1', 'SQL', 'sql/V1_1__b.sql', true),
         (3, NULL, 'SQL', 'R__views.sql', true)",
    );
    watch.ok();
}

#[test]
fn alembics_heads_are_compared_with_its_folder_or_with_the_expected_one() {
    let database = Postgres::shared().database();
    database.sql(
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); INSERT INTO alembic_version VALUES ('a1')",
    );
    let by_folder = watch(
        &database.url(),
        DIR,
        &[
            ("versions/a1_note.py", "revision = 'a1'\ndown_revision = None\n"),
            ("versions/b2_title.py", "revision: str = 'b2'\ndown_revision: str = 'a1'\n"),
        ],
    );
    let by_name = watch(&database.url(), "migrations = { expected = 'b2' }", &[]);
    by_folder.warns().says("alembic: not applied: b2");
    by_name.warns().says("alembic: not applied: b2");
    database.sql("UPDATE alembic_version SET version_num = 'b2'");
    by_folder.ok();
    by_name.ok();
    database.sql("UPDATE alembic_version SET version_num = 'c3'");
    by_folder.critical().says("c3 is not in the folder");
}

#[test]
fn djangos_table_is_compared_with_the_apps_in_its_folder() {
    let database = Postgres::shared().database();
    database.sql(
        "CREATE TABLE django_migrations (id serial PRIMARY KEY, app varchar(255), name varchar(255), applied timestamptz);
         INSERT INTO django_migrations (app, name) VALUES ('auth', '0001_initial'), ('shop', '0001_initial')",
    );
    let watch =
        watch(&database.url(), DIR, &[("shop/migrations/0001_initial.py", ""), ("shop/migrations/__init__.py", "")]);
    watch.ok();
    add(&watch, "shop/migrations/0002_price.py", "");
    watch.warns().says("django: not applied: shop.0002_price");
    add(&watch, "shop/migrations/0003_stock.py", "");
    watch.critical();
    database.sql("INSERT INTO django_migrations (app, name) VALUES ('shop', '0002_price'), ('shop', '0003_stock')");
    watch.ok();
}

#[test]
fn each_tools_table_is_found_in_a_sqlite_file_too() {
    for (tool, table, files, first, second) in [
        (
            "sqlx",
            "_sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT, installed_on TIMESTAMP, success BOOLEAN,
             checksum BLOB, execution_time BIGINT)",
            ["1_note.sql", "2_title.sql"],
            "1, 'note', '2026-01-01', TRUE, x'{hash}', 1",
            "2, 'title', '2026-01-01', TRUE, x'{hash}', 1",
        ),
        ("alembic", "alembic_version (version_num VARCHAR(32) PRIMARY KEY)", ["a1.py", "b2.py"], "'a1'", "'b2'"),
        (
            "django",
            "django_migrations (id INTEGER PRIMARY KEY, app VARCHAR(255), name VARCHAR(255), applied DATETIME)",
            ["shop/migrations/0001_a.py", "shop/migrations/0002_b.py"],
            "1, 'shop', '0001_a', '2026-01-01'",
            "2, 'shop', '0002_b', '2026-01-01'",
        ),
        (
            "flyway",
            "flyway_schema_history (installed_rank INT PRIMARY KEY, version VARCHAR(50), type VARCHAR(20), script TEXT,
             success BOOLEAN)",
            ["V1__a.sql", "V2__b.sql"],
            "1, '1', 'SQL', 'V1__a.sql', 1",
            "2, '2', 'SQL', 'V2__b.sql', 1",
        ),
    ] {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("migrations")).unwrap();
        let path = sandbox.sqlite("notes.db", 1);
        let watch = Watch::with(sandbox, "migrations", &sqlite_url(&path), "", DIR, "");
        for (file, text) in
            files.iter().zip(["revision = 'a1'\ndown_revision = None\n", "revision = 'b2'\ndown_revision = 'a1'\n"])
        {
            add(&watch, file, text);
        }
        watch.warns().says("no migration was ever applied");
        let insert = |file: &str, values: &str| {
            let hash =
                stock::shell(r#"sha384sum <"$1""#, &[&watch.sandbox.path("migrations").join(file)]).succeeds().stdout;
            let values = values.replace("{hash}", hash.split_whitespace().next().unwrap());
            let table = table.split(' ').next().unwrap();
            stock::sqlite(&path, &format!("INSERT INTO {table} VALUES ({values})"));
        };
        stock::sqlite(&path, &format!("CREATE TABLE {table}"));
        insert(files[0], first);
        watch.warns().says(&format!("{tool}: 1 applied")).says(&format!("{tool}: not applied: "));
        insert(files[1], second);
        watch.ok();
    }
}

#[test]
fn a_migration_that_failed_in_a_sqlite_file_is_critical_without_a_folder_to_compare_with() {
    let sandbox = Sandbox::new();
    let path = sandbox.sqlite("notes.db", 1);
    let watch = Watch::with(sandbox, "migrations", &sqlite_url(&path), "", "", "");
    watch.not_applicable();
    stock::sqlite(
        &path,
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, success BOOLEAN, checksum BLOB);
         INSERT INTO _sqlx_migrations VALUES (1, TRUE, x'00')",
    );
    watch.unknown("migrations = { dir");
    stock::sqlite(&path, "INSERT INTO _sqlx_migrations VALUES (2, FALSE, x'00')");
    watch.critical().says("sqlx: failed: 2");
}
