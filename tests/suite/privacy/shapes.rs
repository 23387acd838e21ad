//! Tables of all shapes: keys of every kind and none, partitions, references to themselves.

use rstest::rstest;

use super::scene::{Kind, Scene, days_ago, rule};

/// A table whose columns begin so, with 3,000 rows; every third is old.
fn table(columns: &str, values: &str) -> String {
    let (old, new) = (days_ago(100), days_ago(10));
    format!(
        "CREATE TABLE note ({columns}, made timestamptz);
         INSERT INTO note SELECT {values}, CASE WHEN i % 3 = 0 THEN '{old}' ELSE '{new}' END::timestamptz
             FROM generate_series(1, 3000) i;"
    )
}

#[rstest]
#[case::bigint("id bigint PRIMARY KEY", "i * 1000000000000", "key (id)")]
#[case::negative("id int PRIMARY KEY", "i - 1500", "key (id)")]
#[case::uuid("id uuid PRIMARY KEY DEFAULT gen_random_uuid()", "gen_random_uuid()", "key (id)")]
#[case::text("id text PRIMARY KEY", "'it''s \"' || i", "key (id)")]
#[case::composite("a int, b text, PRIMARY KEY (a, b)", "i % 7, 'b' || i", "key (a, b)")]
#[case::only_unique("id int NOT NULL UNIQUE", "i", "key (id)")]
#[case::quoted("\"odd \"\"name\" int PRIMARY KEY", "i", "key (odd \"name)")]
#[case::numeric("id numeric PRIMARY KEY", "i + 0.5", "key (id)")]
#[case::moments("id timestamptz PRIMARY KEY", "now() + make_interval(secs => i / 1000.0)", "key (id)")]
#[case::none("id int", "i", "pages of the table")]
#[case::nullable("id int UNIQUE", "nullif(i, 5)", "pages of the table")]
fn a_table_with_any_key_or_none_is_walked_through(#[case] columns: &str, #[case] values: &str, #[case] walk: &str) {
    let scene = Scene::new(Kind::Postgres, &table(columns, values));
    scene.policy(&rule("note", "action = 'delete'"));
    let plan = scene.rule("old note");
    assert!(plan["meaning"]["walk"].as_str().unwrap().starts_with(walk), "{plan}");
    scene.apply().succeeds().says("old note: 1000 rows");
    assert_eq!((scene.count("note"), scene.count("note WHERE made < now() - interval '90 days'")), (2000, 0));
}

#[rstest]
#[case::rowid("id TEXT PRIMARY KEY", "'k' || i")]
#[case::none("id INTEGER", "i")]
#[case::a_column_called_rowid("rowid TEXT, id INTEGER", "'x', i")]
#[case::all_three_names_taken("rowid TEXT, oid TEXT, _rowid_ TEXT, id INTEGER PRIMARY KEY", "'x', 'y', 'z', i")]
#[case::composite("a INTEGER, b TEXT, PRIMARY KEY (a, b)", "i % 7, 'b' || i")]
fn a_sqlite_table_with_any_key_or_none_is_walked_through(
    #[values("", " WITHOUT ROWID")] without: &str,
    #[case] columns: &str,
    #[case] values: &str,
) {
    if !without.is_empty() && !columns.contains("PRIMARY KEY") {
        return;
    }
    let (old, new) = (days_ago(100), days_ago(10));
    let (head, tail) = match columns.split_once(", PRIMARY KEY (") {
        Some((head, tail)) => (head.to_owned(), format!(", PRIMARY KEY ({tail}")),
        None => (columns.to_owned(), String::new()),
    };
    let scene = Scene::new(
        Kind::Sqlite,
        &format!(
            "CREATE TABLE note ({head}, made TEXT{tail}){without};
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
             INSERT INTO note SELECT {values}, CASE WHEN i % 3 = 0 THEN '{old}' ELSE '{new}' END FROM n;"
        ),
    );
    scene.policy(&rule("note", "action = 'delete'"));
    scene.apply().succeeds().says("old note: 1000 rows");
    assert_eq!(scene.count("note"), 2000);
}

#[test]
fn few_old_rows_are_found_by_the_index_on_the_age() {
    let scene = Scene::new(Kind::Postgres, &table("id int PRIMARY KEY", "i"));
    // The old ones have two ages; more of each than a first window would take.
    scene.sql("CREATE INDEX by_age ON note (made); UPDATE note SET made = now() WHERE id % 3 <> 0 OR id < 1800");
    scene.sql("UPDATE note SET made = made - interval '1 day' WHERE id % 2 = 0 AND id % 3 = 0 AND id >= 1800");
    scene.policy(&rule("note", "action = 'delete'"));
    let plan = scene.rule("old note");
    assert_eq!((&plan["meaning"]["walk"], &plan["meaning"]["index"]), (&"index on made".into(), &"by_age".into()));
    scene.apply().succeeds().says("old note: 401 rows");
    assert_eq!(scene.count("note"), 2599);
    assert!(!plan["warnings"].to_string().contains("no index"), "{plan}");
}

