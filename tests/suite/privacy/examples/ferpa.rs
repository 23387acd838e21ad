//! `ferpa.toml`: users, their game sessions and their answers.

use std::fmt::Write as _;

use rstest::rstest;

use super::super::scene::{Kind, days_ago};
use super::{NOBODY, Trial, all, named, uuid};

/// As an application would have made it; with the trigger that it had on PostgreSQL.
fn schema(kind: Kind) -> String {
    let trigger = match kind {
        Kind::Sqlite => "",
        Kind::Postgres => {
            "CREATE FUNCTION anonymize_deleted_user_data() RETURNS trigger AS $$
             BEGIN
                 UPDATE user_responses SET user_id = '00000000-0000-0000-0000-000000000000', session_id = NULL
                 WHERE user_id = OLD.id;
                 UPDATE game_sessions SET user_id = '00000000-0000-0000-0000-000000000000' WHERE user_id = OLD.id;
                 RETURN OLD;
             END;
             $$ LANGUAGE plpgsql;
             CREATE TRIGGER user_data_anonymization AFTER DELETE ON users FOR EACH ROW
                 EXECUTE FUNCTION anonymize_deleted_user_data();"
        }
    };
    format!(
        "CREATE TABLE users (id uuid PRIMARY KEY, email varchar(255) NOT NULL UNIQUE,
             subscription_tier varchar(20) NOT NULL DEFAULT 'free', learning_preferences jsonb, created_at timestamptz);
         CREATE TABLE questions (id uuid PRIMARY KEY, content text NOT NULL, question_type varchar(40) NOT NULL,
             difficulty_level integer, tags jsonb, ai_generated boolean NOT NULL DEFAULT false);
         CREATE TABLE game_sessions (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users,
             created_at timestamptz NOT NULL, started_at timestamptz, ended_at timestamptz, ip text, user_agent text);
         CREATE INDEX game_sessions_user ON game_sessions (user_id);
         CREATE INDEX game_sessions_created ON game_sessions (created_at);
         CREATE TABLE user_responses (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users,
             session_id uuid REFERENCES game_sessions, question_id uuid REFERENCES questions, answer text,
             is_correct boolean, created_at timestamptz NOT NULL);
         CREATE INDEX user_responses_user ON user_responses (user_id);
         CREATE INDEX user_responses_session ON user_responses (session_id);
         CREATE INDEX user_responses_created ON user_responses (created_at);
         {trigger}
         INSERT INTO users (id, email) VALUES ('{NOBODY}', 'nobody@example.invalid');"
    )
}

/// Ten sessions of five users, with two answers each. Session 1: finished, old. 2: finished, young. 3: never ended, two years
/// old. 4: never ended, 200 days old. 5: finished, old, with an answer that is young. 6 to 10: young.
fn filled(kind: Kind) -> Trial {
    let mut sql = schema(kind);
    for n in 1..=5 {
        let preferences = r#"{"preferred_difficulty": 5}"#;
        write!(
            sql,
            "INSERT INTO users VALUES ('{}', 'u{n}@example.com', 'premium', '{preferences}', '{}');",
            uuid(n),
            days_ago(900)
        )
        .unwrap();
        write!(
            sql,
            "INSERT INTO questions VALUES ('{}', 'Which of these follows?', 'logical_reasoning', 3, '[]', false);",
            uuid(n)
        )
        .unwrap();
    }
    for n in 1..=10 {
        let days = match n {
            1 | 5 => 100,
            3 => 730,
            4 => 200,
            _ => 10,
        };
        let ended = if n == 3 || n == 4 { "NULL".to_owned() } else { format!("'{}'", days_ago(days)) };
        let (user, at) = (uuid((n - 1) % 5 + 1), days_ago(days));
        write!(sql, "INSERT INTO game_sessions VALUES ('{}', '{user}', '{at}', '{at}', {ended}, '203.0.113.{n}', 'Mozilla/5.0');", uuid(n)).unwrap();
        for answer in [2 * n - 1, 2 * n] {
            let at = if answer == 10 { days_ago(5) } else { days_ago(days) };
            write!(
                sql,
                "INSERT INTO user_responses VALUES ('{}', '{user}', '{}', '{}', 'B', true, '{at}');",
                uuid(answer),
                uuid(n),
                uuid(1)
            )
            .unwrap();
        }
    }
    Trial::new(kind, "ferpa", &["users", "questions", "game_sessions", "user_responses"], &sql)
}

#[rstest]
fn old_answers_and_sessions_go_and_nobody_is_left_in_abandoned_ones(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
) {
    let trial = filled(kind);
    let became = trial.apply();
    // Answers of the sessions 1, 3, 4 and 5, but for the young one, which keeps its session.
    assert_eq!(
        became.gone,
        all([named("user_responses", [1, 2, 5, 6, 7, 8, 9], uuid), named("game_sessions", [1], uuid)])
    );
    assert_eq!(became.changed, named("game_sessions", [3], uuid));
    let nobody = format!(
        "game_sessions WHERE id = '{}' AND user_id = '{NOBODY}' AND ip IS NULL AND user_agent IS NULL",
        uuid(3)
    );
    assert_eq!(trial.scene.count(&nobody), 1);
    assert!(
        trial
            .scene
            .sql(&format!("SELECT started_at FROM game_sessions WHERE id = '{}'", uuid(3)))
            .contains("-01 00:00:00")
    );
    let (became, erasure) = trial.erase(&uuid(2));
    assert_eq!(became.gone, named("users", [2], uuid));
    assert_eq!(
        became.changed,
        all([named("game_sessions", [2, 7], uuid), named("user_responses", [3, 4, 13, 14], uuid)])
    );
    assert_eq!(
        trial
            .scene
            .count(&format!("user_responses WHERE user_id = '{NOBODY}' AND session_id IS NULL AND answer = 'B'")),
        4
    );
    trial.can_be_shown(&erasure);
}
