//! What matches goes, everything else stays as it was.

use rstest::rstest;

use super::scene::{Kind, Scene, days_ago, notes, rule};

#[rstest]
fn what_is_old_and_meets_the_condition_goes_and_the_rest_stays(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(kind, &notes("note", 3000));
    scene.policy(&rule("note", "action = 'delete'\nwhere = \"who <> 'p3'\""));
    let rest = "SELECT * FROM note WHERE NOT (id % 3 = 0 AND who <> 'p3') ORDER BY id";
    let before = scene.sql(rest);
    let plan = scene.rule("old note");
    assert_eq!(plan["meaning"]["rows"], 900, "{plan}");
    assert_eq!(scene.count("note"), 3000, "planning changes nothing");
    scene.apply().succeeds().says("old note: 900 rows");
    assert_eq!(scene.sql("SELECT * FROM note ORDER BY id"), before);
    scene.apply().succeeds().says("old note: 0 rows");
}

#[rstest]
fn children_go_before_their_parents_whatever_the_order_of_the_rules(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
) {
    let scene = Scene::new(
        kind,
        &format!(
            "{} CREATE TABLE answer (id integer PRIMARY KEY, note_id integer REFERENCES note, made timestamptz);
         CREATE INDEX answer_note ON answer (note_id);
         INSERT INTO answer SELECT id, id, made FROM note;
         INSERT INTO answer VALUES (10000, 3, '{}');",
            notes("note", 300),
            days_ago(1)
        ),
    );
    scene.policy(&format!("{}{}", rule("note", "action = 'delete'"), rule("answer", "action = 'delete'")));
    let plan = scene.plan();
    let of = |at: usize| &plan["rules"][at];
    assert_eq!((of(0)["name"].as_str(), of(1)["name"].as_str()), (Some("old answer"), Some("old note")));
    // As if the answers were gone already; but note 3 has a young one.
    assert_eq!((&of(0)["meaning"]["rows"], &of(1)["meaning"]["rows"]), (&100.into(), &99.into()), "{plan}");
    assert_eq!(of(1)["meaning"]["kept_for_children"], 1);
    scene.apply().succeeds();
    assert_eq!((scene.count("answer"), scene.count("note")), (201, 201));
    assert_eq!(scene.count("note WHERE id = 3"), 1);
}

#[rstest]
fn a_child_nobody_speaks_of_keeps_its_parents_even_where_it_would_cascade(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[values("", "ON DELETE CASCADE", "ON DELETE SET NULL")] on_delete: &str,
) {
    let scene = Scene::new(
        kind,
        &format!(
            "{} CREATE TABLE picture (id integer PRIMARY KEY, note_id integer REFERENCES note {on_delete});
         INSERT INTO picture VALUES (1, 3), (2, 6);",
            notes("note", 30)
        ),
    );
    scene.policy(&rule("note", "action = 'delete'"));
    let plan = scene.rule("old note");
    assert_eq!((&plan["meaning"]["rows"], &plan["meaning"]["kept_for_children"]), (&8.into(), &2.into()));
    let warnings = plan["warnings"].to_string();
    assert!(warnings.contains("`picture` refers to `note`") && warnings.contains("has no index"), "{warnings}");
    scene.apply().succeeds();
    assert_eq!(scene.sql("SELECT id FROM note WHERE id % 3 = 0 ORDER BY id"), "3\n6");
    assert_eq!(scene.sql("SELECT id, note_id FROM picture ORDER BY id"), "1|3\n2|6");
}

#[rstest]
fn rows_whose_age_is_not_known_are_kept_and_counted(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(kind, &format!("{} UPDATE note SET made = NULL WHERE id <= 5;", notes("note", 30)));
    scene.policy(&rule("note", "action = 'delete'"));
    assert_eq!(scene.rule("old note")["meaning"]["without_age"], 5);
    scene.apply().succeeds();
    assert_eq!(scene.count("note WHERE made IS NULL"), 5);
    assert_eq!(scene.count("note"), 21);
}

