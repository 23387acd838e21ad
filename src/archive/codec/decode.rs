//! Stored bytes in, plain bytes out, checked to the very end.

use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use age::stream::StreamReader;
use age::{DecryptError, Decryptor};
use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use super::error::CodecError;
use super::keys::Identities;
use super::name::ObjectName;
use super::tally::Tally;
use crate::config::Compression;

/// How much is read from the source at once.
const BUFFER: usize = 256 << 10;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Stored size.
    pub stored_bytes: u64,
    /// SHA-256 of the stored bytes, hex.
    pub stored_sha256: String,
    /// Size before compression and encryption.
    pub plain_bytes: u64,
    /// SHA-256 before compression and encryption, hex.
    pub plain_sha256: String,
}

/// Reads the plain bytes of a stored object.
///
/// A cut end, damage and trailing garbage are errors of [`Read::read`] that [`CodecError::of`] tells apart from those
/// of the source; several zstd frames or gzip members in a row are one object. Without compression and encryption only
/// the hashes, compared with the manifest's, tell whether it is whole.
pub struct Decoder<R: Read> {
    chain: Decompressor<R>,
    format: &'static str,
    source: Arc<Mutex<Source>>,
    plain: Tally,
    broken: bool,
}

impl<R: Read> Decoder<R> {
    /// A decoder of an object with this name; reads the header of an encrypted one.
    pub fn new(name: ObjectName<'_>, identities: &Identities, reader: R) -> Result<Self, CodecError> {
        let source = Arc::<Mutex<Source>>::default();
        let reader = BufReader::with_capacity(BUFFER, Tap { reader, source: Arc::clone(&source) });
        let unsealed = if name.encrypted {
            Unsealed::Age { age: Box::new(open(reader, identities, &source)?), source: Arc::clone(&source) }
        } else {
            Unsealed::Plain(reader)
        };
        let (chain, format) = match name.compression {
            Compression::None => (Decompressor::None(unsealed), "uncompressed"),
            Compression::Gzip(_) => {
                let reader = BufReader::with_capacity(BUFFER, unsealed);
                (Decompressor::Gzip(Box::new(MultiGzDecoder::new(reader))), "gzip")
            }
            Compression::Zstd(_) => {
                let reader = BufReader::with_capacity(BUFFER, unsealed);
                let zstd = ZstdDecoder::with_buffer(reader).map_err(|error| explain("zstd", &source, error))?;
                (Decompressor::Zstd(Box::new(zstd)), "zstd")
            }
        };
        Ok(Self { chain, format, source, plain: Tally::default(), broken: false })
    }

    /// How many stored bytes were read so far.
    pub fn stored_bytes(&self) -> u64 {
        lock(&self.source).tally.bytes()
    }

    /// Reads what is left, to the very end, and tells sizes and hashes.
    pub fn finish(mut self) -> Result<Decoded, CodecError> {
        let mut rest = vec![0; BUFFER];
        while self.read_some(&mut rest)? > 0 {}
        let (stored_bytes, stored_sha256) = std::mem::take(&mut lock(&self.source).tally).finish();
        let (plain_bytes, plain_sha256) = self.plain.finish();
        Ok(Decoded { stored_bytes, stored_sha256, plain_bytes, plain_sha256 })
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, CodecError> {
        if self.broken {
            return Err(CodecError::Read(io::Error::other("an earlier read failed")));
        }
        loop {
            let failed = match self.chain.read(buffer) {
                // An empty input has no frame that could miss its end.
                Ok(0) if self.stored_bytes() == 0 && self.format != "uncompressed" => {
                    CodecError::Truncated { format: self.format, stored_bytes: 0 }
                }
                Ok(length) => {
                    self.plain.add(&buffer[..length]);
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => explain(self.format, &self.source, error),
            };
            self.broken = true;
            return Err(failed);
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.read_some(buffer).map_err(io::Error::from)
    }
}

fn open<R: Read>(
    reader: BufReader<Tap<R>>,
    identities: &Identities,
    source: &Mutex<Source>,
) -> Result<StreamReader<BufReader<Tap<R>>>, CodecError> {
    if identities.is_empty() {
        return Err(CodecError::NoIdentity);
    }
    let opened = Decryptor::new_buffered(reader).and_then(|decryptor| decryptor.decrypt(identities.as_age()));
    opened.map_err(|error| match error {
        DecryptError::NoMatchingKeys => CodecError::WrongIdentity { identities: identities.len() },
        DecryptError::Io(error) => explain("age", source, error),
        DecryptError::InvalidHeader | DecryptError::UnknownFormat => CodecError::NotEncrypted,
        other => explain("age", source, io::Error::new(io::ErrorKind::InvalidData, other)),
    })
}

/// Says what an error of a library means: the source's, one already explained below, a cut end, or damage.
fn explain(format: &'static str, source: &Mutex<Source>, error: io::Error) -> CodecError {
    let source = lock(source);
    if source.failed {
        return CodecError::Read(error);
    }
    match error.downcast::<CodecError>() {
        Ok(explained) => explained,
        Err(error) => {
            let stored_bytes = source.tally.bytes();
            if error.kind() == io::ErrorKind::UnexpectedEof {
                CodecError::Truncated { format, stored_bytes }
            } else {
                CodecError::Damaged { format, stored_bytes, source: error }
            }
        }
    }
}

/// What is known of the source of the stored bytes. Shared, because age's reader does not give its own back.
#[derive(Default)]
struct Source {
    tally: Tally,
    failed: bool,
}

fn lock(source: &Mutex<Source>) -> MutexGuard<'_, Source> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Tap<R> {
    reader: R,
    source: Arc<Mutex<Source>>,
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer);
        let mut source = lock(&self.source);
        match &read {
            Ok(length) => source.tally.add(&buffer[..*length]),
            Err(error) => source.failed = error.kind() != io::ErrorKind::Interrupted,
        }
        read
    }
}

enum Unsealed<R: Read> {
    Plain(BufReader<Tap<R>>),
    Age { age: Box<StreamReader<BufReader<Tap<R>>>>, source: Arc<Mutex<Source>> },
}

impl<R: Read> Read for Unsealed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Age { age, source } => age.read(buffer).map_err(|error| match error.kind() {
                io::ErrorKind::Interrupted => error,
                _ => explain("age", source, error).into(),
            }),
        }
    }
}

enum Decompressor<R: Read> {
    None(Unsealed<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Unsealed<R>>>>),
    Zstd(Box<ZstdDecoder<'static, BufReader<Unsealed<R>>>>),
}

impl<R: Read> Read for Decompressor<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::None(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
            Self::Zstd(reader) => reader.read(buffer),
        }
    }
}
