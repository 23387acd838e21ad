//! `make install`: everything where it belongs, and nothing of the operator's touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Outcome, run};

/// Installs the binary under test below a folder.
pub fn install(destination: &Path) -> Outcome {
    let mut make = Command::new("make");
    make.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("MAKEFLAGS").env_remove("MAKELEVEL").arg("install");
    make.arg(format!("DESTDIR={}", destination.display())).arg(concat!("BINARY=", env!("CARGO_BIN_EXE_caretaker")));
    run(&mut make, b"", Duration::from_secs(120)).succeeds()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

#[test]
fn make_install_puts_everything_where_it_belongs() {
    let tree = tempfile::tempdir().unwrap();
    install(tree.path());
    for (path, expected) in [
        ("usr/bin/caretaker", 0o755),
        ("usr/lib/systemd/system/caretaker.service", 0o644),
        ("usr/lib/systemd/system/caretaker-failure@.service", 0o644),
        ("usr/lib/sysusers.d/caretaker.conf", 0o644),
        ("usr/lib/tmpfiles.d/caretaker.conf", 0o644),
        ("etc/caretaker/caretaker.toml", 0o640),
        ("usr/share/man/man1/caretaker.1", 0o644),
        ("usr/share/bash-completion/completions/caretaker", 0o644),
        ("usr/share/zsh/site-functions/_caretaker", 0o644),
        ("usr/share/fish/vendor_completions.d/caretaker.fish", 0o644),
        ("usr/share/doc/caretaker/README.md", 0o644),
    ] {
        assert_eq!(mode(&tree.path().join(path)), expected, "the mode of {path}");
    }
    let completions = fs::read_to_string(tree.path().join("usr/share/bash-completion/completions/caretaker")).unwrap();
    assert!(completions.contains("restore"), "completions know the commands");
}

#[test]
fn make_install_keeps_the_operators_configuration() {
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir_all(tree.path().join("etc/caretaker")).unwrap();
    let mine = tree.path().join("etc/caretaker/caretaker.toml");
    fs::write(&mine, "# mine\n").unwrap();
    install(tree.path());
    assert_eq!(fs::read_to_string(&mine).unwrap(), "# mine\n");
}
