//! Checks of what the schema promises.

use caretaker::state::Status;

use super::looks::Looks;
use crate::support::Postgres;

/// Drives a check that counts objects: none, one, two, one of them left out, none.
#[track_caller]
fn counts(check: &'static str, sound: &str, [one, two]: [&str; 2], exclude: &str, repair: &str) {
    let database = Postgres::shared().database();
    database.sql(sound);
    let mut looks = Looks::new(check, &database.url(), "warning = 1\ncritical = 2");
    looks.finds(Status::Ok);
    database.sql(one);
    let seen = looks.finds(Status::Warning);
    assert!(seen.advice.is_some() && seen.evidence.len() == 1, "{seen:#?}");
    database.sql(two);
    let seen = looks.finds(Status::Critical);
    assert_eq!((seen.number, seen.evidence.len()), (Some(2.0), 2), "{seen:#?}");
    looks.with(&format!("warning = 1\ncritical = 2\nexclude = ['{exclude}']"));
    let seen = looks.finds(Status::Warning);
    assert!(seen.evidence.iter().any(|line| line == "1 left out by `exclude`"), "{seen:#?}");
    looks.with("warning = 1\ncritical = 2");
    database.sql(repair);
    looks.finds(Status::Ok);
}

#[test]
fn a_constraint_that_was_never_validated_is_found_until_it_is() {
    counts(
        "unvalidated_constraints",
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int, CHECK (id > 0))",
        [
            "ALTER TABLE c ADD CONSTRAINT positive CHECK (p > 0) NOT VALID",
            "ALTER TABLE c ADD CONSTRAINT parent FOREIGN KEY (p) REFERENCES p NOT VALID",
        ],
        "public.c.positive",
        "ALTER TABLE c VALIDATE CONSTRAINT positive; ALTER TABLE c VALIDATE CONSTRAINT parent",
    );
}

#[test]
fn a_table_without_a_primary_key_is_found_and_a_partition_is_its_parents_affair() {
    counts(
        "missing_primary_keys",
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE EXTENSION pg_stat_statements; \
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); CREATE TEMP TABLE passing (id int)",
        ["CREATE TABLE log_entry (id int UNIQUE)", "CREATE SCHEMA audit; CREATE TABLE audit.entry (id int)"],
        "audit.*",
        "ALTER TABLE log_entry ADD PRIMARY KEY (id); ALTER TABLE audit.entry ADD PRIMARY KEY (id)",
    );
}

#[test]
fn a_foreign_key_without_an_index_is_found_if_its_table_is_not_small() {
    let fill = "INSERT INTO a SELECT i, 1, 1 FROM generate_series(1, 40000) i; \
                INSERT INTO b SELECT i, 1 FROM generate_series(1, 40000) i";
    counts(
        "unindexed_foreign_keys",
        &format!(
            "CREATE TABLE p (id int, sub int, PRIMARY KEY (id, sub)); CREATE TABLE q (id int PRIMARY KEY); \
             INSERT INTO p VALUES (1, 1); INSERT INTO q VALUES (1); \
             CREATE TABLE small (q int REFERENCES q); \
             CREATE TABLE a (id int, p int, sub int); CREATE TABLE b (id int, q int); {fill}; \
             CREATE TABLE c (id int, q int REFERENCES q); INSERT INTO c SELECT i, 1 FROM generate_series(1, 40000) i; \
             CREATE INDEX ON c (q) WHERE q IS NOT NULL; \
             CREATE INDEX reversed ON a (sub, p, id); ALTER TABLE a ADD CONSTRAINT a_p FOREIGN KEY (p, sub) REFERENCES p"
        ),
        [
            "DROP INDEX reversed; CREATE INDEX too_late ON a (id, p, sub)",
            "ALTER TABLE b ADD FOREIGN KEY (q) REFERENCES q",
        ],
        "public.b",
        "CREATE INDEX ON a (p, sub); CREATE INDEX ON b (q)",
    );
}

#[test]
fn a_trigger_that_is_switched_off_is_found_even_behind_a_foreign_key() {
    counts(
        "disabled_triggers",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int, p int CONSTRAINT parent REFERENCES p); \
         CREATE TRIGGER guard BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION f()",
        ["ALTER TABLE p DISABLE TRIGGER guard", "ALTER TABLE c DISABLE TRIGGER ALL"],
        "public.p.guard",
        "ALTER TABLE p ENABLE TRIGGER guard; ALTER TABLE c ENABLE TRIGGER ALL",
    );
}

#[test]
fn a_unique_index_that_cannot_become_the_primary_key_is_not_recommended() {
    let database = Postgres::shared().database();
    database.sql(
        "CREATE TABLE part (id int, gone bool); CREATE UNIQUE INDEX ON part (id) WHERE NOT gone;
         CREATE TABLE lower_case (name text); CREATE UNIQUE INDEX ON lower_case (lower(name));
         CREATE TABLE whole (id int); CREATE UNIQUE INDEX ON whole (id)",
    );
    let seen = Looks::new("missing_primary_keys", &database.url(), "").finds(Status::Warning);
    assert_eq!(seen.evidence, ["public.lower_case", "public.part", "public.whole, has a unique index"]);
}

#[test]
fn a_name_with_a_line_break_and_an_escape_sequence_stays_one_line() {
    let database = Postgres::shared().database();
    database.sql("CREATE TABLE \"a\nforged: \u{1b}[31m%\" (id int)");
    let seen = Looks::new("missing_primary_keys", &database.url(), "").finds(Status::Warning);
    assert_eq!(seen.evidence, ["public.a\\nforged: \\u{1b}[31m%"]);
}
