//! A role that may see nothing: no check may take that for OK, and each says what would cure it.

use super::watch::Watch;
use crate::support::{Postgres, unique};

#[test]
fn what_a_role_without_privileges_cannot_see_is_unknown_until_it_is_granted() {
    let postgres = Postgres::shared();
    let (database, role) = (postgres.database(), unique("blind"));
    database.sql(&format!(
        "CREATE ROLE \"{role}\" LOGIN PASSWORD 'pw';
         CREATE SEQUENCE ticket; SELECT nextval('ticket');
         CREATE TABLE _sqlx_migrations (version bigint, success bool, checksum bytea);
         INSERT INTO _sqlx_migrations VALUES (1, true, '');
         CREATE TABLE wide AS SELECT repeat('x', 100) FROM generate_series(1, 120000); ANALYZE wide"
    ));
    let url = postgres.url_as(&role, Some("pw"), &database.name);
    let unseen = [
        ("oldest_snapshot", "GRANT pg_monitor TO", "pg_monitor"),
        ("pending_restart", "GRANT pg_monitor TO", "pg_monitor"),
        ("sequences", "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO", "SELECT ON SEQUENCE public.ticket"),
        ("bloat", "GRANT pg_read_all_data TO", "pg_read_all_data"),
    ];
    for (check, cure, _) in unseen {
        Watch::new(check, &url, "").unknown(&format!("{cure} \"{role}\""));
    }
    let watch =
        Watch::with(crate::support::Sandbox::new(), "migrations", &url, "", "migrations = { expected = '1' }", "");
    watch.unknown(&format!("GRANT SELECT ON \"public\".\"_sqlx_migrations\" TO \"{role}\""));
    for (check, _, granted) in unseen {
        database.sql(&format!("GRANT {granted} TO \"{role}\""));
        Watch::new(check, &url, "").ok();
    }
    watch.ok();
    database.sql(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\""));
}
