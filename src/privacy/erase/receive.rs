//! A request for erasure, written down before the first row goes.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::person::{self, Person};
use super::{Asked, Erasing};
use crate::config::{PrivacyPolicy, Subject, Tombstone};
use crate::database::schema::{Column, Family};
use crate::privacy::fragment::{Fragment, Scalar};
use crate::privacy::ground::Ground;
use crate::privacy::plan::Setting;
use crate::privacy::session::Session;
use crate::run::Failure;
use crate::state::{Erasure, ErasureState, LogKind};

impl Erasing<'_> {
    /// Writes a request down. If that person's erasure is open already, it is the one that comes back.
    pub async fn receive(&self, session: &mut Session, person: &Person, asked: Asked<'_>) -> Result<Erasure, Failure> {
        let setting = session.seen.setting(self.policy, session.ground.as_ref());
        let subject = person::subject(&setting)?;
        let random = random(session.ground.as_mut(), subject).await?;
        self.request(&setting, subject, person, asked, random).await
    }

    async fn request(
        &self,
        setting: &Setting<'_>,
        subject: &Subject,
        person: &Person,
        asked: Asked<'_>,
        tombstone: Option<String>,
    ) -> Result<Erasure, Failure> {
        let now = Timestamp::now();
        // What an application's clock says of the future gives nobody more time.
        let received = asked.received.map_or(now, |received| received.min(now));
        let due = due(subject, setting.policy, received)?;
        let new = Erasure {
            id: Uuid::now_v7().to_string(),
            policy: self.policy.name.clone(),
            database: self.policy.database.to_string(),
            subject_hmac: person.hmac.clone(),
            key_id: setting.key.id(),
            version: 1,
            reason: asked.reason.map(str::to_owned),
            requested_by: self.hand.who.to_owned(),
            received,
            due,
            state: ErasureState::Pending,
            note: None,
            tombstone,
            completed: None,
            certificate: None,
        };
        let detail = json!({"erasure": new.id, "subject_hmac": person.hmac, "reason": asked.reason, "due": due});
        let entry = self.hand.entry(self.policy, LogKind::ErasureRequested, detail);
        Ok(self.state.request_erasure(&new, &entry, now).await?)
    }
}

/// By when a request that was received then must be done.
pub fn due(subject: &Subject, policy: &PrivacyPolicy, received: Timestamp) -> Result<Timestamp, Failure> {
    let due = received.to_zoned(policy.timezone.clone()).checked_add(subject.due_after);
    Ok(due.map_err(|error| Failure::new(format!("`due_after`: {error}")))?.timestamp())
}

/// A new random tombstone, where the policy wants one.
pub(super) async fn random(ground: &mut dyn Ground, subject: &Subject) -> Result<Option<String>, Failure> {
    if subject.tombstone != Tombstone::Random {
        return Ok(None);
    }
    let dialect = ground.dialect();
    let text = Column {
        name: "tombstone".to_owned(),
        type_name: "text".to_owned(),
        family: Family::Text,
        max_chars: None,
        not_null: true,
        generated: false,
        is_in_order: None,
    };
    let mut question = Fragment::text("SELECT ");
    question.append(dialect.read(dialect.random(&text).map_err(person::wrong)?));
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    Ok(rows.first().and_then(|row| row.first()).and_then(Scalar::shown))
}
