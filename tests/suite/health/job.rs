//! Health as the daemon looks after it.

use crate::support::{Night, Postgres, Sandbox, Tools, patient, until};

#[test]
fn rounds_do_not_wait_behind_a_long_backup_and_leave_a_short_history() {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    let tools = Tools::held(&sandbox);
    let settings = format!("{}max_concurrent_runs = 1\n", tools.setting());
    let health = "\n[health.notes]\ndatabase = 'notes'\nschedule = '* * * * * *'";
    let night = Night::of_postgres(sandbox, &database.url(), &settings, health);
    let daemon = night.daemon();
    tools.wait_begun();
    let rounds = "SELECT count(*) FROM runs WHERE job = 'health.notes' AND state = 'succeeded';";
    let count = || night.sandbox.state_sql(rounds).trim().parse::<u32>().unwrap();
    let before = count();
    until("rounds beside the backup", patient(), || count() > before + 2);
    let since = "SELECT count(*) FROM checks WHERE subject = 'notes' AND name = 'connectivity' AND status = 'ok' \
                 AND since_ms < observed_ms;";
    until("a status that lasts", patient(), || night.sandbox.state_sql(since) == "1\n");
    assert!(!daemon.log().contains("run started job=\"health"), "rounds that go well are no news");
    tools.release();
    until("the backup", patient(), || night.sandbox.state_sql("SELECT count(*) FROM backups;") == "1\n");
}

#[test]
fn a_backup_that_holds_all_connections_allowed_says_nothing_against_the_server() {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    let tools = Tools::held(&sandbox);
    sandbox.configure_daemon(
        &tools.setting(),
        &format!(
            "[databases.notes]\nurl = '{}'\nmax_connections = 2\n\n\
             [backup.nightly]\ndatabase = 'notes'\nschedule = '* * * * * *'\nstores = ['local']\n\n\
             [health.notes]\ndatabase = 'notes'\nschedule = '* * * * * *'",
            database.url()
        ),
    );
    let _daemon = sandbox.daemon();
    tools.wait_begun();
    let status = "SELECT status FROM checks WHERE subject = 'notes' AND name = 'connectivity';";
    until("a round that is kept out", patient(), || sandbox.state_sql(status) == "not_applicable\n");
    tools.release();
    until("a round that gets in", patient(), || sandbox.state_sql(status) == "ok\n");
}