#[test]
fn sqlite_instants_in_any_form_are_understood_and_what_is_none_is_kept() {
    let scene = Scene::new(
        Kind::Sqlite,
        &format!(
            "CREATE TABLE note (id INTEGER PRIMARY KEY, made);
             INSERT INTO note VALUES (1, '{}'), (2, unixepoch('now', '-100 days')), (3, julianday('now', '-100 days')),
                 (4, 1000 * unixepoch('now', '-100 days')), (5, date('now', '-100 days')), (6, 20200101), (7, 'long ago'),
                 (8, unixepoch('now', '-10 days')), (9, date('now')), (10, '');",
            days_ago(100)
        ),
    );
    scene.policy(&rule("note", "action = 'delete'"));
    assert_eq!(scene.rule("old note")["meaning"]["without_age"], 3);
    scene.apply().succeeds();
    assert_eq!(scene.sql("SELECT group_concat(id) FROM note"), "6,7,8,9,10");
}

#[test]
fn days_and_instants_without_a_zone_are_those_of_the_policys_zone() {
    // It is two in the morning in Kiritimati when it is noon of the day before in UTC.
    let scene = Scene::new(
        Kind::Postgres,
        "CREATE TABLE local (id int PRIMARY KEY, made timestamp);
         INSERT INTO local SELECT i, (now() AT TIME ZONE 'Pacific/Kiritimati') - interval '90 days' + make_interval(hours => i)
             FROM generate_series(-3, 3) i WHERE i <> 0;
         CREATE TABLE day (id int PRIMARY KEY, made date);
         INSERT INTO day SELECT i, (now() AT TIME ZONE 'Pacific/Kiritimati')::date - 90 + i FROM generate_series(-2, 2) i;",
    );
    let rules = format!("{}{}", rule("local", "action = 'delete'"), rule("day", "action = 'delete'"));
    scene.policy(&format!("timezone = 'Pacific/Kiritimati'\n{rules}"));
    scene.apply().succeeds();
    assert_eq!(scene.sql("SELECT string_agg(id::text, ',' ORDER BY id) FROM local"), "1,2,3");
    assert_eq!(scene.sql("SELECT string_agg(id::text, ',' ORDER BY id) FROM day"), "0,1,2");
}

#[rstest]
fn a_rule_that_cannot_be_applied_does_not_keep_the_others(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(kind, &notes("note", 30));
    scene.policy(&format!("{}{}", rule("nothing", "action = 'delete'"), rule("note", "action = 'delete'")));
    scene.privacy(&["plan"]).exits(1).says("there is no table `nothing`");
    scene.apply().exits(1).says("old note: 10 rows").complains("partial: old nothing: there is no table `nothing`");
    assert_eq!(scene.count("note"), 20);
    assert_eq!(scene.logged("refused")[0]["detail"]["rule"], "old nothing");
}

#[rstest]
fn more_than_a_cap_allows_is_refused_before_a_row_goes(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(kind, &notes("note", 3000));
    let rule = rule("note", "action = 'delete'");
    for (caps, why) in [
        ("max_rows = 999", "1000 rows are more than `max_rows` (999)"),
        ("max_fraction = 0.33", "33.3 % of `note` are more than `max_fraction` (33 %)"),
    ] {
        scene.policy(&format!("caps = {{ {caps} }}\n{rule}"));
        scene.privacy(&["plan"]).exits(3).says(why);
        scene.apply().exits(3).complains(why);
    }
    assert_eq!(scene.count("note"), 3000);
    assert_eq!(scene.logged("cap_reached").len(), 2);
    scene.policy(&format!("caps = {{ max_rows = 1000 }}\n{rule}")).apply().succeeds();
    assert_eq!(scene.count("note"), 2000);
}

#[rstest]
fn rows_go_only_while_a_young_enough_backup_exists(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(kind, &notes("note", 30));
    let rule = rule("note", "action = 'delete'");
    scene.policy(&format!("requires_backup_within = '24h'\n{rule}"));
    scene.apply().exits(3).complains("the database app has no good backup of the last 24h");
    assert_eq!(scene.count("note"), 30);
    scene.sandbox.caretaker(&["backup", "now", "app"]).succeeds();
    scene.apply().succeeds();
    assert_eq!(scene.count("note"), 20);
    scene.policy(&format!("requires_proof_within = '24h'\n{rule}"));
    scene.apply().exits(3).complains("no proven backup");
}
