//! Age of the oldest multixact in the server's databases; as transaction ids, they are compared modulo 2^31.
//! <https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-MULTIXACT-WRAPAROUND>

use super::{Check, LookAt, wraparound};
use crate::config::CheckName;

pub(super) const CHECK: Check = Check {
    name: CheckName::MultixactAge,
    about: "age of the oldest multixact, of the 2^31 there are",
    deep: false,
    warning: Some(0.30),
    critical: Some(0.60),
    source: "autovacuum_multixact_freeze_max_age is 19 % by default; vacuum_multixact_failsafe_age is 75 %",
    look: LookAt { postgres: Some(|view| Box::pin(wraparound::look(view, &WHAT))), sqlite: None, own: None },
};

const WHAT: wraparound::What = wraparound::What {
    name: "multixact",
    databases: "SELECT datname::text AS name, mxid_age(datminmxid)::int8 AS age FROM pg_database ORDER BY 2 DESC, 1",
    tables: "SELECT format('%I.%I', n.nspname, c.relname) AS name, mxid_age(c.relminmxid)::int8 AS age
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'm', 't') ORDER BY 2 DESC, c.relpages DESC LIMIT 5",
};
