//! The header and the table of contents of an archive, in the order in which `ReadHead`, `ReadToc` and `_ReadExtraToc`
//! of PostgreSQL's `pg_backup_archiver.c` and `pg_backup_custom.c` read them. Known: versions 1.12 (PostgreSQL 9.0) to
//! 1.16 (17 and 18).

use super::int;

/// Every archive begins with it.
const MAGIC: &[u8] = b"PGDMP";
/// The longest string and the largest number of entries that are believed. pg_dump's longest strings are definitions,
/// at most a server's 1 GB; what is beyond a quarter of it is not worth the memory.
const MAX_STRING: usize = 256 << 20;
const MAX_ENTRIES: i32 = 1 << 30;

/// Why bytes could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// They end too early: at least as many are needed in all.
    Short(usize),
    /// They are not what an archive holds.
    Wrong(String),
}

fn wrong<T>(text: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(text.into()))
}

/// What decides how the rest is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The format's minor version; the major one is 1.
    pub(super) minor: u8,
    /// Bytes of an integer, its sign byte not counted.
    pub(super) int_size: u8,
    /// Bytes of a file offset.
    pub(super) offset_size: u8,
}

/// The header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) layout: Layout,
    pub(super) created: Option<jiff::civil::DateTime>,
    pub(super) database: String,
    pub(super) server_version: String,
    pub(super) pg_dump_version: String,
    /// How many entries follow.
    pub(super) entries: u64,
}

/// What is of interest in an entry; strings that are absent (NULL) are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) dump_id: i32,
    /// Whether a data block belongs to it.
    pub(super) has_data: bool,
    pub(super) tag: &'a [u8],
    pub(super) desc: &'a [u8],
    pub(super) defn: &'a [u8],
    pub(super) copy_statement: &'a [u8],
    pub(super) schema: &'a [u8],
    pub(super) owner: &'a [u8],
    pub(super) dependencies: Vec<i32>,
}

/// Whether these are the first bytes of an archive of some version.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Reads the header and the number of entries. Returns how many bytes they take.
pub(super) fn header(bytes: &[u8]) -> Result<(Header, usize), Stop> {
    let layout = Layout { minor: 0, int_size: 4, offset_size: 8 };
    let mut cursor = Cursor { bytes, at: 0, layout };
    if cursor.take(MAGIC.len())? != MAGIC {
        return wrong("it is not an archive of pg_dump's custom format");
    }
    let [major, minor, revision] = cursor.array()?;
    if major != 1 || !(12..=16).contains(&minor) || revision != 0 {
        return wrong(format!(
            "archive version {major}.{minor}-{revision} is unknown; this version of Caretaker reads 1.12 to 1.16"
        ));
    }
    let [int_size, offset_size, format] = cursor.array()?;
    if !(4..=8).contains(&int_size) || !(1..=16).contains(&offset_size) {
        return wrong(format!("integers of {int_size} bytes and offsets of {offset_size} bytes are unknown"));
    }
    // archCustom in pg_backup.h.
    if format != 1 {
        return wrong(format!("archive format {format} is not the custom format"));
    }
    cursor.layout = Layout { minor, int_size, offset_size };
    let compression = if minor >= 15 { i32::from(cursor.array::<1>()?[0]) } else { cursor.int()? };
    if compression != 0 {
        return wrong("the archive is compressed inside");
    }
    let mut time = [0; 7];
    for part in &mut time {
        *part = cursor.int()?;
    }
    let header = Header {
        layout: cursor.layout,
        created: civil(time),
        database: text(cursor.string()?),
        server_version: text(cursor.string()?),
        pg_dump_version: text(cursor.string()?),
        entries: match cursor.int()? {
            count @ 0..=MAX_ENTRIES => count as u64,
            count => return wrong(format!("{count} entries in the table of contents")),
        },
    };
    Ok((header, cursor.at))
}

/// Reads one entry. Returns how many bytes it takes.
pub(super) fn entry(bytes: &[u8], layout: Layout) -> Result<(Entry<'_>, usize), Stop> {
    let mut cursor = Cursor { bytes, at: 0, layout };
    let dump_id = cursor.int()?;
    if dump_id <= 0 {
        return wrong(format!("entry with id {dump_id} in the table of contents"));
    }
    let has_data = cursor.int()? != 0;
    let _table_oid = cursor.string()?;
    let _oid = cursor.string()?;
    let tag = cursor.string()?;
    let desc = cursor.string()?;
    let _section = cursor.int()?;
    let defn = cursor.string()?;
    let _drop_statement = cursor.string()?;
    let copy_statement = cursor.string()?;
    let schema = cursor.string()?;
    let _tablespace = cursor.string()?;
    if layout.minor >= 14 {
        let _access_method = cursor.string()?;
    }
    if layout.minor >= 16 {
        let _relation_kind = cursor.int()?;
    }
    let owner = cursor.string()?;
    let _with_oids = cursor.string()?;
    let mut dependencies = Vec::new();
    while let Some(dependency) = cursor.optional_string()? {
        let Some(id) = std::str::from_utf8(dependency).ok().and_then(|id| id.parse().ok()) else {
            return wrong(format!("entry {dump_id} depends on something that is not an entry"));
        };
        dependencies.push(id);
    }
    // K_OFFSET_POS_NOT_SET, K_OFFSET_POS_SET, K_OFFSET_NO_DATA.
    if !matches!(cursor.array()?, [1..=3]) {
        return wrong(format!("entry {dump_id} has an unknown kind of offset"));
    }
    cursor.take(usize::from(layout.offset_size))?;
    let entry = Entry { dump_id, has_data, tag, desc, defn, copy_statement, schema, owner, dependencies };
    Ok((entry, cursor.at))
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    layout: Layout,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let end = self.at + length;
        let taken = self.bytes.get(self.at..end).ok_or(Stop::Short(end))?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let short = Stop::Short(self.at + N);
        self.take(N)?.try_into().map_err(|_| short)
    }

    fn int(&mut self) -> Result<i32, Stop> {
        let bytes = self.take(1 + usize::from(self.layout.int_size))?;
        int::decode(bytes).map_or_else(|| wrong("an integer that is too large"), Ok)
    }

    fn optional_string(&mut self) -> Result<Option<&'a [u8]>, Stop> {
        match usize::try_from(self.int()?) {
            Err(_) => Ok(None),
            Ok(length) if length <= MAX_STRING => self.take(length).map(Some),
            Ok(length) => wrong(format!("a string of {length} bytes in the table of contents")),
        }
    }

    fn string(&mut self) -> Result<&'a [u8], Stop> {
        Ok(self.optional_string()?.unwrap_or_default())
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// C's `struct tm`, from seconds up to `tm_isdst`.
fn civil([second, minute, hour, day, month, year, _]: [i32; 7]) -> Option<jiff::civil::DateTime> {
    // 60 is a leap second, which jiff does not have.
    let small = |value: i32| i8::try_from(value).ok();
    jiff::civil::DateTime::new(
        i16::try_from(year.checked_add(1900)?).ok()?,
        small(month.checked_add(1)?)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second.min(59))?,
        0,
    )
    .ok()
}
