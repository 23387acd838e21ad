//! A server that stops answering in the middle of a round.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Postgres, Sandbox};

/// What follows a statement that disappeared.
#[derive(Clone, Copy)]
enum End {
    /// Its connection stays open, and nothing comes any more.
    Silent,
    /// The same, and nobody gets through any more.
    Shut,
    /// Its connection is closed.
    Cut,
}

/// A way to the shared server on which statements that hold a word disappear, and what its connection asks after them.
struct Way {
    port: u16,
}

impl Way {
    /// `spared`: how many such statements get through.
    fn open(word: &'static str, spared: usize, end: End) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, server) = (listener.local_addr().unwrap().port(), Postgres::shared().port);
        let (is_shut, spared) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(spared)));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if is_shut.load(Ordering::SeqCst) {
                    continue;
                }
                let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (is_shut, spared) = (Arc::clone(&is_shut), Arc::clone(&spared));
                std::thread::spawn(move || {
                    let disappears = |part: &[u8]| {
                        part.windows(word.len()).any(|part| part == word.as_bytes())
                            && spared
                                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                                .is_err()
                    };
                    let Some(ends) = pass(from, to, disappears) else { return };
                    match end {
                        End::Silent => std::mem::forget(ends),
                        End::Shut => {
                            is_shut.store(true, Ordering::SeqCst);
                            std::mem::forget(ends);
                        }
                        End::Cut => ends.iter().for_each(|end| end.shutdown(Shutdown::Both).unwrap()),
                    }
                });
                std::thread::spawn(move || pass(server, client, |_| false));
            }
        });
        Self { port }
    }

    /// What a round by hand finds, which must end within so many seconds.
    fn round(&self, exit: i32, within: u64) -> serde_json::Value {
        let database = Postgres::shared().database();
        let url = database.url().replace(&format!(":{}/", database.server().port), &format!(":{}/", self.port));
        let sandbox = Sandbox::new();
        sandbox.configure(&format!(
            "[databases.app]\nurl = '{url}?sslmode=disable'\n\n[health.app]\ndatabase = 'app'\n\n{QUIET}"
        ));
        let began = Instant::now();
        let said = sandbox.caretaker(&["--format", "json", "health", "app"]).exits(exit);
        assert!(began.elapsed() < Duration::from_secs(within), "{:?}", began.elapsed());
        said.json()[0]["checks"].clone()
    }
}

/// Passes on what comes, until something is to disappear: then gives both ends back.
fn pass(mut from: TcpStream, mut to: TcpStream, disappears: impl Fn(&[u8]) -> bool) -> Option<[TcpStream; 2]> {
    let mut buffer = [0; 65536];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if disappears(&buffer[..count]) {
            return Some([from, to]);
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    None
}

fn find<'a>(checks: &'a serde_json::Value, name: &str) -> Option<&'a serde_json::Value> {
    checks.as_array().unwrap().iter().find(|check| check["check"] == name)
}

/// What the shared server's own state would say is another matter.
const QUIET: &str = "[health.app.checks]\nuncovered_databases = { disabled = true }\nlong_queries = { disabled = true }\n\
    idle_in_transaction = { disabled = true }\nconnections = { disabled = true }\ncheckpoints = { disabled = true }\n\
    replication_slots = { disabled = true }\nquery_latency = { disabled = true }\nconnectivity = { critical = '1h' }\n";

/// In the statement of the check `disabled_triggers` alone.
const ONE: &str = "t.tgenabled";

/// Each check begins with its session's limits.
const EACH: &str = "default_transaction_read_only";

#[test]
fn a_check_that_hangs_is_unknown_and_the_next_goes_on_with_another_connection() {
    let checks = Way::open(ONE, 0, End::Silent).round(6, 40);
    let hung = find(&checks, "disabled_triggers").unwrap();
    assert_eq!((&hung["status"], &hung["summary"]), (&"unknown".into(), &"no answer within 10 s".into()));
    assert!(hung["advice"].as_str().unwrap().contains("what keeps the server busy"), "{hung}");
    assert_eq!(find(&checks, "invalid_indexes").unwrap()["status"], "ok");
}

#[test]
fn a_session_that_is_ended_costs_one_check() {
    let checks = Way::open(ONE, 0, End::Cut).round(6, 20);
    assert_eq!(find(&checks, "disabled_triggers").unwrap()["status"], "unknown");
    assert_eq!(find(&checks, "invalid_indexes").unwrap()["status"], "ok");
}

#[test]
fn a_server_that_is_gone_after_a_hung_check_is_not_called_well_because_it_answered_before() {
    let checks = Way::open(ONE, 0, End::Shut).round(5, 50);
    assert_eq!(find(&checks, "disabled_triggers").unwrap()["status"], "unknown");
    assert_eq!(find(&checks, "connectivity").unwrap()["status"], "critical");
    assert!(find(&checks, "invalid_indexes").is_none(), "{checks}");
}

#[test]
fn a_server_that_lets_everybody_in_and_answers_nobody_is_critical() {
    let checks = Way::open(EACH, 0, End::Silent).round(5, 40);
    let door = find(&checks, "connectivity").unwrap();
    assert_eq!(door["status"], "critical");
    assert!(door["summary"].as_str().unwrap().contains("a first query failed: no answer within 10 s"), "{door}");
    assert!(find(&checks, "query_latency").is_none(), "{checks}");
}

#[test]
fn a_server_on_which_every_check_hangs_is_left_after_a_minute() {
    let checks = Way::open(EACH, 1, End::Silent).round(6, 85);
    let last = find(&checks, "versions").unwrap();
    assert_eq!(last["status"], "unknown");
    assert_eq!(last["summary"], "not looked at: the 60 s of a round were over");
}
