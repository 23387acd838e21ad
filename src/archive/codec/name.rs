//! Names of objects: `data.dump.zst.age`.

use crate::config::Compression;

/// The name of an object in a backup's folder: the base (`data.dump`, `data.db`, `globals.sql`), and an ending for each
/// thing that must be undone, the last one first.
pub fn object_name(base: &str, compression: Compression, encrypted: bool) -> String {
    let ending = match compression {
        Compression::None => "",
        Compression::Gzip(_) => ".gz",
        Compression::Zstd(_) => ".zst",
    };
    format!("{base}{ending}{}", if encrypted { ".age" } else { "" })
}

/// What an object's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectName<'a> {
    /// `data.dump`
    pub base: &'a str,
    /// How it is compressed. The name does not tell the level, which reading does not need: it is the default.
    pub compression: Compression,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

impl<'a> ObjectName<'a> {
    /// Takes a name apart.
    pub fn parse(name: &'a str) -> Self {
        let (name, encrypted) = name.strip_suffix(".age").map_or((name, false), |rest| (rest, true));
        let (base, compression) = if let Some(base) = name.strip_suffix(".zst") {
            (base, Compression::Zstd(3))
        } else if let Some(base) = name.strip_suffix(".gz") {
            (base, Compression::Gzip(6))
        } else {
            (name, Compression::None)
        };
        Self { base, compression, encrypted }
    }
}
