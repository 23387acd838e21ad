//! The configuration as files: where it is looked for, what is shipped, what is said about the machine it is on.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use caretaker::config::{self, Diagnostic, LoadOptions, Loaded, PostgresTarget};
use caretaker::config::{DatabaseKind, Severity};

use crate::support::{Sandbox, patient, run};

fn load(path: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    config::load(&LoadOptions { path: Some(path.to_owned()), ..LoadOptions::default() })
}

fn said(found: &[Diagnostic]) -> String {
    found.iter().map(|diagnostic| diagnostic.render(false)).collect::<Vec<_>>().join("\n")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn every_shipped_configuration_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let examples = fs::read_dir(folder.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut count = 0;
    for path in examples.chain([folder.join("caretaker.toml")]) {
        let loaded = load(&path).unwrap_or_else(|found| panic!("{}", said(&found)));
        // What the reader's machine lacks is no fault of the file.
        let own: Vec<_> =
            loaded.warnings.into_iter().filter(|warning| !warning.message.contains("does not exist")).collect();
        assert!(own.is_empty(), "{}: {}", path.display(), said(&own));
        count += 1;
    }
    assert!(count >= 4);
}

/// The starter shows every setting. What is commented out there is valid too, and no setting is forgotten.
#[test]
fn what_the_starter_configuration_comments_out_is_valid() {
    let mut in_databases = false;
    let mut setting = |line: &str| {
        let bare = line.trim_start_matches("# ").trim_start_matches('#');
        let is_key =
            bare.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        let is_table = bare.starts_with('[') && bare.ends_with(']');
        if is_table {
            in_databases = bare.starts_with("[databases.");
        }
        // Three ways to say the same, of which one may be chosen, and a key that is only hinted at.
        let is_alternative =
            in_databases && ["url_env", "url_file", "credential ="].iter().any(|key| bare.starts_with(key));
        let is_other = is_alternative || bare.contains('…');
        if (is_key || is_table) && !is_other { bare.to_owned() } else { String::new() }
    };
    let text: Vec<String> = config::STARTER.lines().map(&mut setting).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("caretaker.toml");
    fs::write(&path, text.join("\n")).unwrap();
    let loaded = load(&path).unwrap_or_else(|found| panic!("{}", said(&found)));
    assert_eq!((loaded.config.databases.len(), loaded.config.stores.len()), (2, 2));
    assert_eq!(loaded.config.channels.len(), 8);
    // `notes` shares its settings with `app`, and `local` has no more.
    // What all channels have is shown with the first.
    let is_shown = |name: &[String]| {
        !name.contains(&"notes".to_owned()) && (name[0] != "channels" || name[1] == "ops" || name[2] != "timeout")
    };
    let silent =
        loaded.show().settings().iter().filter(|setting| setting.origin == "default" && is_shown(&setting.path));
    assert_eq!(silent.map(|setting| setting.path.join(".")).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn init_writes_a_valid_configuration_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("etc/caretaker");
    let made = config::init(&target).unwrap();
    assert_eq!(made, [target.join("caretaker.toml"), target.join("conf.d")]);
    assert_eq!(fs::metadata(&made[0]).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(load(&made[0]).is_ok());
    fs::write(&made[0], "# mine").unwrap();
    assert!(matches!(config::init(&target), Err(config::InitError::Exists { path }) if path == made[0]));
    assert_eq!(fs::read_to_string(&made[0]).unwrap(), "# mine");
}

#[test]
fn additions_are_read_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("caretaker.toml");
    let below = folder.path().join("conf.d");
    fs::create_dir(&below).unwrap();
    fs::write(&path, "[daemon]\nmax_concurrent_runs = 1\n").unwrap();
    fs::write(below.join("b.toml"), "[daemon]\nmax_concurrent_runs = 3\n").unwrap();
    fs::write(below.join("a.toml"), "[daemon]\nmax_concurrent_runs = 2\n").unwrap();
    fs::write(below.join(".hidden.toml"), "nonsense").unwrap();
    fs::write(below.join("b.toml~"), "nonsense").unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.config.daemon.max_concurrent_runs, 3);
    assert_eq!(loaded.sources, [path.clone(), below.join("a.toml"), below.join("b.toml")]);
    fs::write(below.join("c.toml"), "[daemon]\nmax_runs = 4\n").unwrap();
    let found = load(&path).unwrap_err();
    assert_eq!(found.last().unwrap().to_json()["file"], below.join("c.toml").to_str().unwrap());
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("caretaker.toml");
    let found = load(&path).unwrap_err();
    assert_eq!(
        found[0].to_string(),
        format!("{}: cannot read the configuration: No such file or directory (os error 2)", path.display())
    );
    fs::write(&path, b"[daemon]\n# \xc3\xbc \xff\n").unwrap();
    let found = load(&path).unwrap_err();
    assert_eq!(found[0].to_string(), format!("{}:2:5: this is not UTF-8", path.display()));
    fs::write(&path, "\u{feff}[daemon]\r\n\r\nshedule = 1\r\n").unwrap();
    let found = load(&path).unwrap_err();
    assert!(found[0].to_string().contains(":3:1: unknown key `shedule`"), "{}", said(&found));
    assert!(!found[0].render(false).contains('\r'));
}

#[test]
fn secret_files_that_others_can_read_are_warned_about() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "hunter2\n").unwrap();
    let path = folder.path().join("caretaker.toml");
    let text = "[databases.app]\nurl = \"postgres://app@localhost/app\"\npassword_file = \"./secret\"\n\
                [stores.s]\nkind = \"local\"\npath = \"/srv/backups\"\n\
                [backup.b]\ndatabase = \"app\"\nstores = [\"s\"]\nretention = \"gfs\"\n";
    fs::write(&path, text).unwrap();
    for (mode, expected) in [(0o600, 0), (0o400, 0), (0o644, 1), (0o604, 1), (0o660, 1)] {
        set_mode(&secret, mode);
        let warnings = load(&path).unwrap().warnings;
        assert_eq!(warnings.len(), expected, "{mode:o}: {}", said(&warnings));
        assert!(
            warnings
                .iter()
                .all(|warning| warning.severity == Severity::Warning && warning.message.contains("is open to"))
        );
    }
    fs::remove_file(&secret).unwrap();
    assert!(said(&load(&path).unwrap().warnings).contains("does not exist"));
}

