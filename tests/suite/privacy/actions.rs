//! `set`: what columns become, and that doing it twice is doing it once.

use rstest::rstest;

use super::scene::{Kind, Scene, days_ago, notes, rule};

/// A table with a column for each kind of change, an old row and a young one.
fn people() -> String {
    let (old, new) = (days_ago(100), days_ago(1));
    format!(
        "CREATE TABLE person (id integer PRIMARY KEY, who text, nick text, mail text, phone text, age integer, note text,
             ip text, score integer, seen timestamptz, made timestamptz NOT NULL);
         INSERT INTO person VALUES
             (1, 'Ada Lovelace', 'ada', 'ada@example.org', '+49 30 123456', 36, 'likes tea', '10.1.2.3', 47, '{old}', '{old}'),
             (2, 'Alan Turing', 'al', 'alan@example.org', '+44 20 123456', 41, NULL, '10.1.2.4', 53, '{new}', '{new}'),
             (3, 'Ada Lovelace', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{old}');"
    )
}

const CHANGES: &str = "action = { set = { who = 'fake name', nick = 'hmac', mail = 'fake email', phone = 'mask last 2', \
    note = 'null', ip = 'gone', score = 'round 10', seen = 'truncate month', age = 0 } }";

#[rstest]
fn every_kind_of_change_does_what_it_says_once(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(kind, &people());
    scene.policy(&rule("person", CHANGES));
    let young = scene.sql("SELECT * FROM person WHERE id = 2");
    scene.apply().succeeds().says("old person: 2 rows");
    let all = scene.sql("SELECT * FROM person ORDER BY id");
    let old: Vec<&str> = all.lines().next().unwrap().split('|').collect();
    let [_, who, nick, mail, phone, age, note, ip, score, seen, _] = old[..] else { panic!("{all}") };
    assert!(who.contains(' ') && who != "Ada Lovelace", "{who}");
    assert!(nick.len() == 69 && nick.starts_with("hmac:"), "{nick}");
    assert!(mail.starts_with("user-") && mail.ends_with("@example.invalid"), "{mail}");
    assert_eq!((phone, age, note, ip, score), ("***********56", "0", "", "gone", "50"));
    assert!(seen.contains("-01 00:00:00"), "{seen}");
    assert_eq!(scene.sql("SELECT * FROM person WHERE id = 2"), young);
    // What was NULL stays NULL, but for constants.
    assert_eq!(scene.sql("SELECT nick, mail, phone, seen FROM person WHERE id = 3"), "|||");
    scene.apply().succeeds().says("old person: 0 rows");
    assert_eq!(scene.sql("SELECT * FROM person ORDER BY id"), all, "a second time changes nothing");
}

#[rstest]
fn the_same_value_has_the_same_pseudonym_and_another_key_gives_another(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
) {
    let scene = Scene::new(kind, &people());
    let rule = rule("person", "action = { set = { who = 'hmac' } }");
    let key = scene.sandbox.secret("key", "0123456789abcdef0123456789abcdef\n");
    scene.policy(&format!("hmac_key_file = '{}'\n{rule}", key.display())).apply().succeeds();
    // HMAC-SHA-256 as anybody computes it.
    let found = scene.sql("SELECT DISTINCT who FROM person WHERE id <> 2");
    let stock = crate::support::stock::shell(
        "printf 'Ada Lovelace' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef | sed 's/.*= //'",
        &[],
    );
    assert_eq!(found, format!("hmac:{}", stock.stdout.trim()));
}

#[rstest]
fn what_does_not_fit_a_column_is_said_before_anything_is_done(
    #[values(
        ("{ age = 'mask last 1' }", "`mask` does not fit `age`"),
        ("{ age = 'forty' }", "invalid input syntax for type integer"),
        ("{ made = 'null' }", "`made` is NOT NULL"),
        ("{ nothing = 'null' }", "`person` has no column `nothing`"),
        ("{ id = 7 }", "the index `person_pkey` lets only one have them")
    )]
    wrong: (&str, &str),
) {
    let (set, why) = wrong;
    let scene = Scene::new(Kind::Postgres, &people());
    let before = scene.sql("SELECT * FROM person ORDER BY id");
    scene.policy(&rule("person", &format!("action = {{ set = {set} }}")));
    scene.privacy(&["plan"]).exits(1).says(why);
    scene.apply().exits(1).complains(why);
    assert_eq!(scene.sql("SELECT * FROM person ORDER BY id"), before);
}

