//! Coverage: what the policy says of each column is compared with the schema and with what the values look like.

use rstest::rstest;
use serde_json::Value;

use super::blocked::Other;
use super::scene::{Kind, Scene, notes, rule};

/// A shop: what is about people, and what only looks a little like it.
const SHOP: &str = "CREATE TABLE customer (id integer PRIMARY KEY, contact text, reached_at text, seen_from text,
        mail text, insured text, remark text, token text, made text, app_version text);
    INSERT INTO customer VALUES
      (1, 'Alice Smith', '+43 664 1234567', '203.0.113.7', 'alice@example.com', '219-09-9999', 'pays late',
       '6f9619ff-8b86-d011-b42d-00cf4fc964ff', '2026-01-31 10:00:00+00', '1.2.3.4'),
      (2, 'Robert Jones', '+49 30 1234567', '198.51.100.20', 'bob@example.org', '078-05-1120', 'or write to bob@example.org',
       '7d444840-9dc0-11d1-b245-5ffdce74fad2', '2026-02-28 11:30:00+00', '103.0.5060.134'),
      (3, 'Lena Gruber', '+1 555 234 5678', '2001:db8::7', 'lena@example.net', '123-45-6789', 'nice',
       'd41d8cd98f00b204e9800998ecf8427e', '2026-03-01 09:15:00+00', '2.0.0');
    CREATE TABLE product (id integer PRIMARY KEY, title text, price numeric(10, 2), sku text, ean text, added_at timestamp);
    INSERT INTO product VALUES (1, 'Blue Widget', 19.99, 'SKU-12345678', '4006381333931', '2026-01-01 00:00:00'),
      (2, 'Red Oak Table', 1299.00, 'AB-1234-56', '9783161484100', '2026-01-02 00:00:00'),
      (3, 'Amber Lamp', 5.50, '00012345', '7612345678900', '2026-01-03 00:00:00');";

fn looked(scene: &Scene, code: i32) -> Value {
    scene.privacy(&["coverage", "school", "--format", "json"]).exits(code).json()
}

/// `table.column` of each finding of a list, with what it looks like.
fn listed(coverage: &Value, list: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found = coverage[list].as_array().unwrap().iter().map(|finding| {
        let looks = finding["looks_like"].as_array().unwrap().iter();
        let looks: Vec<String> = looks.map(|one| text(&one["kind"])).collect();
        format!("{}.{} {}", text(&finding["table"]), text(&finding["column"]), looks.join("+"))
    });
    found.map(|line| line.trim().to_owned()).collect()
}

#[rstest]
fn each_column_without_a_class_is_reported_with_what_it_looks_like(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(kind, SHOP);
    scene.policy("[privacy.school.columns]\n'product.id' = 'public'\n");
    let coverage = looked(&scene, 5);
    assert_eq!(
        listed(&coverage, "unclassified"),
        [
            "customer.id",
            "customer.contact name",
            "customer.reached_at phone",
            "customer.seen_from ip",
            "customer.mail email",
            "customer.insured national_id",
            "customer.remark email",
            "customer.token",
            "customer.made",
            "customer.app_version",
            "product.title",
            "product.price",
            "product.sku",
            "product.ean",
            "product.added_at",
        ]
    );
    let told = scene.privacy(&["coverage", "school"]).exits(5).says("customer.mail").says("email (3 of 3)");
    let told =
        told.says("text with email (1 of 3)").says("US social security number").says("1 of 16 columns in 2 tables");
    for value in ["alice", "Alice", "664", "219-09", "203.0.113"] {
        assert!(!told.stdout.contains(value), "{value} is printed: {}", told.stdout);
        assert!(!coverage.to_string().contains(value), "{value} is printed: {coverage}");
    }
}

#[rstest]
fn a_class_that_the_values_contradict_is_named_and_one_that_fits_is_not(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
) {
    let scene = Scene::new(kind, SHOP);
    scene.policy(
        "[privacy.school.columns]\nproduct = { '*' = 'public' }\n\
         customer = { mail = 'public', remark = 'internal', contact = 'personal', insured = 'sensitive', '*' = 'internal' }\n\
         [privacy.school.subject]\ntable = 'customer'\nkey = 'id'\n",
    );
    // What everybody may know is somebody's address: that has to be put right.
    let coverage = looked(&scene, 5);
    assert_eq!(
        listed(&coverage, "contradicted"),
        ["customer.reached_at phone", "customer.seen_from ip", "customer.mail email", "customer.remark email"]
    );
    assert_eq!(listed(&coverage, "untouched"), [""; 0]);
    // What is internal may look like a person's all the same.
    scene.policy("[privacy.school.columns]\nproduct = { '*' = 'public' }\ncustomer = { '*' = 'internal' }\n");
    assert!(listed(&looked(&scene, 0), "contradicted").contains(&"customer.mail email".to_owned()));
}

