//! From plain bytes to stored bytes and back: hashing, compression, encryption.
//!
//! ```text
//! write → SHA-256 → zstd | gzip | none → age → SHA-256 → chunks → sink
//! read  ← SHA-256 ← zstd | gzip | none ← age ← SHA-256 ← reader
//! ```
//!
//! What comes out is read by stock tools: `zstd -dc`, `gunzip`, `age -d`, `sha256sum`. Everything here is synchronous
//! and belongs on a blocking thread; compression has threads of its own.

mod chunks;
mod decode;
mod encode;
mod error;
mod gzip;
mod keys;
mod name;
mod tally;
#[cfg(test)]
mod tests;

pub use decode::{Decoded, Decoder};
pub use encode::{CHUNK, EncodeSpec, Encoded, Encoder};
pub use error::CodecError;
pub use keys::{Identities, KeyError, Recipient};
pub use name::{ObjectName, object_name};
