//! `guardians.toml`: pupils, and the consent of those who speak for them.

use std::fmt::Write as _;

use rstest::rstest;

use super::super::scene::{Kind, days_ago};
use super::{Trial, all, named, uuid};

const SCHEMA: &str = "
CREATE TABLE users (id uuid PRIMARY KEY, email varchar(255) NOT NULL, full_name varchar(255), birth_date date,
    created_at timestamp NOT NULL);
CREATE TABLE learning_profiles (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, style varchar(40), updated_at timestamp);
CREATE INDEX learning_profiles_user ON learning_profiles (user_id);
CREATE TABLE guardian_consents (id uuid NOT NULL, user_id uuid NOT NULL, guardian_email varchar(255) NOT NULL,
    consent_given boolean NOT NULL, consent_timestamp timestamp NOT NULL, FOREIGN KEY (user_id) REFERENCES users (id), PRIMARY KEY (id));
CREATE INDEX guardian_consents_user ON guardian_consents (user_id);
CREATE INDEX guardian_consents_at ON guardian_consents (consent_timestamp);
";

/// Six pupils with a consent each: 1 refused long ago, 2 refused yesterday, 3 given three years ago, 4 and 5 given lately; two
/// more of 5, by another guardian.
fn filled(kind: Kind) -> Trial {
    let mut sql = SCHEMA.to_owned();
    let at = |days| days_ago(days).trim_end_matches("+00").to_owned();
    for n in 1..=6 {
        let id = uuid(n);
        write!(
            sql,
            "INSERT INTO users VALUES ('{id}', 'pupil{n}@example.com', 'Alice Smith', '2015-03-0{n}', '{}');
             INSERT INTO learning_profiles VALUES ('{id}', '{id}', 'visual', '{}');",
            at(1500),
            at(10)
        )
        .unwrap();
    }
    for (n, user, given, days) in [
        (1, 1, false, 60),
        (2, 2, false, 1),
        (3, 3, true, 1100),
        (4, 4, true, 30),
        (5, 5, true, 40),
        (6, 5, true, 1000),
        (7, 6, false, 31),
    ] {
        let (id, user) = (uuid(n), uuid(user));
        write!(
            sql,
            "INSERT INTO guardian_consents VALUES ('{id}', '{user}', 'parent{n}@example.org', {given}, '{}');",
            at(days)
        )
        .unwrap();
    }
    Trial::new(kind, "guardians", &["users", "learning_profiles", "guardian_consents"], &sql)
}

#[rstest]
fn refusals_go_soon_and_addresses_of_guardians_later(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let trial = filled(kind);
    let became = trial.apply();
    assert_eq!(became.gone, named("guardian_consents", [1, 7], uuid));
    assert_eq!(became.changed, named("guardian_consents", [3, 6], uuid));
    assert_eq!(trial.scene.count("guardian_consents WHERE guardian_email LIKE 'hmac:%' AND consent_given"), 2);
    assert_eq!(trial.scene.count("guardian_consents WHERE guardian_email LIKE 'parent%@example.org'"), 3);
    let (became, erasure) = trial.erase(&uuid(5));
    let theirs =
        [named("users", [5], uuid), named("learning_profiles", [5], uuid), named("guardian_consents", [5, 6], uuid)];
    assert_eq!((became.gone, became.changed.len()), (all(theirs), 0));
    trial.can_be_shown(&erasure);
}
