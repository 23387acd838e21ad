//! `kind = "file"`: JSON lines for another program to follow, or a maildir for a mail client.

use std::fs::{DirBuilder, File as Handle, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use async_trait::async_trait;

use super::super::{Channel, Message, Receipt, SendError};
use super::email::{Mail, Templates};
use super::webhook::body;
use crate::config::{FileChannel, FileFormat};

pub(super) struct File {
    pub recipient: String,
    pub settings: FileChannel,
}

#[async_trait]
impl Channel for File {
    fn recipients(&self) -> Vec<String> {
        vec![self.recipient.clone()]
    }

    async fn send(&self, message: &Message, recipient: &str) -> Result<Receipt, SendError> {
        let path = self.settings.path.clone();
        let shown = path.display().to_string();
        let written = match self.settings.format {
            FileFormat::Jsonl => {
                let line = format!("{}\n", body(None, message)?);
                tokio::task::spawn_blocking(move || append(&path, line.as_bytes())).await
            }
            FileFormat::Maildir => {
                let address = format!("{recipient}@localhost");
                let mail =
                    Mail::new(message, "Caretaker <caretaker@localhost>", &address, recipient, &Templates::default())?;
                let name = format!("{}.{}.{}", message.at.as_second(), message.id, recipient);
                tokio::task::spawn_blocking(move || drop_mail(&path, &name, &mail.bytes)).await
            }
        };
        match written {
            Ok(Ok(())) => Ok(Receipt(format!("written to {shown}"))),
            // A full disk, a folder that is not mounted: another attempt may find it better.
            Ok(Err(error)) => {
                Err(SendError::Temporary { message: format!("cannot write {shown}: {error}"), retry_after: None })
            }
            Err(error) => Err(SendError::Temporary { message: error.to_string(), retry_after: None }),
        }
    }
}

/// Appends a line in one call, so that lines of several processes do not mix, and waits until it is on the disk.
fn append(path: &Path, line: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(line)?;
    file.sync_data()
}

/// <https://cr.yp.to/proto/maildir.html>. The name is that of the message: delivered twice it is there once.
fn drop_mail(folder: &Path, name: &str, mail: &[u8]) -> std::io::Result<()> {
    for part in ["tmp", "new", "cur"] {
        DirBuilder::new().recursive(true).mode(0o700).create(folder.join(part))?;
    }
    let unfinished = folder.join("tmp").join(name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    // In a maildir lines end as everywhere else on the machine.
    file.write_all(String::from_utf8_lossy(mail).replace("\r\n", "\n").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, folder.join("new").join(name))?;
    Handle::open(folder.join("new"))?.sync_all()
}
