//! uncovered_databases

use super::watch::{Says as _, Watch};
use crate::support::{OwnPostgres, Sandbox};

#[test]
fn a_database_that_no_backup_job_covers_is_named_until_it_is_covered_or_left_out() {
    let server = OwnPostgres::start();
    server.sql("postgres", "CREATE DATABASE app");
    let job = "[backup.nightly]\ndatabase = 'app'\nstores = ['local']\n";
    let url = server.url("app");
    let mut watch =
        Watch::with(Sandbox::new(), "uncovered_databases", &url, "critical = 2\nexclude = ['scratch*']", "", job);
    watch.ok();
    server.sql("postgres", "CREATE DATABASE scratch_1");
    watch.ok();
    server.sql("postgres", "CREATE DATABASE shop");
    watch.warns().says("database shop has no backup job").says("shop, ");
    server.sql("postgres", "CREATE DATABASE wiki");
    watch.critical();
    server.sql("postgres", "DROP DATABASE wiki");
    // Through another of the server's doors.
    let shop = format!(
        "[databases.shop]\nurl = \"{}\"\n\n[backup.shop]\ndatabase = 'shop'\nstores = ['local']\n\n[backup.nightly]",
        server.socket_url("shop")
    );
    watch.change("[backup.nightly]", &shop);
    watch.ok();
}
