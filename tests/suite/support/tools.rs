//! PostgreSQL's client tools, wrapped: counted, or made to misbehave. For `pg_bindir`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Sandbox, required, until};

/// A folder with the tools of the shared server's version.
#[derive(Debug)]
pub struct Tools {
    folder: PathBuf,
    real: PathBuf,
}

impl Tools {
    /// The real tools, each call of which is counted.
    pub fn new(sandbox: &Sandbox) -> Self {
        let tools = Self { folder: sandbox.path("bin"), real: required("CARETAKER_TEST_PG_BIN").into() };
        fs::create_dir_all(&tools.folder).unwrap();
        for name in ["pg_dump", "pg_dumpall", "pg_restore"] {
            tools.replace(name, "exec \"$real\" \"$@\"");
        }
        tools
    }

    /// The real tools, and a shell script in the place of pg_dump.
    pub fn with_dump(sandbox: &Sandbox, script: &str) -> Self {
        let tools = Self::new(sandbox);
        tools.replace("pg_dump", script);
        tools
    }

    /// A pg_dump that holds back most of its output until [`Self::release`]. The output is its archive all the same.
    pub fn held(sandbox: &Sandbox) -> Self {
        Self::with_dump(
            sandbox,
            "\"$real\" \"$@\" | { head -c 2000; touch \"$here/begun\"; \
             while [ ! -e \"$here/released\" ]; do sleep 0.05; done; cat; }\n\
             [ \"${PIPESTATUS[0]}\" = 0 ]",
        )
    }

    /// Waits until a held dump has begun.
    #[track_caller]
    pub fn wait_begun(&self) {
        until("the dump to begin", super::patient(), || self.folder.join("begun").exists());
    }

    /// Lets a held dump, and those after it, go on.
    pub fn release(&self) {
        fs::write(self.folder.join("released"), "").unwrap();
    }

    /// The line for `[daemon]`.
    pub fn setting(&self) -> String {
        format!("pg_bindir = '{}'\n", self.folder.display())
    }

    /// Puts a shell script in a tool's place. It finds the real one in `$real`, and this folder in `$here`.
    pub fn replace(&self, name: &str, script: &str) {
        self.write(name, "exec \"$real\" --version", script);
    }

    /// Puts a script in a tool's place that says to be of another version.
    pub fn pretend(&self, name: &str, version: &str, script: &str) {
        self.write(name, &format!("echo '{name} (PostgreSQL) {version}'; exit 0"), script);
    }

    fn write(&self, name: &str, version: &str, script: &str) {
        let (here, real) = (self.folder.display(), self.real.join(name));
        let text = format!(
            "#!/bin/bash\nhere='{here}'\nreal='{}'\nif [ \"$1\" = --version ]; then {version}; fi\n\
             echo called >>\"$here/{name}.calls\"\n{script}\n",
            real.display()
        );
        // Renamed into its place: one that runs is not to be written to.
        let new = self.folder.join(format!("{name}.new"));
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, self.folder.join(name)).unwrap();
    }

    /// How often a tool was called to do its work.
    pub fn calls(&self, name: &str) -> usize {
        let calls = fs::read_to_string(self.folder.join(format!("{name}.calls"))).unwrap_or_default();
        calls.lines().count()
    }

    /// A file that a script has written into `$here`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
