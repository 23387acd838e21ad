//! Plain bytes in, stored bytes out.

use std::io::{self, Write};

use age::stream::StreamWriter;
use bytes::Bytes;
use zstd::stream::raw::CParameter;
use zstd::stream::write::Encoder as ZstdEncoder;

use super::chunks::Chunks;
use super::gzip::ParallelGzip;
use super::keys::Recipient;
use super::tally::Tally;
use crate::config::Compression;

/// The size of the chunks given to the sink; the last one is smaller.
pub const CHUNK: usize = 1 << 20;

/// How bytes are to be stored.
#[derive(Debug, Clone)]
pub struct EncodeSpec {
    /// How they are compressed.
    pub compression: Compression,
    /// Whom they are encrypted to; empty: they are not.
    pub recipients: Vec<Recipient>,
    /// How many threads compress; fewer are used at the highest levels of zstd, where each needs much memory.
    pub threads: usize,
}

impl EncodeSpec {
    /// As many threads as there are processors, at most four: the dump is slower than four of them, and each costs
    /// memory.
    pub fn default_threads() -> usize {
        std::thread::available_parallelism().map_or(1, |count| count.get().min(4))
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Size before compression and encryption.
    pub plain_bytes: u64,
    /// SHA-256 before compression and encryption, hex.
    pub plain_sha256: String,
    /// Stored size.
    pub stored_bytes: u64,
    /// SHA-256 of the stored bytes, hex.
    pub stored_sha256: String,
}

/// Compresses, encrypts and hashes what is written to it, and gives it in chunks of [`CHUNK`] to a sink.
///
/// Only [`Encoder::finish`] makes it complete. Dropped, or after an error, what the sink has got is cut off in
/// mid-stream and no tool takes it for whole; except with neither compression nor encryption, where nothing can tell,
/// and the caller must discard it.
pub struct Encoder<S: FnMut(Bytes) -> io::Result<()>> {
    plain: Tally,
    chain: Compressor<Sealer<Chunks<S>>>,
    broken: bool,
}

impl<S: FnMut(Bytes) -> io::Result<()>> Encoder<S> {
    /// An encoder at the beginning of an object.
    pub fn new(spec: &EncodeSpec, sink: S) -> io::Result<Self> {
        let sealer = Sealer::new(&spec.recipients, Chunks::new(sink))?;
        let chain = Compressor::new(spec.compression, spec.threads, sealer)?;
        Ok(Self { plain: Tally::default(), chain, broken: false })
    }

    /// Takes the next plain bytes; returns when there is room for more. Errors are the sink's; after one, every further
    /// call fails.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed"));
        }
        self.plain.add(bytes);
        let written = self.chain.write_all(bytes);
        self.broken = written.is_err();
        written
    }

    /// How many plain bytes were taken so far.
    pub fn plain_bytes(&self) -> u64 {
        self.plain.bytes()
    }

    /// Completes the object: the last bytes go to the sink.
    pub fn finish(self) -> io::Result<Encoded> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed"));
        }
        let (stored_bytes, stored_sha256) = self.chain.finish()?.finish()?.finish()?;
        let (plain_bytes, plain_sha256) = self.plain.finish();
        Ok(Encoded { plain_bytes, plain_sha256, stored_bytes, stored_sha256 })
    }
}

enum Compressor<W: Write> {
    None(W),
    Gzip(ParallelGzip<W>),
    Zstd(ZstdEncoder<'static, W>),
}

impl<W: Write> Compressor<W> {
    fn new(compression: Compression, threads: usize, output: W) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(output),
            Compression::Gzip(level) => Self::Gzip(ParallelGzip::new(output, level, threads)?),
            Compression::Zstd(level) => {
                let mut zstd = ZstdEncoder::new(output, level)?;
                zstd.include_checksum(true)?;
                let Effort { threads: most, job } = Effort::of(level);
                zstd.multithread(u32::try_from(threads).unwrap_or(most).clamp(1, most))?;
                zstd.set_parameter(CParameter::JobSize(job))?;
                Self::Zstd(zstd)
            }
        })
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Self::None(output) => Ok(output),
            Self::Gzip(gzip) => gzip.finish(),
            Self::Zstd(zstd) => zstd.finish(),
        }
    }
}

/// How zstd's threads are kept from taking more memory than the rest of the process.
struct Effort {
    /// At most so many threads.
    threads: u32,
    /// How much of the input one thread compresses at a time.
    job: u32,
}

impl Effort {
    /// A thread was measured (zstd 1.5.7) to hold about 10 MiB at level 3, 20 at 9, 45 at 12, 75 at 15 and 100 at 19, so
    /// that these limits keep the whole below 100 MiB up to level 13, and below 130 MiB at any level.
    ///
    /// Jobs are twice zstd's window up to level 8, and as large as it above (`clevels.h`: 2 MiB up to level 8, 4 up to
    /// 16, 8 up to 19). zstd's default of four times the window would hold twice the memory for the same ratio (3.19 with
    /// either on rows of uuids and JSON).
    fn of(level: i32) -> Self {
        match level {
            ..=8 => Self { threads: u32::MAX, job: 4 << 20 },
            9..=11 => Self { threads: 4, job: 4 << 20 },
            12..=13 => Self { threads: 2, job: 4 << 20 },
            14..=16 => Self { threads: 1, job: 4 << 20 },
            _ => Self { threads: 1, job: 8 << 20 },
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(output) => output.write(bytes),
            Self::Gzip(gzip) => gzip.write(bytes),
            Self::Zstd(zstd) => zstd.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Sealer<W: Write> {
    Open(W),
    Age(Box<StreamWriter<W>>),
}

impl<W: Write> Sealer<W> {
    fn new(recipients: &[Recipient], output: W) -> io::Result<Self> {
        if recipients.is_empty() {
            return Ok(Self::Open(output));
        }
        let encryptor =
            age::Encryptor::with_recipients(recipients.iter().map(Recipient::as_age)).map_err(io::Error::other)?;
        Ok(Self::Age(Box::new(encryptor.wrap_output(output)?)))
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Self::Open(output) => Ok(output),
            Self::Age(age) => age.finish(),
        }
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Open(output) => output.write(bytes),
            Self::Age(age) => age.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
