//! What `config check --online` tries in every store.

use bytes::Bytes;

use super::{ObjectKey, Store, StoreError, StoreErrorKind};

/// A key nobody else uses.
pub fn key() -> ObjectKey {
    ObjectKey::new(&["_caretaker", &format!("probe-{}", uuid::Uuid::now_v7().simple())])
}

/// Writes a small object, reads it back, compares, deletes it and looks whether it is gone.
pub async fn write_and_read_back(store: &dyn Store) -> Result<(), StoreError> {
    let key = key();
    let bytes = Bytes::from(format!("Caretaker was here to see whether it can write: {key}\n"));
    store.put(&key, bytes.clone()).await?;
    let read = store.get(&key).await;
    let deleted = store.delete(&key).await;
    let mismatch = |what: &str| StoreError {
        store: store.name().clone(),
        operation: "probe",
        object: key.to_string(),
        kind: StoreErrorKind::Mismatch(what.to_owned()),
        source: None,
    };
    if read?.as_ref() != Some(&bytes) {
        return Err(mismatch("an object written a moment ago reads differently"));
    }
    deleted?;
    if store.head(&key).await?.is_some() {
        return Err(mismatch("an object deleted a moment ago is still there"));
    }
    Ok(())
}
