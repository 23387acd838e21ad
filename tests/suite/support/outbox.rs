//! The outbox, filled as the engine would, and looked into.

use super::Sandbox;

impl Sandbox {
    /// Puts so many notifications for a recipient into the outbox: `m1`, `m2`, …, news of 50 incidents in turns.
    pub fn queue(&self, channel: &str, recipient: &str, count: u32) {
        self.caretaker(&["status"]).succeeds();
        self.state_sql(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             INSERT INTO outbox (message_id, channel, recipient, message, state, queued_ms, expires_ms) \
             SELECT 'm' || i, '{channel}', '{recipient}', json_object('id', 'm' || i, 'kind', 'changed', \
                 'severity', 'critical', 'at', '2026-03-02T02:00:00Z', 'host', 'here', 'environment', 'production', \
                 'incidents', json_array(json_object('id', 'i' || (i % 50), 'source', 'health', 'subject', 'app', \
                     'name', 'connections', 'status', 'critical', 'worst', 'critical', \
                     'opened_at', '2026-03-02T01:00:00Z', 'summary', i || ' of 97 connections are used', \
                     'value', '98 %', 'evidence', json_array('90 × app, idle', '5 × app, active'))), \
                 'text', json('[]')), 'waiting', 0, 9000000000000 FROM n;"
        ));
    }

    /// How many notifications wait.
    pub fn waiting(&self) -> u32 {
        self.state_sql("SELECT count(*) FROM outbox WHERE state = 'waiting';").trim().parse().unwrap()
    }
}
