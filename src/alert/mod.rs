//! From what was observed to what people are told: incidents, routing, the outbox, and the channels that deliver.
//!
//! Nothing else in the house sends messages. Health checks and jobs record observations in the state store; here they
//! become incidents, and incidents become notifications that wait in the outbox until they are delivered.

mod channel;
mod message;

pub use channel::{Channel, Receipt, SendError};
pub use message::{IncidentView, Message, MessageKind};
