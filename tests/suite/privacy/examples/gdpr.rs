//! `gdpr.toml`: essays, their versions and the feedback on them, as a Django application keeps them.

use std::fmt::Write as _;

use rstest::rstest;

use super::super::scene::{Kind, days_ago};
use super::{Trial, all, named, plain};

/// Django's foreign keys are deferred, and none of them cascades: the application does.
const SCHEMA: &str = "
CREATE TABLE auth_user (id bigint PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamptz, username varchar(150) NOT NULL UNIQUE,
    first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_active boolean NOT NULL,
    date_joined timestamptz NOT NULL);
CREATE TABLE essay_submission_essay (id bigint PRIMARY KEY, title varchar(200) NOT NULL, content text NOT NULL,
    created_at timestamptz NOT NULL, user_id bigint NOT NULL REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX essay_user ON essay_submission_essay (user_id);
CREATE TABLE essay_submission_essayversion (id bigint PRIMARY KEY, content text NOT NULL, version_number integer NOT NULL,
    created_at timestamptz NOT NULL, essay_id bigint NOT NULL REFERENCES essay_submission_essay (id) DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (essay_id, version_number));
CREATE TABLE core_feedbacktype (id bigint PRIMARY KEY, name varchar(50) NOT NULL, description text, weight double precision, is_active boolean);
CREATE TABLE ai_feedback_feedback (id bigint PRIMARY KEY, body text NOT NULL, confidence_score double precision NOT NULL DEFAULT 0.8,
    created_at timestamptz NOT NULL, feedback_type_id bigint REFERENCES core_feedbacktype (id) DEFERRABLE INITIALLY DEFERRED,
    essay_version_id bigint NOT NULL REFERENCES essay_submission_essayversion (id) DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX feedback_version ON ai_feedback_feedback (essay_version_id);
CREATE INDEX feedback_created ON ai_feedback_feedback (created_at);
CREATE TABLE analytics_analytics (id bigint PRIMARY KEY, metric_type varchar(50) NOT NULL, value double precision, metadata jsonb,
    created_at timestamptz NOT NULL, user_id bigint REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX analytics_user ON analytics_analytics (user_id);
CREATE INDEX analytics_created ON analytics_analytics (created_at);
INSERT INTO core_feedbacktype VALUES (1, 'grammar', 'Grammar and syntax corrections', 0.25, true);
";

/// Four people with two essays each, of two versions, with feedback on each; the first essay of each is three years old. Person
/// 4 closed the account two years ago.
fn filled(kind: Kind) -> Trial {
    let mut sql = SCHEMA.to_owned();
    for person in 1..=4_u32 {
        let (active, login) = if person == 4 { ("false", days_ago(730)) } else { ("true", days_ago(2)) };
        write!(sql, "INSERT INTO auth_user VALUES ({person}, 'pbkdf2', '{login}', 'user{person}', 'Alice', 'Smith', 'u{person}@example.com', {active}, '{}');", days_ago(2000)).unwrap();
        for essay in [2 * person - 1, 2 * person] {
            let at = days_ago(if essay % 2 == 1 { 1000 } else { 20 });
            write!(
                sql,
                "INSERT INTO essay_submission_essay VALUES ({essay}, 'My summer', 'It was hot.', '{at}', {person});"
            )
            .unwrap();
            write!(sql, "INSERT INTO analytics_analytics VALUES ({essay}, 'essay_submission', 1, '{{\"old_id\": {essay}}}', '{at}', {person});").unwrap();
            for version in [2 * essay - 1, 2 * essay] {
                write!(
                    sql,
                    "INSERT INTO essay_submission_essayversion VALUES ({version}, 'It was very hot.', {}, '{at}', {essay});
                     INSERT INTO ai_feedback_feedback VALUES ({version}, 'Alice, say why.', 0.9, '{at}', 1, {version});",
                    version % 2
                )
                .unwrap();
            }
        }
    }
    const TABLES: &[&str] = &[
        "auth_user",
        "essay_submission_essay",
        "essay_submission_essayversion",
        "core_feedbacktype",
        "ai_feedback_feedback",
        "analytics_analytics",
    ];
    Trial::new(kind, "gdpr", TABLES, &sql)
}

#[rstest]
fn a_person_goes_with_what_only_other_tables_lead_to(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let trial = filled(kind);
    let became = trial.apply();
    assert_eq!(became.gone, named("ai_feedback_feedback", [1, 2, 5, 6, 9, 10, 13, 14], plain));
    assert_eq!(
        became.changed,
        all([named("analytics_analytics", [1, 3, 5, 7], plain), named("auth_user", [4], plain)])
    );
    let closed = "auth_user WHERE id = 4 AND username LIKE 'hmac:%' AND email LIKE '%@example.invalid' AND first_name = '' AND password = '!'";
    assert_eq!(trial.scene.count(closed), 1);
    let (became, erasure) = trial.erase("2");
    let theirs = [
        named("auth_user", [2], plain),
        named("essay_submission_essay", [3, 4], plain),
        named("essay_submission_essayversion", [5, 6, 7, 8], plain),
        named("ai_feedback_feedback", [7, 8], plain),
    ];
    assert_eq!(became.gone, all(theirs));
    assert_eq!(became.changed, named("analytics_analytics", [4], plain));
    assert_eq!(trial.scene.count("analytics_analytics WHERE user_id IS NULL AND metadata IS NULL"), 5);
    trial.can_be_shown(&erasure);
}
