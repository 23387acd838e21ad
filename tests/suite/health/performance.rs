//! How long a query takes, and how long the checks themselves do.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use caretaker::config::{LoadOptions, load};
use caretaker::database::Servers;
use caretaker::health::{Depth, Rounds, round};
use caretaker::state::{State, Status};

use super::looks::Looks;
use crate::support::{Postgres, Sandbox, fill_with_tables};

/// A way to the shared server on which every answer takes so many milliseconds longer. Gives its port.
fn slow_way(delay: &Arc<AtomicU64>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, server) = (listener.local_addr().unwrap().port(), Postgres::shared().port);
    let delay = Arc::clone(delay);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            server.set_nodelay(true).unwrap();
            client.set_nodelay(true).unwrap();
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || pass(from, to, None));
            let delay = Arc::clone(&delay);
            std::thread::spawn(move || pass(server, client, Some(delay)));
        }
    });
    port
}

fn pass(mut from: TcpStream, mut to: TcpStream, delay: Option<Arc<AtomicU64>>) {
    let mut buffer = [0; 65536];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if let Some(delay) = &delay {
            std::thread::sleep(Duration::from_millis(delay.load(Ordering::Relaxed)));
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[test]
fn a_slow_way_to_the_server_shows_in_the_latency() {
    let (database, delay) = (Postgres::shared().database(), Arc::new(AtomicU64::new(0)));
    let server = Postgres { port: slow_way(&delay), ..Postgres::shared() };
    let url = format!("{}?sslmode=disable", server.url(&database.name));
    let mut looks = Looks::new("query_latency", &url, "warning = 0.08\ncritical = 0.2");
    looks.comes_to(Status::Ok);
    delay.store(100, Ordering::Relaxed);
    looks.comes_to(Status::Warning);
    delay.store(210, Ordering::Relaxed);
    let seen = looks.finds(Status::Critical);
    assert!(seen.summary.starts_with("a lookup takes 0.2") && seen.evidence[0].ends_with("of 5"), "{seen:?}");
    delay.store(0, Ordering::Relaxed);
    looks.comes_to(Status::Ok);
}

#[test]
fn a_round_over_a_large_schema_is_quick() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    fill_with_tables(&database);
    sandbox.configure(&format!("[databases.app]\nurl = '{}'\n\n[health.app]\ndatabase = 'app'\n", database.url()));
    let config = load(&LoadOptions { path: Some(sandbox.config()), ..LoadOptions::default() }).unwrap().config;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (state, servers) = (State::open(&sandbox.state()).await.unwrap(), Servers::new(&config));
        let job = config.health.values().next().unwrap();
        let rounds = Rounds { config: &config, servers: &servers, state: &state, job };
        // The first also reads the catalogue into memory.
        for nth in 1..=3 {
            let round = round(rounds, Depth::Usual, jiff::Timestamp::now()).await;
            round.record(&state).await.unwrap();
            let mut took: Vec<_> = round.looks.iter().map(|look| (look.took, look.check.name.as_str())).collect();
            took.sort();
            let sum: Duration = took.iter().map(|(took, _)| *took).sum();
            eprintln!("round {nth}: {sum:?}");
            for (took, name) in took.iter().rev().take(if nth == 3 { 60 } else { 5 }) {
                eprintln!("  {took:>12.1?}  {name}");
            }
            // The goal is 1 s and 250 ms on a machine that does nothing else.
            assert!(sum < Duration::from_secs(8), "{took:?}");
        }
    });
}
