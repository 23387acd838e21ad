//! `where`: one expression of one row, and nothing else.

use rstest::rstest;

use super::scene::{Kind, Scene, notes, rule};

#[rstest]
fn what_is_more_than_an_expression_is_refused(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[values(
        "true) OR (true",
        "true); DELETE FROM note; --",
        "id > 3; DELETE FROM note",
        "id > 3 GROUP BY id",
        "id > 3 ORDER BY id",
        "count(*) > 3",
        "id, who",
        "nothing = 3",
        "\"nothing\" <> 'a'",
        "id >",
        "'",
        "/* open",
        "$$"
    )]
    condition: &str,
) {
    let scene = Scene::new(kind, &notes("note", 30));
    scene.policy(&rule("note", &format!("action = 'delete'\nwhere = \"\"\"{condition}\"\"\"")));
    let plan = scene.rule("old note");
    assert!(plan["meaning"].is_null(), "{condition}: {plan}");
    assert!(plan["problems"][0].as_str().unwrap().starts_with("`where`: "), "{plan}");
    scene.apply().exits(1);
    assert_eq!(scene.count("note"), 30);
}

#[rstest]
fn what_is_neither_true_nor_false_is_refused(
    #[values((Kind::Postgres, "id"), (Kind::Postgres, "'yes'"), (Kind::Postgres, "who"), (Kind::Sqlite, "id"), (Kind::Sqlite, "who"))]
    case: (Kind, &str),
) {
    let (kind, condition) = case;
    let scene = Scene::new(kind, &notes("note", 30));
    scene.policy(&rule("note", &format!("action = 'delete'\nwhere = \"{condition}\"")));
    scene.apply().exits(1).complains("true or false");
    assert_eq!(scene.count("note"), 30);
}

#[rstest]
fn expressions_of_every_kind_are_taken(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[values(
        "who = 'p3' OR who = 'p6'",
        "who IN ('p3', 'p6') -- only these",
        "who IN (SELECT 'p3' UNION SELECT 'p6')",
        "note.who IN ('p3', 'p6') AND body NOT LIKE '%); DELETE%'",
        "(who = 'p3') OR (who = 'p6')"
    )]
    condition: &str,
) {
    let scene = Scene::new(kind, &notes("note", 30));
    scene.policy(&rule("note", &format!("action = 'delete'\nwhere = \"{condition}\"")));
    scene.apply().succeeds().says("old note: 2 rows");
    assert_eq!(scene.sql("SELECT id FROM note WHERE id IN (3, 6) ORDER BY id"), "");
    assert_eq!(scene.count("note"), 28);
}
