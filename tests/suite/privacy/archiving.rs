//! A policy that archives, and what stock tools read of its archives.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::scene::{Kind, Scene, rule};
use crate::backup::codecs::key_pair;
use crate::support::{files, stock};

/// A scene whose rules archive to the store `local`, and the key that opens what lies there.
pub struct Archiving {
    pub scene: Scene,
    pub key: PathBuf,
    pub public: String,
}

impl Archiving {
    pub fn new(kind: Kind, sql: &str) -> Self {
        let scene = Scene::new(kind, sql);
        let (key, public) = key_pair(&scene.sandbox, "key");
        Self { scene, key, public }
    }

    /// A rule that archives, with further settings of the archive and of the rule.
    pub fn rule(&self, table: &str, archive: &str, rest: &str) -> String {
        let archive = format!("store = 'local', encrypt_to = ['{}']{archive}", self.public);
        rule(table, &format!("action = {{ archive = {{ {archive} }} }}\n{rest}"))
    }

    pub fn policy(&self, lines: &str) -> &Self {
        self.scene.policy(lines);
        self
    }

    /// The files in the store's archives that are called so.
    pub fn objects(&self, name: &str) -> Vec<PathBuf> {
        let mut all = files(&self.scene.sandbox.store().join("_caretaker/archives"));
        all.retain(|path| path.file_name().is_some_and(|it| it == name));
        all.sort();
        all
    }

    pub fn manifests(&self) -> Vec<Value> {
        let read = |path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        self.objects("manifest.json").into_iter().map(read).collect()
    }

    /// All archived rows, one JSON document each, as stock tools read them.
    pub fn lines(&self) -> Vec<String> {
        let read =
            |path: PathBuf| stock::shell(r#"age -d -i "$1" "$2" | zstd -dcq"#, &[&self.key, &path]).succeeds().stdout;
        let all: String = self.objects("rows.jsonl.zst.age").into_iter().map(read).collect();
        all.lines().map(str::to_owned).collect()
    }

    pub fn ids(&self) -> Vec<i64> {
        let id = |line: &String| serde_json::from_str::<Value>(line).unwrap()["id"].as_i64().unwrap();
        let mut ids: Vec<i64> = self.lines().iter().map(id).collect();
        ids.sort_unstable();
        ids
    }
}
