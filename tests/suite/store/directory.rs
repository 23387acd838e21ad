//! What only directories do.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use caretaker::config;
use caretaker::store::{self, Store, StoreErrorKind};

use super::places::{self, MIB, key, noise};

async fn at(path: &Path) -> Arc<dyn Store> {
    let kind = config::StoreKind::Local(config::LocalStore { path: path.to_owned() });
    store::open(&config::Store { name: "local".parse().unwrap(), kind }).await.unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A small file system in memory; mounting takes root, which the tests run as.
struct Small(tempfile::TempDir);

impl Small {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(folder.path()).status();
        assert!(done.unwrap().success(), "mount needs root");
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    fn read_only(&self) {
        assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(self.0.path()).status().unwrap().success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn files_and_folders_are_for_their_owner_alone() {
    let place = places::directory().await;
    place.upload(&key("app/one/data"), &noise(10)).await.unwrap();
    place.store.put(&key("app/one/manifest.json"), noise(10)).await.unwrap();
    assert!(place.store.put_new(&key("app/one/events/pinned"), noise(10)).await.unwrap());
    let root = place.folder.path().join("store");
    for folder in [root.clone(), root.join("app"), root.join("app/one"), root.join("app/one/events")] {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
    }
    for object in place.keys().await {
        assert_eq!(mode(&root.join(&object)), 0o600, "{object}");
    }
}

#[tokio::test]
async fn an_object_appears_only_when_it_is_whole() {
    let place = places::directory().await;
    let mut upload = place.store.begin(&key("app/one/data")).await.unwrap();
    upload.write(noise(MIB)).await.unwrap();
    assert_eq!(place.keys().await, Vec::<String>::new());
    assert_eq!(place.store.get(&key("app/one/data")).await.unwrap(), None);
    assert_eq!(place.store.sweep("").await.unwrap(), 0, "somebody is writing it");
    upload.finish().await.unwrap();
    assert_eq!(place.keys().await, ["app/one/data"]);
}

#[tokio::test]
async fn what_a_crash_left_is_swept_and_nothing_else() {
    let place = places::directory().await;
    let root = place.folder.path().join("store");
    std::fs::create_dir_all(root.join("app/one/events")).unwrap();
    std::fs::create_dir_all(root.join("app/two")).unwrap();
    for name in ["app/one/.data.dump.zst.0192.partial", "app/two/.manifest.json.0193.partial"] {
        std::fs::write(root.join(name), b"half").unwrap();
    }
    place.store.put(&key("app/three/data"), noise(10)).await.unwrap();
    assert_eq!(place.keys().await, ["app/three/data"]);
    assert_eq!(place.store.sweep("app/one").await.unwrap(), 1);
    assert!(!root.join("app/one").exists() && root.join("app/two").exists());
    assert_eq!(place.store.sweep("").await.unwrap(), 1);
    assert_eq!(place.keys().await, ["app/three/data"]);
    place.store.delete(&key("app/three/data")).await.unwrap();
    place.assert_empty().await;
    assert!(root.exists(), "the root stays");
}

#[tokio::test]
async fn a_store_never_written_to_is_empty_and_stays_unmade() {
    let place = places::directory().await;
    assert_eq!(place.keys().await, Vec::<String>::new());
    assert_eq!(place.store.sweep("").await.unwrap(), 0);
    place.store.delete(&key("app/one/data")).await.unwrap();
    assert!(!place.folder.path().join("store").exists());
}

#[tokio::test]
async fn a_store_on_a_disk_that_is_not_mounted_is_missing() {
    let place = places::directory().await;
    let root = place.folder.path().join("not-mounted/store");
    let store = at(&root).await;
    let object = key("app/one/data");
    let errors = [
        store.put(&object, noise(10)).await.unwrap_err(),
        store.begin(&object).await.err().unwrap(),
        store.list("").await.unwrap_err(),
        store.get(&object).await.unwrap_err(),
        store.delete(&object).await.unwrap_err(),
        store.probe().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind, error.object), (StoreErrorKind::Missing, root.display().to_string()));
    }
    let file = place.folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    assert!(at(&file).await.probe().await.is_err());
}

#[tokio::test]
async fn a_full_disk_fails_the_upload_and_gets_its_room_back() {
    let disk = Small::new();
    let store = at(&disk.path().join("store")).await;
    let object = key("app/one/data");
    let mut upload = store.begin(&object).await.unwrap();
    let error = loop {
        if let Err(error) = upload.write(noise(MIB / 2)).await {
            break error;
        }
    };
    assert_eq!(error.kind, StoreErrorKind::Full);
    upload.abort().await;
    assert_eq!(store.list("").await.unwrap(), []);
    assert_eq!(store.put(&object, noise(3 * MIB)).await.unwrap_err().kind, StoreErrorKind::Full);
    assert_eq!(store.sweep("").await.unwrap(), 0);
    store.put(&object, noise(MIB)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_found_out_by_finish_as_well() {
    let disk = Small::new();
    let store = at(&disk.path().join("store")).await;
    let mut upload = store.begin(&key("app/one/data")).await.unwrap();
    upload.write(noise(3 * MIB)).await.unwrap();
    assert_eq!(upload.finish().await.unwrap_err().kind, StoreErrorKind::Full);
    assert_eq!(store.list("").await.unwrap(), []);
}

#[tokio::test]
async fn a_read_only_store_is_said_to_be_so_and_can_be_read() {
    let disk = Small::new();
    let store = at(&disk.path()).await;
    let object = key("app/one/data");
    store.put(&object, noise(10)).await.unwrap();
    disk.read_only();
    let errors = [
        store.put(&object, noise(10)).await.unwrap_err(),
        store.put_new(&key("app/two/data"), noise(10)).await.unwrap_err(),
        store.begin(&object).await.err().unwrap(),
        store.delete(&object).await.unwrap_err(),
        store.probe().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind, StoreErrorKind::ReadOnly, "{error}");
    }
    assert_eq!(store.get(&object).await.unwrap().unwrap(), noise(10));
    assert_eq!(store.list("").await.unwrap().len(), 1);
}

#[tokio::test]
async fn no_key_leads_out_of_the_store() {
    let place = places::directory().await;
    for text in ["../data", "app/../../data", "/etc/passwd", "app//data", "", "app/./data"] {
        assert_eq!(store::ObjectKey::parse(text), None, "{text}");
    }
    assert!(place.store.put(&key("app/.data.0192.partial"), noise(10)).await.is_err());
    for folder in ["..", "app/../..", "/etc"] {
        assert!(place.store.list(folder).await.is_err(), "{folder}");
        assert!(place.store.sweep(folder).await.is_err(), "{folder}");
    }
}
