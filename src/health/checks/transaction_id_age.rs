//! Age of the oldest transaction id in the server's databases. Transaction ids are 32 bits wide and compared modulo
//! 2^31: before the oldest one is that old, the server refuses every write.
//! <https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND>

use super::{Check, LookAt, wraparound};
use crate::config::CheckName;

pub(super) const CHECK: Check = Check {
    name: CheckName::TransactionIdAge,
    about: "age of the oldest transaction id, of the 2^31 there are",
    deep: false,
    warning: Some(0.25),
    critical: Some(0.60),
    source: "autovacuum_freeze_max_age is 9 % by default; check_postgres (txn_wraparound) warns at 1.3 billion, 60 %; \
             vacuum_failsafe_age is 75 %",
    look: LookAt { postgres: Some(|view| Box::pin(wraparound::look(view, &WHAT))), sqlite: None, own: None },
};

const WHAT: wraparound::What = wraparound::What {
    name: "transaction id",
    databases: "SELECT datname::text AS name, age(datfrozenxid)::int8 AS age FROM pg_database ORDER BY 2 DESC, 1",
    tables: "SELECT format('%I.%I', n.nspname, c.relname) AS name, age(c.relfrozenxid)::int8 AS age
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'm', 't') ORDER BY 2 DESC, c.relpages DESC LIMIT 5",
};
