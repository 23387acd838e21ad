//! Reads an archive of pg_dump's custom format as it passes.

use super::blocks::Blocks;
use super::catalogue::Catalogue;
use super::toc::{self, Header, Layout, Stop};
use super::{Broken, Contents, DumpFingerprint};
use crate::archive::manifest::LargeObject;
use crate::config::FingerprintLevel;

/// Reads `pg_dump --format=custom --compress=0` as it passes, in chunks cut anywhere: rows and hashes of every table,
/// hashes of every large object, and what the table of contents says.
///
/// It never fails and never guesses: whatever it does not understand to the last byte makes the whole dump *not
/// fingerprinted*, with the reason. Memory is bounded by the longest entry of the table of contents (at most 256 MiB
/// are believed; rows and large objects are never held) and a few dozen bytes per table and large object.
#[derive(Debug)]
pub struct DumpReader {
    level: FingerprintLevel,
    /// The beginning of what cannot be read before more has come.
    pending: Vec<u8>,
    /// How long `pending` must at least be before it is worth trying again.
    needed: usize,
    not_an_archive: bool,
    header: Option<Header>,
    entries_left: u64,
    catalogue: Catalogue,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Header,
    Contents(Layout),
    Blocks(Box<Blocks>),
    /// Nothing more is of interest.
    Done,
    Lost(String),
}

impl DumpReader {
    /// A reader at the beginning of an archive. At level `none` it reads the table of contents only.
    pub fn new(level: FingerprintLevel) -> Self {
        Self {
            level,
            pending: Vec::new(),
            needed: 0,
            not_an_archive: false,
            header: None,
            entries_left: 0,
            catalogue: Catalogue::default(),
            place: Place::Header,
        }
    }

    /// Takes the archive's next bytes.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        match &mut self.place {
            Place::Blocks(blocks) => {
                if let Err(reason) = blocks.push(bytes) {
                    self.place = Place::Lost(reason);
                }
            }
            Place::Header | Place::Contents(_) => self.push_contents(bytes),
            Place::Done | Place::Lost(_) => {}
        }
    }

    /// What was found, after the archive's last byte.
    pub fn finish(mut self) -> DumpFingerprint {
        let (broken, not_fingerprinted) = match std::mem::replace(&mut self.place, Place::Done) {
            Place::Done => (None, None),
            Place::Lost(reason) => (self.not_an_archive.then_some(Broken::NoArchive), Some(reason)),
            Place::Header | Place::Contents(_) => {
                (Some(Broken::NoArchive), Some("the archive ends before its data".to_owned()))
            }
            Place::Blocks(blocks) => match blocks.finish() {
                Ok(found) => {
                    self.catalogue.fill(found.tables);
                    return self.report(found.large_objects, None, None);
                }
                Err(reason) => (Some(Broken::Cut), Some(reason)),
            },
        };
        self.report(Vec::new(), broken, not_fingerprinted)
    }

    fn report(
        self,
        large_objects: Vec<LargeObject>,
        broken: Option<Broken>,
        not_fingerprinted: Option<String>,
    ) -> DumpFingerprint {
        let Catalogue { encoding, owners, .. } = &self.catalogue;
        let contents = self.header.filter(|_| self.entries_left == 0).map(|header| Contents {
            archive_version: (1, header.layout.minor),
            created: header.created,
            database: header.database,
            server_version: header.server_version,
            pg_dump_version: header.pg_dump_version,
            encoding: encoding.clone(),
            entries: header.entries,
            owners: owners.iter().cloned().collect(),
        });
        let not_fingerprinted = not_fingerprinted.filter(|_| self.level != FingerprintLevel::None);
        DumpFingerprint {
            level: self.level,
            tables: self.catalogue.into_tables(),
            large_objects,
            contents,
            broken,
            not_fingerprinted,
        }
    }

    fn push_contents(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() < self.needed {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let mut at = 0;
        match self.read_contents(&pending, &mut at) {
            Ok(_) if self.level == FingerprintLevel::None => self.place = Place::Done,
            Ok(layout) => {
                self.place = Place::Blocks(Box::new(Blocks::new(self.level, layout, self.catalogue.blocks())));
                self.push(&pending[at..]);
            }
            Err(Stop::Short(needed)) => {
                self.needed = needed;
                self.pending = pending;
                self.pending.drain(..at);
            }
            Err(Stop::Wrong(reason)) => {
                self.not_an_archive = self.header.is_none() && !toc::is_archive(&pending);
                self.place = Place::Lost(reason);
            }
        }
    }

    fn read_contents(&mut self, bytes: &[u8], at: &mut usize) -> Result<Layout, Stop> {
        let layout = match &self.place {
            Place::Contents(layout) => *layout,
            _ => {
                let (header, length) = toc::header(bytes)?;
                let layout = header.layout;
                self.entries_left = header.entries;
                self.header = Some(header);
                self.place = Place::Contents(layout);
                *at = length;
                layout
            }
        };
        while self.entries_left > 0 {
            let (entry, length) = toc::entry(&bytes[*at..], layout)?;
            self.catalogue.add(&entry)?;
            self.entries_left -= 1;
            *at += length;
        }
        Ok(layout)
    }
}