#[rstest]
fn personal_columns_that_nothing_touches_are_listed(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(
        kind,
        &format!(
            "CREATE TABLE person (id text PRIMARY KEY, mail text); CREATE TABLE visit (who text, ip text, agent text);
             CREATE TABLE letter (who text, body text); {}",
            notes("note", 3)
        ),
    );
    scene.policy(&format!(
        "{}[privacy.school.subject]\ntable = 'person'\nkey = 'id'\nrow = {{ set = {{ mail = 'null' }} }}\n\
         [[privacy.school.subject.references]]\ntable = 'visit'\ncolumn = 'who'\nset = {{ who = 'tombstone', ip = 'null' }}\n\
         [privacy.school.columns]\nperson = {{ '*' = 'personal' }}\nvisit = {{ '*' = 'personal' }}\n\
         letter = {{ '*' = 'sensitive' }}\nnote = {{ '*' = 'personal' }}\n",
        rule("note", "action = 'delete'")
    ));
    assert_eq!(listed(&looked(&scene, 0), "untouched"), ["letter.who", "letter.body", "person.id", "visit.agent"]);
}

#[rstest]
fn what_only_the_configuration_knows_is_named(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(kind, "CREATE TABLE person (id text PRIMARY KEY, mail text)");
    scene.policy(
        "[privacy.school.columns]\n'persons.id' = 'personal'\n\
         person = { maill = 'personal', '*' = 'public' }\n",
    );
    // An entry that means nothing leaves a column without the class that somebody has written for it.
    let told = scene.privacy(&["coverage", "school"]).exits(5);
    told.says("`person` has no column `maill`; did you mean `mail`?").says("there is no table `persons`");
}

#[rstest]
fn a_few_rows_of_a_large_table_are_read_from_all_over_it(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(
        kind,
        "CREATE TABLE event (id integer PRIMARY KEY, body text);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
         INSERT INTO event SELECT i, CASE WHEN i > 30000 THEN 'mail to p' || i || '@example.com now' ELSE 'nothing ' || i END
             || '                                                                                            '
             || '                                                                                            '
             || '                                                                                            '
         FROM n;",
    );
    scene.policy("[privacy.school.columns]\nevent = { '*' = 'internal' }\n");
    let coverage = scene.privacy(&["coverage", "school", "--sample", "200", "--format", "json"]).succeeds().json();
    let look = &coverage["contradicted"][0]["looks_like"][0];
    assert_eq!(look["kind"], "email");
    assert!(look["values"].as_u64().unwrap() >= 10, "{look}");
    assert!((50..=210).contains(&look["of"].as_u64().unwrap()), "{look}");
}

#[test]
fn a_table_that_may_not_be_read_is_not_taken_for_a_good_one() {
    let scene = Scene::new(
        Kind::Postgres,
        "CREATE TABLE mine (id integer);
         CREATE TABLE part (id integer, body text) PARTITION BY RANGE (id);
         CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100); INSERT INTO part VALUES (1, 'x@example.com');",
    );
    scene.policy("[privacy.school.columns]\nmine = { '*' = 'public' }\npart = { '*' = 'internal' }\n");
    let coverage = looked(&scene, 0);
    // Partitions count as their table.
    assert_eq!(
        (coverage["tables"].as_u64(), listed(&coverage, "contradicted")),
        (Some(2), vec!["part.body email".into()])
    );
    // Nobody reads a table that is locked.
    let other = Other::doing(&scene, "BEGIN; LOCK TABLE mine IN ACCESS EXCLUSIVE MODE");
    let told = scene.privacy(&["coverage", "school"]).exits(6);
    told.says("not looked at: mine");
    drop(other);
}

#[test]
fn a_run_warns_of_a_column_that_came_after_the_classes() {
    let scene = Scene::new(Kind::Sqlite, &notes("note", 3));
    scene.policy(&format!("{}[privacy.school.columns]\nnote = {{ id = 'public', who = 'personal', body = 'personal', made = 'internal' }}\n", rule("note", "action = 'delete'")));
    let warnings = |scene: &Scene| {
        let run = scene.privacy(&["apply", "school", "--yes", "--format", "json"]).succeeds().json();
        run["summary"]["warnings"].to_string()
    };
    assert!(!warnings(&scene).contains("not classified"));
    scene.sql("ALTER TABLE note ADD COLUMN nickname text");
    assert!(warnings(&scene).contains("1 column is not classified: note.nickname"));
    scene.privacy(&["coverage", "school"]).exits(5).says("note.nickname");
}
