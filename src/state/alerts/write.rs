//! Writing what follows from a step.

use jiff::Timestamp;

use super::super::instant::to_ms;
use super::incident::{Fault, Incident};
use super::step::Step;

type Connection = sqlx::SqliteConnection;

pub(super) async fn step(tx: &mut Connection, step: &Step, now: Timestamp) -> Result<(), Fault> {
    for (key, track) in &step.tracks {
        sqlx::query("INSERT OR REPLACE INTO tracks (source, subject, name, track) VALUES (?1, ?2, ?3, ?4)")
            .bind(&key.source)
            .bind(&key.subject)
            .bind(&key.name)
            .bind(track)
            .execute(&mut *tx)
            .await?;
    }
    for it in &step.incidents {
        incident(tx, it).await?;
    }
    for (incident, channel, told) in &step.told {
        sqlx::query(
            "INSERT OR REPLACE INTO told (incident_id, channel, status, flapping, escalated, acked, first_ms, last_ms,
                                          reminders)
             VALUES (?1, ?2, ?3, ?4, ?5, ?9, ?6, ?7, ?8)",
        )
        .bind(incident)
        .bind(channel)
        .bind(told.status.as_str())
        .bind(told.flapping)
        .bind(told.escalated)
        .bind(to_ms(told.first_at))
        .bind(to_ms(told.last_at))
        .bind(told.reminders)
        .bind(told.acked)
        .execute(&mut *tx)
        .await?;
    }
    for new in &step.notifications {
        sqlx::query(
            "INSERT INTO outbox (message_id, channel, recipient, message, state, queued_ms, expires_ms, next_ms)
             VALUES (?1, ?2, ?3, ?4, 'waiting', ?5, ?6, ?5)",
        )
        .bind(&new.message_id)
        .bind(&new.channel)
        .bind(&new.recipient)
        .bind(&new.message)
        .bind(to_ms(now))
        .bind(to_ms(new.expires_at))
        .execute(&mut *tx)
        .await?;
    }
    for (name, at) in &step.marks {
        sqlx::query("INSERT OR REPLACE INTO marks (name, at_ms) VALUES (?1, ?2)")
            .bind(name)
            .bind(to_ms(*at))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

async fn incident(tx: &mut Connection, it: &Incident) -> Result<(), Fault> {
    let text = |observation| {
        serde_json::to_string(observation).map_err(|error| Fault::Sqlite(sqlx::Error::Encode(Box::new(error))))
    };
    sqlx::query(
        "INSERT INTO incidents (id, source, subject, name, status, worst, since_ms, opened_ms, changed_ms, closed_ms,
                                flapping_ms, acked_ms, acked_by, observation, worst_observation)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
         ON CONFLICT (id) DO UPDATE SET
             status = excluded.status, worst = excluded.worst, changed_ms = excluded.changed_ms,
             closed_ms = excluded.closed_ms, flapping_ms = excluded.flapping_ms, acked_ms = excluded.acked_ms,
             acked_by = excluded.acked_by, observation = excluded.observation,
             worst_observation = excluded.worst_observation",
    )
    .bind(&it.id)
    .bind(&it.key.source)
    .bind(&it.key.subject)
    .bind(&it.key.name)
    .bind(it.status.as_str())
    .bind(it.worst.as_str())
    .bind(to_ms(it.since))
    .bind(to_ms(it.opened_at))
    .bind(to_ms(it.changed_at))
    .bind(it.closed_at.map(to_ms))
    .bind(it.flapping_at.map(to_ms))
    .bind(it.acked_at.map(to_ms))
    .bind(&it.acked_by)
    .bind(text(&it.last)?)
    .bind(text(&it.at_worst)?)
    .execute(&mut *tx)
    .await?;
    Ok(())
}
