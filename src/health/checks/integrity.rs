//! Damage in a SQLite file that `integrity_check` finds, which looks at more than `quick_check` does: at the indexes too.
//! <https://www.sqlite.org/pragma.html#pragma_integrity_check>

use super::{Check, LookAt, newest_copy};
use crate::config::CheckName;
use crate::database::sqlite::Kind;

pub(super) const CHECK: Check = Check {
    name: CheckName::Integrity,
    about: "damage in a SQLite file, looked for in the newest backup's copy where there is one at hand",
    deep: true,
    warning: None,
    critical: Some(1.0),
    source: "a damaged file only gets worse",
    look: LookAt {
        postgres: None,
        sqlite: Some(|view| Box::pin(newest_copy::examine(view, Kind::Integrity, &WORDS))),
        own: None,
    },
};

const WORDS: newest_copy::Words = newest_copy::Words {
    none: "integrity_check finds nothing wrong",
    some: "findings of integrity_check",
    advice: "stop the application, keep the file, and restore the newest backup that passes (`caretaker backup verify`), \
             or try `sqlite3 FILE .recover`; where only indexes are named, REINDEX may be enough",
};
