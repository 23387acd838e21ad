//! Rows of a SQLite file that refer to rows which do not exist: SQLite enforces foreign keys only on connections that ask
//! for it. <https://www.sqlite.org/foreignkeys.html>

use super::{Check, LookAt, newest_copy};
use crate::config::CheckName;
use crate::database::sqlite::Kind;

pub(super) const CHECK: Check = Check {
    name: CheckName::ForeignKeys,
    about: "rows of a SQLite file that refer to nothing",
    deep: true,
    warning: Some(1.0),
    critical: None,
    source: "an orphan is a fault of the application, seldom one of tonight",
    look: LookAt {
        postgres: None,
        sqlite: Some(|view| Box::pin(newest_copy::examine(view, Kind::ForeignKeys, &WORDS))),
        own: None,
    },
};

const WORDS: newest_copy::Words = newest_copy::Words {
    none: "every foreign key refers to a row",
    some: "rows refer to nothing",
    advice: "`PRAGMA foreign_key_check` names them; let the application set `PRAGMA foreign_keys = ON` on every connection",
};
