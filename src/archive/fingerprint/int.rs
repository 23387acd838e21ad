//! The archive's integers: a sign byte, then `intSize` bytes, the least significant first (`ReadInt` in PostgreSQL's
//! `pg_backup_archiver.c`).

/// The bytes of an integer, or `None` for one that no C `int` holds.
#[inline]
pub(super) fn decode(bytes: &[u8]) -> Option<i32> {
    let (sign, magnitude) = bytes.split_first()?;
    let value = match magnitude.first_chunk::<4>() {
        Some(low) if magnitude[4..].iter().all(|byte| *byte == 0) => i64::from(u32::from_le_bytes(*low)),
        _ => return None,
    };
    let value = if *sign == 0 { value } else { -value };
    i32::try_from(value).ok()
}
