//! `kind = "command"`: a program of the operator's own, which reads the message as JSON.

use async_trait::async_trait;

use super::super::{Channel, Message, Receipt, SendError};
use super::program;
use super::webhook::body;

pub(super) struct Command {
    pub recipient: String,
    pub argv: Vec<String>,
}

#[async_trait]
impl Channel for Command {
    fn recipients(&self) -> Vec<String> {
        vec![self.recipient.clone()]
    }

    async fn probe(&self) -> Result<Receipt, SendError> {
        let program = self.argv.first().map(String::as_str).unwrap_or_default();
        program::executable(program)
    }

    async fn send(&self, message: &Message, recipient: &str) -> Result<Receipt, SendError> {
        let mut document = body(None, message)?;
        document.push('\n');
        let env = [("CARETAKER_CHANNEL", recipient), ("CARETAKER_MESSAGE_ID", message.id.as_str())];
        program::run(&self.argv, document.as_bytes(), &env).await
    }
}
