//! A session of the server, as evidence: who, from where, for how long, what it waits for, and its statement without the
//! literals, which may be people's data.

use sqlx::postgres::PgRow;

use super::statement;
use crate::health::view::{figure, optional};
use crate::health::{Exclusions, OwnView, Seen, Unseen, Verdict};
use crate::state::Status;
use crate::units;

/// Sessions with what [`Session::read`] takes; `$seconds` is since when, `$query_id` NULL before PostgreSQL 14.
macro_rules! sessions {
    ($query_id:literal, $seconds:literal, $rest:literal) => {
        concat!(
            "SELECT a.pid, coalesce(a.usename::text, '?') AS role, coalesce(a.application_name, '') AS application,
                coalesce(host(a.client_addr), 'local') AS client, a.state, a.backend_type IS NULL AS hidden,
                a.wait_event_type || ':' || a.wait_event AS wait, ",
            $query_id,
            "::text AS query_id, left(a.query, 2000) AS statement, extract(epoch FROM clock_timestamp() - ",
            $seconds,
            ")::float8 AS seconds ",
            $rest
        )
    };
}
pub(super) use sessions;

/// One session.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Session {
    pub(super) pid: i32,
    pub(super) role: String,
    pub(super) application: String,
    pub(super) client: String,
    /// NULL where only `pg_monitor` may see it.
    pub(super) state: Option<String>,
    pub(super) hidden: bool,
    pub(super) wait: Option<String>,
    pub(super) query_id: Option<String>,
    /// Without literals; empty: hidden, or there was none yet.
    pub(super) statement: String,
    /// For how long it has been what was asked for.
    pub(super) seconds: Option<f64>,
}

impl Session {
    /// From a row of [`sessions!`].
    pub(super) fn read(row: &PgRow) -> Result<Self, Unseen> {
        let (hidden, text): (bool, Option<String>) = (figure(row, "hidden")?, optional(row, "statement")?);
        Ok(Self {
            pid: figure(row, "pid")?,
            role: figure(row, "role")?,
            application: figure(row, "application")?,
            client: figure(row, "client")?,
            state: optional(row, "state")?,
            hidden,
            wait: optional(row, "wait")?,
            query_id: optional(row, "query_id")?,
            statement: text.filter(|_| !hidden).map(|text| statement::shown(&text)).unwrap_or_default(),
            seconds: optional(row, "seconds")?,
        })
    }

    /// Whether it is one of Caretaker's own: a dump, a restore, a purge. It explains itself and is not judged.
    pub(super) fn ours(&self) -> bool {
        self.application.starts_with("caretaker")
    }

    fn left_out(&self, exclude: &Exclusions) -> bool {
        exclude.leaves_out(&self.role) || exclude.leaves_out(&self.application)
    }
}

impl std::fmt::Display for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pid {}, role {}, ", self.pid, self.role)?;
        if !self.application.is_empty() {
            write!(f, "application {}, ", self.application)?;
        }
        write!(f, "from {}, {}", self.client, self.state.as_deref().unwrap_or("state hidden"))?;
        if let Some(seconds) = self.seconds {
            write!(f, " for {}", units::seconds(seconds))?;
        }
        if let Some(wait) = &self.wait {
            write!(f, ", waits for {wait}")?;
        }
        if let Some(id) = &self.query_id {
            write!(f, ", query id {id}")?;
        }
        match (self.statement.as_str(), self.state.as_deref()) {
            ("", _) => Ok(()),
            (statement, Some("active")) => write!(f, ": {statement}"),
            (statement, _) => write!(f, ", last: {statement}"),
        }
    }
}

/// A verdict over the longest of these sessions. `what`: `query`, `idle transaction`.
pub(super) fn longest(view: &OwnView<'_>, rows: &[PgRow], what: &str, advice: &str) -> Seen {
    let sessions: Vec<Session> = rows.iter().map(Session::read).collect::<Result<_, _>>()?;
    let hidden = sessions.iter().filter(|session| session.hidden && !session.ours()).count();
    let (ours, others): (Vec<_>, Vec<_>) = sessions.into_iter().filter(|s| !s.hidden).partition(Session::ours);
    let mut judged: Vec<_> = others.into_iter().filter(|session| !session.left_out(&view.exclude)).collect();
    judged.sort_by(|a, b| b.seconds.unwrap_or(0.0).total_cmp(&a.seconds.unwrap_or(0.0)));
    let figure = judged.first().and_then(|session| session.seconds).unwrap_or(0.0);
    let status = view.limits.judge(figure);
    if hidden > 0 && status == Status::Ok {
        let why = format!("{hidden} sessions of other roles are hidden from this one");
        return Err(Unseen::unknown(why).cure(super::MONITOR));
    }
    let summary = match judged.len() {
        0 => format!("no {what}"),
        _ => format!("the longest {what} takes {}", units::seconds(figure)),
    };
    let mut lines: Vec<String> = judged.iter().map(ToString::to_string).collect();
    lines.extend(ours.iter().map(|session| format!("Caretaker's own, not judged: {session}")));
    if hidden > 0 {
        lines.push(format!("{hidden} more sessions are hidden: {}", super::MONITOR));
    }
    Ok(Verdict::new(status, summary).figure(figure).evidence(super::listing::few(lines)).advice(advice))
}

#[cfg(test)]
mod tests {
    use super::Session;

    #[test]
    fn a_session_is_described_by_who_it_is_and_what_it_does() {
        let session = Session {
            pid: 12,
            role: "app".to_owned(),
            application: "web".to_owned(),
            client: "10.0.0.1".to_owned(),
            state: Some("active".to_owned()),
            hidden: false,
            wait: Some("Lock:relation".to_owned()),
            query_id: Some("77".to_owned()),
            statement: "SELECT ?".to_owned(),
            seconds: Some(125.0),
        };
        let text = "pid 12, role app, application web, from 10.0.0.1, active for 2m 5s, waits for Lock:relation, \
                    query id 77: SELECT ?";
        assert_eq!(session.to_string(), text);
        let idle = Session { state: Some("idle in transaction".to_owned()), ..session.clone() };
        assert!(idle.to_string().ends_with(", query id 77, last: SELECT ?"));
        assert!(!session.ours());
        assert!(Session { application: "caretaker backup 0198".to_owned(), ..session }.ours());
    }
}