#[test]
fn many_rows_of_one_age_are_walked_through_by_their_key() {
    let scene = Scene::new(
        Kind::Postgres,
        &format!(
            "CREATE TABLE note (id int PRIMARY KEY, made date);
             INSERT INTO note SELECT i, CASE WHEN i <= 5000 THEN '{}' ELSE current_date END::date
                 FROM generate_series(1, 30000) i; CREATE INDEX by_age ON note (made); ANALYZE note",
            days_ago(100)
        ),
    );
    scene.policy(&rule("note", "action = 'delete'"));
    let plan = scene.rule("old note");
    assert_eq!((&plan["meaning"]["walk"], &plan["meaning"]["index"]), (&"key (id)".into(), &"by_age".into()));
    scene.apply().succeeds().says("old note: 5000 rows");
    assert_eq!(scene.count("note"), 25000);
}

#[test]
fn partitions_are_gone_through_as_one_table() {
    let scene = Scene::new(
        Kind::Postgres,
        &format!(
            "CREATE TABLE note (id int, made timestamptz, PRIMARY KEY (id, made)) PARTITION BY RANGE (made);
             CREATE TABLE note_old PARTITION OF note FOR VALUES FROM (MINVALUE) TO ('{}');
             CREATE TABLE note_new PARTITION OF note DEFAULT;
             INSERT INTO note SELECT i, now() - make_interval(days => i % 200) FROM generate_series(1, 2000) i;",
            days_ago(50)
        ),
    );
    scene.policy(&format!("caps = {{ max_fraction = 1.0 }}\n{}", rule("note", "action = 'delete'")));
    let old = scene.count("note WHERE made < now() - interval '90 days'");
    scene.apply().succeeds().says(&format!("old note: {old} rows"));
    assert_eq!(scene.count("note"), 2000 - old);
}

#[rstest]
fn a_tree_in_one_table_goes_from_its_leaves(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let (old, new) = (days_ago(100), days_ago(10));
    // Chains of ten; in the last one the leaf is young and keeps all above it; two rows keep each other.
    let scene = Scene::new(
        kind,
        &format!(
            "CREATE TABLE note (id integer PRIMARY KEY, parent integer REFERENCES note, made timestamptz);
             CREATE INDEX note_parent ON note (parent);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
             INSERT INTO note (id, parent) SELECT i, CASE WHEN i % 10 = 1 THEN NULL ELSE i - 1 END FROM n;
             UPDATE note SET made = '{old}'; UPDATE note SET made = '{new}' WHERE id = 50;
             INSERT INTO note VALUES (101, NULL, '{old}'), (102, 101, '{old}');
             UPDATE note SET parent = 102 WHERE id = 101;
             INSERT INTO note VALUES (103, 103, '{old}');"
        ),
    );
    scene.policy(&rule("note", "action = 'delete'"));
    scene.apply().succeeds().says("old note: 41 rows");
    assert_eq!(scene.count("note WHERE id BETWEEN 41 AND 50"), 10);
    assert_eq!(scene.count("note"), 12, "the two that keep each other stay");
}

#[test]
fn deferred_constraints_have_their_say_within_each_transaction() {
    let scene = Scene::new(
        Kind::Postgres,
        &format!(
            "{} CREATE TABLE answer (id int PRIMARY KEY, note_id int REFERENCES note DEFERRABLE INITIALLY DEFERRED,
                 made timestamptz);
             INSERT INTO answer SELECT id, id, made FROM note;",
            table("id int PRIMARY KEY", "i")
        ),
    );
    scene.policy(&format!("{}{}", rule("note", "action = 'delete'"), rule("answer", "action = 'delete'")));
    scene.apply().succeeds();
    assert_eq!((scene.count("note"), scene.count("answer")), (2000, 2000));
}

#[rstest]
fn what_comes_to_match_while_it_works_is_capped_too(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[values(("max_rows = 120", 120, "max_rows"), ("max_fraction = 0.1", 110, "max_fraction"))] case: (&str, u64, &str),
) {
    let (cap, most, named) = case;
    // A hundred chains of ten rows each and a hundred young rows: only the last of a chain is nobody's parent.
    let old = days_ago(100);
    let scene = Scene::new(
        kind,
        &format!(
            "CREATE TABLE note (id integer PRIMARY KEY, parent integer REFERENCES note, made timestamptz);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
             INSERT INTO note SELECT i, CASE WHEN i > 100 THEN i - 100 END, '{old}' FROM n;
             WITH RECURSIVE n (i) AS (SELECT 1001 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)
             INSERT INTO note SELECT i, NULL, '{}' FROM n;",
            days_ago(1)
        ),
    );
    scene.policy(&format!("caps = {{ {cap} }}\n{}", rule("note", "action = 'delete'")));
    assert_eq!(scene.rule("old note")["meaning"]["rows"], 100);
    scene.apply().exits(3).complains(named);
    assert!(scene.count("note") >= 1100 - most, "{} are left", scene.count("note"));
    assert_eq!(scene.logged("cap_reached").len(), 1);
}