#[test]
fn a_url_file_gives_the_database_and_its_password() {
    use secrecy::ExposeSecret as _;
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("url");
    fs::write(&url, "postgresql+asyncpg://app:first@db.example.net/shop?ssl=verify-full\n").unwrap();
    let path = folder.path().join("caretaker.toml");
    fs::write(&path, "[databases.app]\nurl_file = \"./url\"\n").unwrap();
    let loaded = load(&path).unwrap();
    let database = loaded.config.databases.values().next().unwrap();
    let DatabaseKind::Postgres(PostgresTarget { dbname, password: Some(password), .. }) = &database.kind else {
        panic!()
    };
    assert_eq!((dbname.as_str(), password.read().unwrap().expose_secret()), ("shop", "first"));
    // Rotated: no restart needed.
    fs::write(&url, "postgresql://app:second@db.example.net/shop\n").unwrap();
    assert_eq!(password.read().unwrap().expose_secret(), "second");
}

#[test]
fn init_writes_a_valid_configuration_once_and_says_how_to_check_it() {
    let sandbox = Sandbox::new();
    let init = |folder: &str| run(sandbox.bare_command().args(["init", folder]), b"", patient());
    init("new/folder").succeeds().says("--config new/folder/caretaker.toml config check");
    let written = sandbox.path("new/folder/caretaker.toml");
    assert_eq!(fs::metadata(&written).unwrap().permissions().mode() & 0o777, 0o640);
    let check = ["--config", "new/folder/caretaker.toml", "config", "check"];
    run(sandbox.bare_command().args(check), b"", patient()).succeeds().says("configuration is good");
    fs::write(&written, "# mine\n").unwrap();
    init("new/folder").exits(3).complains("exists already");
    assert_eq!(fs::read_to_string(&written).unwrap(), "# mine\n");
}