#[rstest]
fn what_does_not_fit_a_declared_type_of_sqlite_is_said_too(
    #[values(
        ("{ age = 'mask last 1' }", "`mask` does not fit `age`, of type INTEGER: it is for text"),
        ("{ seen = 'mask all' }", "`mask` does not fit `seen`"),
        ("{ who = 'round 10' }", "`round` does not fit `who`, of type TEXT: it is for numbers"),
        ("{ made = 'round 10' }", "`round` does not fit `made`")
    )]
    wrong: (&str, &str),
) {
    let (set, why) = wrong;
    let scene = Scene::new(Kind::Sqlite, &people());
    let before = scene.sql("SELECT * FROM person ORDER BY id");
    scene.policy(&rule("person", &format!("action = {{ set = {set} }}")));
    scene.privacy(&["plan"]).exits(1).says(why);
    scene.apply().exits(1).complains(why);
    assert_eq!(scene.sql("SELECT * FROM person ORDER BY id"), before);
}

#[test]
fn a_column_of_sqlite_without_a_declared_type_takes_what_its_values_take() {
    let scene = Scene::new(
        Kind::Sqlite,
        &format!(
            "CREATE TABLE person (id integer PRIMARY KEY, phone, score, code STRANGE, made timestamptz);
             INSERT INTO person VALUES (1, '+49 30 123456', 47, 'abc', '{}')",
            days_ago(100)
        ),
    );
    let set = "phone = 'mask last 2', score = 'round 10', code = 'mask first 1'";
    scene.policy(&rule("person", &format!("action = {{ set = {{ {set} }} }}")));
    scene.apply().succeeds();
    assert_eq!(scene.sql("SELECT phone, score, code FROM person"), "***********56|50|a**");
}

#[test]
fn a_tombstone_that_others_have_already_stops_the_rule_and_says_so() {
    let scene = Scene::new(
        Kind::Postgres,
        &format!(
            "{} CREATE UNIQUE INDEX one_note ON person (who, note); UPDATE person SET who = who || id, note = 'x', made = '{}';",
            people(),
            days_ago(100)
        ),
    );
    scene.policy(&rule("person", "action = { set = { who = 'nobody' } }"));
    let warnings = scene.rule("old person")["warnings"].to_string();
    assert!(warnings.contains("the index `one_note` is unique"), "{warnings}");
    scene.apply().exits(1).complains("duplicate key value violates unique constraint");
    assert_eq!(scene.count("person WHERE who = 'nobody'"), 0);
}

#[rstest]
fn a_tombstone_that_a_foreign_key_refers_to_must_have_a_row(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(
        kind,
        &format!(
            "CREATE TABLE owner (id integer PRIMARY KEY); INSERT INTO owner VALUES (1);
             CREATE TABLE note (id integer PRIMARY KEY, owner integer REFERENCES owner, made timestamptz);
             INSERT INTO note VALUES (1, 1, '{}');",
            days_ago(100)
        ),
    );
    scene.policy(&rule("note", "action = { set = { owner = 0 } }"));
    scene.apply().exits(1).complains("`owner` refers to `owner`, which has no row with the value");
    scene.sql("INSERT INTO owner VALUES (0)");
    scene.apply().succeeds();
    assert_eq!(scene.sql("SELECT owner FROM note"), "0");
}

#[rstest]
fn what_is_made_up_stays_though_the_person_does_not(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[values("'nobody'", "'random'")] tombstone: &str,
) {
    let scene = Scene::new(kind, &notes("note", 30));
    scene.sql("UPDATE note SET who = NULL WHERE id = 3; ALTER TABLE note ADD COLUMN title text; UPDATE note SET title = 'Ann Smith'");
    let rule = rule("note", "action = { set = { who = 'tombstone', title = 'fake name' } }");
    scene.policy(&format!("{rule}[privacy.school.subject]\ntable = 'note'\nkey = 'who'\ntombstone = {tombstone}\n"));
    scene.apply().succeeds();
    let first = scene.sql("SELECT id, title FROM note ORDER BY id");
    // Also where a row is about nobody.
    assert_eq!(scene.count("note WHERE id % 3 = 0 AND (title = 'Ann Smith' OR title IS NULL)"), 0);
    let again = scene.privacy(&["apply", "school", "--yes", "--format", "json"]).succeeds().json();
    assert_eq!(again["summary"]["rules"][0]["rows"], 0);
    assert_eq!(scene.sql("SELECT id, title FROM note ORDER BY id"), first);
}
