//! PostgreSQL's client tools, with a pg_dump that misbehaves as a test wants.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Sandbox, required, until};

/// A folder for `pg_bindir`.
#[derive(Debug)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// The real tools, and a pg_dump that is a shell script. In the script `"$REAL"` is the real one, and `$HERE` the
    /// folder; whoever asks it for its version gets the real answer.
    pub fn with_dump(sandbox: &Sandbox, script: &str) -> Self {
        let folder = sandbox.path("bin");
        fs::create_dir(&folder).unwrap();
        let real = Path::new(&required("CARETAKER_TEST_PG_BIN")).to_owned();
        for tool in ["pg_restore", "pg_dumpall"] {
            std::os::unix::fs::symlink(real.join(tool), folder.join(tool)).unwrap();
        }
        let text = format!(
            "#!/bin/bash\nREAL='{}' HERE='{}'\n[ \"$1\" != --version ] || exec \"$REAL\" --version\n{script}\n",
            real.join("pg_dump").display(),
            folder.display()
        );
        fs::write(folder.join("pg_dump"), text).unwrap();
        fs::set_permissions(folder.join("pg_dump"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    /// A pg_dump that holds back most of its output until [`Self::release`]. The output is its archive all the same.
    pub fn held(sandbox: &Sandbox) -> Self {
        Self::with_dump(
            sandbox,
            "\"$REAL\" \"$@\" | { head -c 2000; touch \"$HERE/begun\"; \
             while [ ! -e \"$HERE/released\" ]; do sleep 0.05; done; cat; }\n\
             [ \"${PIPESTATUS[0]}\" = 0 ]",
        )
    }

    /// The line for `[daemon]`.
    pub fn setting(&self) -> String {
        format!("pg_bindir = '{}'", self.folder.display())
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
}
