//! The data blocks that follow the table of contents: a type byte (`BLK_DATA` 1, `BLK_BLOBS` 3), the id of their entry,
//! and chunks of a length and as many bytes, until a length of 0. A block of large objects holds, for each of them, its
//! OID and such chunks, until an OID of 0.

use std::collections::HashMap;

use xxhash_rust::xxh3::Xxh3Default;

use super::catalogue::{BlockKind, Rows};
use super::rows::BlockHasher;
use super::toc::Layout;
use super::{int, sum};
use crate::archive::manifest::LargeObject;
use crate::config::FingerprintLevel;

/// What the blocks held.
pub(super) struct Found {
    pub(super) tables: HashMap<i32, Rows>,
    pub(super) large_objects: Vec<LargeObject>,
}

/// The blocks, read as they pass.
#[derive(Debug)]
pub(super) struct Blocks {
    level: FingerprintLevel,
    int_length: usize,
    expected: HashMap<i32, BlockKind>,
    place: Place,
    /// The beginning of a number that is cut.
    cut: Vec<u8>,
    block: Block,
    tables: HashMap<i32, Rows>,
    large_objects: HashMap<u32, (u64, u128)>,
}

/// What comes next.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// A block's type byte and the id of its entry.
    BlockStart,
    LargeObjectStart,
    ChunkStart,
    Chunk {
        left: usize,
    },
}

/// The block being read, and what its bytes go into.
enum Block {
    Copy(i32, BlockHasher),
    LargeObjects(Option<OpenObject>),
    Other,
}

struct OpenObject {
    oid: u32,
    bytes: u64,
    hash: Box<Xxh3Default>,
}

impl Blocks {
    pub(super) fn new(level: FingerprintLevel, layout: Layout, expected: HashMap<i32, BlockKind>) -> Self {
        Self {
            level,
            int_length: 1 + usize::from(layout.int_size),
            expected,
            place: Place::BlockStart,
            cut: Vec::new(),
            block: Block::Other,
            tables: HashMap::new(),
            large_objects: HashMap::new(),
        }
    }

    /// Takes the next bytes; the error is why they make no sense.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            if let Place::Chunk { left } = self.place {
                let (chunk, rest) = bytes.split_at(left.min(bytes.len()));
                self.data(chunk)?;
                let left = left - chunk.len();
                self.place = if left == 0 { Place::ChunkStart } else { Place::Chunk { left } };
                bytes = rest;
                continue;
            }
            let wanted = self.int_length + usize::from(matches!(self.place, Place::BlockStart));
            let missing = wanted - self.cut.len();
            if bytes.len() < missing {
                self.cut.extend_from_slice(bytes);
                return Ok(());
            }
            let (number, rest) = bytes.split_at(missing);
            if self.cut.is_empty() {
                self.number(number)?;
            } else {
                self.cut.extend_from_slice(number);
                let number = std::mem::take(&mut self.cut);
                self.number(&number)?;
            }
            bytes = rest;
        }
        Ok(())
    }

    /// What was found, if every block has come and ended.
    pub(super) fn finish(self) -> Result<Found, String> {
        let at_start = matches!(self.place, Place::BlockStart) && self.cut.is_empty();
        if !at_start || !self.expected.is_empty() {
            return Err("the archive ends before its data does".to_owned());
        }
        let hashed = self.level == FingerprintLevel::Hash;
        let mut large_objects: Vec<LargeObject> = self
            .large_objects
            .into_iter()
            .map(|(oid, (bytes, hash))| LargeObject { oid, bytes, hash: hashed.then(|| sum::hex(hash)) })
            .collect();
        large_objects.sort_by_key(|object| object.oid);
        Ok(Found { tables: self.tables, large_objects })
    }

    #[inline]
    fn data(&mut self, bytes: &[u8]) -> Result<(), String> {
        match &mut self.block {
            Block::Copy(id, rows) => rows.push(bytes).map_err(|_| not_copy(*id)),
            Block::LargeObjects(Some(object)) => {
                object.bytes += bytes.len() as u64;
                if self.level == FingerprintLevel::Hash {
                    object.hash.update(bytes);
                }
                Ok(())
            }
            Block::LargeObjects(None) | Block::Other => Ok(()),
        }
    }

    #[inline]
    fn number(&mut self, bytes: &[u8]) -> Result<(), String> {
        let (kind, number) = bytes.split_at(bytes.len() - self.int_length);
        let number = int::decode(number).ok_or("a data block with an integer that is too large")?;
        match self.place {
            Place::ChunkStart => match usize::try_from(number) {
                Ok(0) => self.end_chunks(),
                Ok(left) => {
                    self.place = Place::Chunk { left };
                    Ok(())
                }
                Err(_) => Err(format!("a chunk of {number} bytes")),
            },
            Place::BlockStart => self.begin(kind.first().copied().unwrap_or_default(), number),
            Place::LargeObjectStart => {
                // OIDs above 2^31 are written as the negative ints that C makes of them.
                let oid = number.cast_unsigned();
                (self.block, self.place) = if oid == 0 {
                    (Block::Other, Place::BlockStart)
                } else {
                    let object = OpenObject { oid, bytes: 0, hash: Box::default() };
                    (Block::LargeObjects(Some(object)), Place::ChunkStart)
                };
                Ok(())
            }
            Place::Chunk { .. } => Ok(()),
        }
    }

    fn begin(&mut self, kind: u8, id: i32) -> Result<(), String> {
        let expected = self.expected.remove(&id).ok_or_else(|| format!("a data block of an unknown entry {id}"))?;
        (self.block, self.place) = match (kind, expected) {
            (1, BlockKind::Copy) => (Block::Copy(id, BlockHasher::new(self.level)), Place::ChunkStart),
            (1, BlockKind::Other) => (Block::Other, Place::ChunkStart),
            (3, BlockKind::LargeObjects) => (Block::LargeObjects(None), Place::LargeObjectStart),
            _ => return Err(format!("the data block of entry {id} is of an unexpected type {kind}")),
        };
        Ok(())
    }

    fn end_chunks(&mut self) -> Result<(), String> {
        self.place = Place::BlockStart;
        match std::mem::replace(&mut self.block, Block::Other) {
            Block::Copy(id, rows) => {
                let sum = rows.finish().map_err(|_| not_copy(id))?;
                let hash = (self.level == FingerprintLevel::Hash).then(|| sum.hex());
                self.tables.insert(id, (sum.count, hash));
            }
            Block::LargeObjects(Some(object)) => {
                self.block = Block::LargeObjects(None);
                self.place = Place::LargeObjectStart;
                if self.large_objects.insert(object.oid, (object.bytes, object.hash.digest128())).is_some() {
                    return Err(format!("large object {} comes twice", object.oid));
                }
            }
            Block::LargeObjects(None) | Block::Other => {}
        }
        Ok(())
    }
}

fn not_copy(id: i32) -> String {
    format!("the data block of entry {id} is not the text of a COPY")
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Copy(..) => "Copy",
            Self::LargeObjects(_) => "LargeObjects",
            Self::Other => "Other",
        })
    }
}
