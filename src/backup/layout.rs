//! Where the parts of a backup are in a store: `<database>/<backup-id>/<object>`.

use crate::store::ObjectKey;

/// The object that makes a backup exist: written last, deleted first.
pub const MANIFEST: &str = "manifest.json";

/// A backup's folder.
pub fn folder(database: &str, backup: &str) -> String {
    format!("{database}/{backup}")
}

/// An object of a backup.
pub fn object_key(database: &str, backup: &str, object: &str) -> ObjectKey {
    ObjectKey::new(&[database, backup, object])
}
