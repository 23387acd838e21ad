//! Small documents as they lie in a store: encrypted to whoever may read the backups.

use std::io::{self, Read as _};

use bytes::Bytes;

use crate::archive::codec::{CodecError, Decoder, EncodeSpec, Encoder, Identities, ObjectName, Recipient};
use crate::config::{Compression, Config, DatabaseName};

/// Whom the backups of a database, or of all, are encrypted to; of all, too, where it has no job. Empty: to nobody.
pub fn recipients(config: &Config, database: Option<&DatabaseName>) -> Result<Vec<Recipient>, String> {
    let has_job = config.backups.values().any(|job| Some(&job.database) == database);
    let keys = config.recipients(database.filter(|_| has_job)).into_iter();
    keys.map(|key| key.parse::<Recipient>().map_err(|error| error.to_string())).collect()
}

/// A document, encrypted where there are recipients.
pub async fn seal(text: Vec<u8>, recipients: Vec<Recipient>) -> Result<Bytes, String> {
    let sealed = tokio::task::spawn_blocking(move || {
        let (mut sealed, spec) = (Vec::new(), EncodeSpec { compression: Compression::None, recipients, threads: 1 });
        let mut encoder = Encoder::new(&spec, |chunk: Bytes| {
            sealed.extend_from_slice(&chunk);
            Ok(())
        })?;
        encoder.write(&text)?;
        encoder.finish()?;
        Ok::<_, io::Error>(Bytes::from(sealed))
    });
    sealed.await.map_err(|panic| panic.to_string())?.map_err(|error| error.to_string())
}

/// What a document of this name says.
pub async fn unseal(name: String, sealed: Bytes, identities: Identities) -> Result<Vec<u8>, CodecError> {
    let opened = tokio::task::spawn_blocking(move || {
        let mut decoder = Decoder::new(ObjectName::parse(&name), &identities, io::Cursor::new(sealed))?;
        let mut text = Vec::new();
        decoder
            .read_to_end(&mut text)
            .map_err(|error| error.downcast::<CodecError>().unwrap_or_else(CodecError::Read))?;
        decoder.finish()?;
        Ok(text)
    });
    opened.await.unwrap_or_else(|panic| Err(CodecError::Read(io::Error::other(panic))))
}
