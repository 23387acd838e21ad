//! What cannot come to its end is refused before anything is done.

use rstest::rstest;

use super::people::{Key, erase, policy, school};
use super::scene::{Kind, Scene};

/// Asserts that nothing was done, and that the refusal stands in the log.
#[track_caller]
fn is_refused(scene: &Scene, id: &str, why: &str) {
    let (before, requested) = (scene.count("users"), scene.logged("erasure_requested").len());
    erase(scene, id).exits(3).complains(why);
    assert_eq!(scene.count("users"), before);
    let refused = scene.logged("refused");
    assert_eq!(refused.len(), 1);
    assert!(!refused[0].to_string().contains(id), "no identity in the log");
    assert_eq!(scene.logged("erasure_requested").len(), requested);
}

#[rstest]
fn a_tombstone_that_is_not_there(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Text);
    scene.sql(&format!("DELETE FROM users WHERE id = '{}'", Key::Text.of(0)));
    scene.policy(&policy(Key::Text));
    is_refused(&scene, &Key::Text.of(3), "`users`, which has no row for the tombstone");
    assert_eq!(scene.count("comments"), 60);
}

#[rstest]
fn a_random_tombstone_where_a_foreign_key_wants_a_row(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Text);
    let fixed = format!("tombstone = '{}'", Key::Text.of(0));
    scene.policy(&policy(Key::Text).replace(&fixed, "tombstone = 'random'"));
    is_refused(&scene, &Key::Text.of(3), "where no random tombstone stands");
}

#[rstest]
fn the_tombstone_itself(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Uuid);
    scene.policy(&policy(Key::Uuid));
    is_refused(&scene, &Key::Uuid.of(0), "the tombstone is nobody");
}

#[rstest]
fn a_unique_that_the_shared_tombstone_would_break(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Integer);
    // Each person answers each quiz once; so does the tombstone.
    scene.sql("ALTER TABLE responses ADD COLUMN quiz integer; UPDATE responses SET quiz = id / 10");
    scene.sql("CREATE UNIQUE INDEX once ON responses (user_id, quiz)");
    scene.policy(&policy(Key::Integer));
    erase(&scene, &Key::Integer.of(4)).succeeds();
    is_refused(
        &scene,
        &Key::Integer.of(3),
        "the index `once` lets only one row of `responses` have the same user_id, quiz",
    );
    assert_eq!(scene.count("comments WHERE id % 10 = 2"), 6);
}

#[rstest]
#[case::restrict("")]
#[case::cascade("ON DELETE CASCADE")]
#[case::set_null("ON DELETE SET NULL")]
fn children_of_which_the_policy_does_not_speak(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[case] on_delete: &str,
) {
    let scene = school(kind, Key::Integer);
    scene.sql(&format!(
        "CREATE TABLE badges (id integer PRIMARY KEY, owner integer REFERENCES users {on_delete});
         INSERT INTO badges VALUES (1, {}), (2, {})",
        Key::Integer.of(3),
        Key::Integer.of(4)
    ));
    scene.policy(&policy(Key::Integer));
    is_refused(&scene, &Key::Integer.of(3), "1 rows of `badges` refer by `owner` to rows of `users`");
    // Who has none can go.
    erase(&scene, &Key::Integer.of(5)).succeeds();
    assert_eq!(scene.count("badges WHERE owner IS NOT NULL"), 2);
}

#[rstest]
fn an_erasure_under_a_policy_that_has_changed(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Integer);
    scene.policy(&policy(Key::Integer));
    erase(&scene, &Key::Integer.of(4)).succeeds();
    scene.policy(&policy(Key::Integer).replace(", ip = 'null'", ""));
    erase(&scene, &Key::Integer.of(3)).exits(3).complains("the policy has changed since it was approved");
    assert_eq!(scene.count("users"), 10);
}

#[rstest]
fn what_nobody_has_confirmed_or_is_no_key(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Integer);
    scene.policy(&policy(Key::Integer));
    scene.privacy(&["erase", "school", "--subject", &Key::Integer.of(3)]).exits(3).complains("add --yes");
    erase(&scene, "3 OR true").exits(1).complains("`--subject` is not a whole number, as `id` is");
    assert_eq!(scene.count("users"), 11);
}
