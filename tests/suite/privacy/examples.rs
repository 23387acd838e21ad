//! The policies in `config/examples/`, each on the schema it is for, filled: what goes, what changes, and that nothing else
//! does, row by row.

mod classroom;
mod ferpa;
mod gdpr;
mod guardians;
mod students;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::scene::{Kind, Scene};

/// An example's policy on a database of its own.
struct Trial {
    scene: Scene,
    policy: &'static str,
    tables: &'static [&'static str],
}

/// Every row of every table, by table and `id`, as the stock client prints it.
type Rows = BTreeMap<(&'static str, String), String>;

/// What became of rows: `table id`.
#[derive(Debug, Default, PartialEq)]
struct Became {
    gone: BTreeSet<String>,
    changed: BTreeSet<String>,
}

impl Trial {
    /// The example of this name, word for word but for the places of its database and its store. There is a backup.
    fn new(kind: Kind, policy: &'static str, tables: &'static [&'static str], sql: &str) -> Self {
        let scene = Scene::new(kind, sql);
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples").join(format!("{policy}.toml"));
        let text = std::fs::read_to_string(file).unwrap();
        let mut lines =
            vec![format!("[daemon]\nstate_dir = '{}'\ntimezone = 'UTC'\n", scene.sandbox.state().display())];
        lines.extend(text.lines().filter(|line| !line.starts_with("password_file = ")).map(|line| match line {
            line if line.starts_with("url = ") => format!("url = '{}'", scene.url()),
            line if line.starts_with("path = ") => format!("path = '{}'", scene.sandbox.store().display()),
            line => line.to_owned(),
        }));
        scene.sandbox.configure_exactly(&lines.join("\n"));
        scene.sandbox.run_nightly();
        Self { scene, policy, tables }
    }

    fn rows(&self) -> Rows {
        let of_table = |table: &&'static str| {
            let rows = self.scene.sql(&format!("SELECT id, '=', * FROM {table} ORDER BY id"));
            let keyed =
                rows.lines().map(|line| ((*table, line.split('|').next().unwrap().to_owned()), line.to_owned()));
            keyed.collect::<Vec<_>>()
        };
        self.tables.iter().flat_map(of_table).collect()
    }

    /// What something does to the rows. It brings none.
    fn watch(&self, what: impl FnOnce()) -> Became {
        let before = self.rows();
        what();
        let after = self.rows();
        assert!(after.keys().all(|key| before.contains_key(key)), "rows have come");
        let mut became = Became::default();
        for (key, row) in &before {
            match after.get(key) {
                None => became.gone.insert(format!("{} {}", key.0, key.1)),
                Some(new) if new != row => became.changed.insert(format!("{} {}", key.0, key.1)),
                Some(_) => false,
            };
        }
        became
    }

    /// Plans and applies the policy, and once more, which does nothing.
    fn apply(&self) -> Became {
        let plan = self.scene.privacy(&["plan", self.policy, "--format", "json"]).succeeds().json();
        let rules = plan["rules"].as_array().unwrap();
        assert!(rules.iter().all(|rule| rule["problems"] == serde_json::json!([])), "{plan}");
        let planned: u64 = rules.iter().map(|rule| rule["meaning"]["rows"].as_u64().unwrap()).sum();
        let apply = || drop(self.scene.privacy(&["apply", self.policy, "--yes"]).succeeds());
        let became = self.watch(apply);
        assert_eq!(planned as usize, became.gone.len() + became.changed.len(), "{plan}");
        assert_eq!(self.watch(apply), Became::default());
        became
    }

    /// Erases a person, who is not found again. Gives the erasure's id as well.
    fn erase(&self, person: &str) -> (Became, String) {
        let erase = ["erase", self.policy, "--subject", person, "--yes", "--format", "json"];
        let mut erasure = Value::Null;
        let became = self.watch(|| erasure = self.scene.privacy(&erase).succeeds().json());
        self.scene.privacy(&erase[..5]).succeeds().says("nothing is found: erased");
        (became, erasure["id"].as_str().unwrap().to_owned())
    }

    /// Every column has a class, the log verifies, and all that was done has its certificate.
    fn can_be_shown(&self, erasure: &str) {
        let coverage = self.scene.privacy(&["coverage", self.policy, "--format", "json"]).succeeds().json();
        for list in ["unclassified", "unknown", "unseen"] {
            assert_eq!(coverage[list], serde_json::json!([]), "{list}");
        }
        let public = |one: &&Value| one["class"] == "public";
        assert_eq!(coverage["contradicted"].as_array().unwrap().iter().find(public), None);
        self.scene.privacy(&["verify-log"]).succeeds().says("the log is as it was written");
        for of in ["latest", erasure] {
            for form in [&[][..], &["--html"], &["--format", "json"]] {
                let told = self.scene.privacy(&[&["certificate", of][..], form].concat()).succeeds();
                assert!(told.stdout.contains("one person was erased") == (of == erasure), "{}", told.stdout);
            }
        }
        self.scene.sandbox.caretaker(&["config", "check"]).succeeds();
    }
}

/// `table 1`, `table 2`, … of a table, by the ids that the schema has for these numbers.
fn named(table: &str, numbers: impl IntoIterator<Item = u32>, id: fn(u32) -> String) -> BTreeSet<String> {
    numbers.into_iter().map(|number| format!("{table} {}", id(number))).collect()
}

/// Several of them.
fn all(sets: impl IntoIterator<Item = BTreeSet<String>>) -> BTreeSet<String> {
    sets.into_iter().flatten().collect()
}

fn plain(number: u32) -> String {
    number.to_string()
}

/// A UUID that tells its number.
fn uuid(number: u32) -> String {
    format!("5b1d0000-0000-4000-8000-{number:012}")
}

/// The one that stands for nobody.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
