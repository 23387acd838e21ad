//! Incidents, what was told of them, and the outbox.

mod incident;
mod outbox;
mod silence;
mod step;
mod write;

pub use incident::{Incident, Standing, Told};
pub use outbox::{NewNotification, Notification, NotificationState, OutboxCount, Sent};
pub use silence::Silence;
pub use step::{Advanced, Desk, Step};
