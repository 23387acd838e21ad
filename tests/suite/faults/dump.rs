//! A server that goes away.

use std::process::Command;
use std::time::Duration;

use crate::support::{OwnPostgres, Sandbox, Tools, nightly, until};

#[test]
fn a_server_that_dies_in_mid_dump_leaves_nothing_and_the_next_attempt_succeeds() {
    let (server, sandbox) = (OwnPostgres::start(), Sandbox::new());
    server.sql("postgres", "CREATE TABLE t AS SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 40000) i");
    let tools = Tools::new(&sandbox);
    // Gives the first bytes, then goes on only after the server is dead.
    tools.replace(
        "pg_dump",
        "mkfifo \"$here/pipe\"; \"$real\" \"$@\" >\"$here/pipe\" & \
         { head -c 3000000; touch \"$here/begun\"; while [ ! -e \"$here/go\" ]; do sleep 0.05; done; cat; } <\"$here/pipe\"; wait $!",
    );
    sandbox.configure_daemon(&tools.setting(), &nightly("app", &server.url("postgres"), &["local"], ""));
    let mut run = sandbox.command();
    let log = std::fs::File::create(sandbox.path("log")).unwrap();
    let mut run = run.args(["job", "run", "nightly"]).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    until("the dump to be under way", Duration::from_secs(30), || tools.file("begun").exists());
    server.crash();
    std::fs::write(tools.file("go"), "").unwrap();
    let status = run.wait().unwrap();
    let said = std::fs::read_to_string(sandbox.path("log")).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("connection") || said.contains("terminat"), "{said}");
    sandbox.assert_nothing_left();

    server.resume();
    tools.replace("pg_dump", "exec \"$real\" \"$@\"");
    sandbox.run_nightly();
}

#[test]
fn a_server_that_is_not_there_is_tried_again_and_comes_back() {
    let (server, sandbox) = (OwnPostgres::start(), Sandbox::new());
    sandbox.configure(&nightly("app", &server.url("postgres"), &["local"], ""));
    server.stop();
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("127.0.0.1").complains("listen_addresses");
    sandbox.assert_nothing_left();

    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| sandbox.caretaker(&["job", "run", "nightly", "--retries", "2"]));
        let failed = || sandbox.state_sql("SELECT count(*) FROM runs WHERE state = 'failed'").trim() == "2";
        until("the first attempt to fail", Duration::from_secs(30), failed);
        server.resume();
        run.join().unwrap()
    });
    run.succeeds();
}

#[test]
fn a_cancelled_run_ends_the_dump_and_its_session_and_leaves_nothing() {
    let (server, sandbox) = (OwnPostgres::start(), Sandbox::new());
    server.sql("postgres", "CREATE TABLE t (i int)");
    sandbox.configure(&nightly("app", &server.url("postgres"), &["local"], ""));
    let mut lock = Command::new(server.bindir.join("psql"));
    let mut lock = lock
        .args(["-Xq", "-d", &server.socket_url("postgres"), "-c", "BEGIN; LOCK TABLE t; SELECT pg_sleep(120)"])
        .spawn()
        .unwrap();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'caretaker%'";
    until("the lock to be held", Duration::from_secs(30), || {
        server.sql("postgres", "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted") != "0\n"
    });
    let mut run = sandbox.command();
    let log = std::fs::File::create(sandbox.path("log")).unwrap();
    let mut run = run.args(["job", "run", "nightly"]).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    until("pg_dump to wait for it", Duration::from_secs(30), || server.sql("postgres", waiting) == "1\n");
    rustix::process::kill_process(rustix::process::Pid::from_child(&run), rustix::process::Signal::INT).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130), "{}", std::fs::read_to_string(sandbox.path("log")).unwrap());
    assert_eq!(
        server.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'caretaker%'"),
        "0\n"
    );
    sandbox.assert_nothing_left();
    lock.kill().unwrap();
    lock.wait().unwrap();
}
