//! From what was observed to what people are told: incidents, routing, the outbox, and the channels that deliver.
//!
//! Nothing else in the house sends messages. Health checks and jobs record observations in the state store; here they
//! become incidents, and incidents become notifications that wait in the outbox until they are delivered.

mod channel;
pub mod channels;
mod digest;
mod engine;
mod heartbeat;
mod message;
mod outbox;
mod patience;
mod route;
mod service;
mod step;
mod tell;
mod test;
#[cfg(test)]
mod tests;
mod unit_failed;

pub use channel::{Channel, Receipt, SendError};
pub use heartbeat::{DeadMan, Heartbeats, Signal};
pub use message::{IncidentView, Message, MessageKind, Row, Section};
pub use route::is_silenced;
pub use service::{Alerting, Beats};
pub use tell::view;
pub use test::{test, test_message};
pub use unit_failed::{LastGood, unit_failed};
