//! The least privileges of the role we are, per duty, and whether it has them.

use sqlx::Row;

use super::connection::{ANSWER_WITHIN, Connection, answer};
use super::error::DatabaseError;
use super::sql::Identifier;

/// What a role is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// `[health.*]`
    Monitoring,
    /// `[backup.*]`
    Backup,
    /// `health terminate`
    EndingSessions,
    /// `[privacy.*]`
    Privacy,
}

/// What is to be done to the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableWork {
    /// Its schema; `None`: whatever the search path finds.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether rows are deleted.
    pub deletes: bool,
    /// The columns that are changed.
    pub updates: Vec<String>,
}

impl Duty {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monitoring => "monitoring",
            Self::Backup => "backup",
            Self::EndingSessions => "ending sessions",
            Self::Privacy => "privacy",
        }
    }
}

/// A privilege.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Grant {
    /// For which duty.
    pub duty: Duty,
    /// The statement that gives it, to be run by a superuser.
    pub sql: String,
    /// What it is for.
    pub why: &'static str,
    /// Whether our role has it.
    pub held: bool,
}

/// Membership counts as far as it is inherited: `USAGE`. The predefined roles:
/// <https://www.postgresql.org/docs/current/predefined-roles.html>
const HELD: &str = "SELECT current_user::text, current_database()::text, current_setting('server_version_num')::int4,
    has_database_privilege(current_database(), 'CONNECT'), pg_has_role('pg_monitor', 'USAGE'),
    pg_has_role('pg_signal_backend', 'USAGE'),
    (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user),
    EXISTS (SELECT FROM pg_class WHERE relrowsecurity),
    coalesce((SELECT pg_has_role(oid, 'USAGE') FROM pg_roles WHERE rolname = 'pg_read_all_data'), false),
    (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'S', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))) = 0,
    (SELECT string_agg(DISTINCT quote_ident(n.nspname), ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'S' AND n.nspname !~ '^pg_'),
    NOT EXISTS (SELECT FROM pg_class c
     WHERE CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(c.oid, 'SELECT, USAGE') END)";

impl Connection {
    /// What our role needs, and what of it it has.
    pub async fn grants(&mut self) -> Result<Vec<Grant>, DatabaseError> {
        let name = self.database.clone();
        let question = sqlx::query(HELD).persistent(false).fetch_one(self.pg());
        let row = answer(&name, "look at the privileges in", ANSWER_WITHIN, question).await?;
        let text = |column: usize| row.try_get::<String, _>(column).unwrap_or_default();
        let yes = |column: usize| row.try_get::<bool, _>(column).unwrap_or(false);
        let (role, database) = (quoted(&text(0)), quoted(&text(1)));
        let grant = |duty, sql: String, why, held| Grant { duty, sql, why, held };
        let mut grants = vec![
            grant(Duty::Monitoring, format!("GRANT CONNECT ON DATABASE {database} TO {role};"), "to connect", yes(3)),
            grant(
                Duty::Monitoring,
                format!("GRANT pg_monitor TO {role};"),
                "to see other roles' sessions, replication, WAL and statistics",
                yes(4),
            ),
        ];
        if let Ok(Some(schemas)) = row.try_get::<Option<String>, _>(10) {
            let sql = format!("GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schemas} TO {role};");
            grants.push(grant(Duty::Monitoring, sql, "to see how full sequences are", yes(11)));
        }
        let readable = yes(8) || yes(9);
        let why = "to read every table and sequence (also for the bloat estimate)";
        if row.try_get::<i32, _>(2).unwrap_or(0) >= 140_000 {
            grants.push(grant(Duty::Backup, format!("GRANT pg_read_all_data TO {role};"), why, readable));
        } else {
            // Before PostgreSQL 14 there is no such role: schema by schema.
            let sql = format!(
                "GRANT USAGE ON SCHEMA public TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; \
                 GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}; -- and so for every schema"
            );
            grants.push(grant(Duty::Backup, sql, why, readable));
        }
        if yes(7) {
            let sql = format!("ALTER ROLE {role} BYPASSRLS;");
            grants.push(grant(Duty::Backup, sql, "there are tables with row security, which would hide rows", yes(6)));
        }
        grants.push(grant(
            Duty::EndingSessions,
            format!("GRANT pg_signal_backend TO {role};"),
            "to end idle transactions (`caretaker health terminate`) and a cancelled dump's session",
            yes(5),
        ));
        grants.extend(self.amcheck(&role).await?);
        Ok(grants)
    }

    /// What our role needs for this work on tables, and whether it has it. Tables that are not there are left out.
    pub async fn grants_on(&mut self, works: &[TableWork]) -> Result<Vec<Grant>, DatabaseError> {
        let database = self.database.clone();
        let mut grants = Vec::new();
        for work in works {
            let name = quoted(&work.name);
            let name = work.schema.as_ref().map_or(name.clone(), |schema| format!("{}.{name}", quoted(schema)));
            let question = sqlx::query(HELD_ON).persistent(false).bind(&name).bind(work.deletes).bind(&work.updates);
            let asked = question.fetch_optional(self.pg());
            let Some(row) = answer(&database, "look at the privileges in", ANSWER_WITHIN, asked).await? else {
                continue;
            };
            let text = |column: usize| row.try_get::<String, _>(column).unwrap_or_default();
            let (role, schema, table) = (quoted(&text(0)), quoted(&text(1)), quoted(&text(2)));
            let mut privileges = vec!["SELECT".to_owned()];
            if work.deletes {
                privileges.push("DELETE".to_owned());
            }
            if !work.updates.is_empty() {
                let columns: Vec<String> = work.updates.iter().map(|column| quoted(column)).collect();
                privileges.push(format!("UPDATE ({})", columns.join(", ")));
            }
            let privileges = privileges.join(", ");
            grants.push(Grant {
                duty: Duty::Privacy,
                sql: format!(
                    "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT {privileges} ON {schema}.{table} TO {role};"
                ),
                why: "to find and dispose of the rows that a policy names",
                held: row.try_get(3).unwrap_or(false),
            });
        }
        Ok(grants)
    }

    /// What the check `amcheck` needs where the extension is installed.
    async fn amcheck(&mut self, role: &str) -> Result<Option<Grant>, DatabaseError> {
        let name = self.database.clone();
        let question = sqlx::query(AMCHECK).persistent(false).fetch_one(self.pg());
        let row = answer(&name, "look at the privileges in", ANSWER_WITHIN, question).await?;
        Ok(row.try_get::<String, _>(0).ok().map(|functions| Grant {
            duty: Duty::Monitoring,
            sql: format!("GRANT EXECUTE ON FUNCTION {functions} TO {role};"),
            why: "to look for damage with amcheck, without reading the rows",
            held: row.try_get(1).unwrap_or(false),
        }))
    }
}

/// A column that is not there counts as not held.
const HELD_ON: &str = "SELECT current_user::text, n.nspname::text, c.relname::text,
        has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
        AND (NOT $2 OR has_table_privilege(c.oid, 'DELETE'))
        AND NOT EXISTS (SELECT FROM unnest($3::text[]) u (name) LEFT JOIN pg_attribute a
                        ON a.attrelid = c.oid AND a.attname = u.name AND NOT a.attisdropped
                        WHERE has_column_privilege(c.oid, a.attnum, 'UPDATE') IS NOT TRUE)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";

/// NULL where the extension is not installed.
const AMCHECK: &str = "SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text),
        bool_and(has_function_privilege(p.oid, 'EXECUTE'))
    FROM pg_extension e
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
    JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
    WHERE e.extname = 'amcheck' AND p.proname IN ('bt_index_check', 'verify_heapam')";

fn quoted(name: &str) -> String {
    Identifier::new(name).map_or_else(|_| name.to_owned(), |name| name.to_string())
}
