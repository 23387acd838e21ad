//! A round of health checks over a large schema, beside what Debian's plugins for Nagios ask of the same server.

use std::fs;
use std::process::Command;

use caretaker::config::{LoadOptions, load};
use caretaker::database::Servers;
use caretaker::health::{Depth, Look, Rounds, round};
use caretaker::state::State;
use jiff::Timestamp;

use super::Wish;
use super::contest::median;
use super::measure::{Server, measure};
use super::peers::{Peer, Service};
use super::support::{Database, OwnPostgres, Sandbox, eventually, fill_with_tables, patient};
use super::target::Bound::AtMost;
use super::target::Targets;

/// What one look has cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    /// Wall time.
    seconds: f64,
    /// Processor seconds of the command and of the server.
    cpu: f64,
    /// Seconds in which the server planned and executed its statements.
    server: f64,
}

/// The services of a peer, with what each cost in each round and what it said in the last.
struct Measured {
    peer: Peer,
    services: Vec<(Service, Vec<Cost>, String)>,
}

/// Looks and judges.
pub fn run(wish: &Wish, targets: &mut Targets) {
    if !wish.wants("health") {
        return;
    }
    let server = OwnPostgres::start_with(&[
        "shared_preload_libraries = 'pg_stat_statements'",
        "pg_stat_statements.track_planning = on",
        "autovacuum = off",
    ]);
    server.sql("postgres", "CREATE EXTENSION pg_stat_statements");
    let (database, sandbox) = (server.database(), Sandbox::new());
    fill(&database);
    let url = database.socket_url();
    sandbox.configure(&format!("[databases.app]\nurl = '{url}'\n\n[health.app]\ndatabase = 'app'\n"));
    println!("\nhealth, PostgreSQL {}, {}", database.sql("SHOW server_version").trim(), database.sql(SIZES).trim());

    let mut peers = Peer::BOTH.map(|peer| Measured {
        peer,
        services: peer.services().iter().map(|service| (*service, Vec::new(), String::new())).collect(),
    });
    let (mut rounds, mut commands, mut connections) = (Vec::new(), Vec::new(), 0.0);
    for nth in 1..=wish.rounds {
        eprintln!("round {nth} of {}", wish.rounds);
        // Something to compare with, for what is a difference between two looks.
        database.sql("SELECT count(b) FROM busy");
        rounds.push(looks(&sandbox));
        let before = sessions(&database);
        let mut command = sandbox.command();
        command.args(["health", "app"]);
        commands.push(look(&database, &sandbox, &command).0);
        eventually("the session to be counted", patient(), || (sessions(&database) > before).then_some(()));
        connections = sessions(&database) - before;
        for Measured { peer, services } in &mut peers {
            for (service, costs, said) in services {
                let command = peer.command(*service, &server, &database.name, &sandbox.path(""));
                let cost;
                (cost, *said) = look(&database, &sandbox, &command);
                costs.push(cost);
            }
        }
    }
    // The first also reads the catalogue into memory.
    let looks = rounds.pop().unwrap();
    summary(&looks, &commands, &peers);
    by_check(&looks, &peers);
    findings(&looks, &peers);

    let usual = || looks.iter().filter(|look| !look.check.deep);
    let slowest = usual().map(|look| look.took.as_secs_f64()).fold(0.0, f64::max);
    let of = |value: fn(&Cost) -> f64| median(commands.iter().map(value));
    targets.add("health: seconds of server time in a round", Some(of(|cost| cost.server)), AtMost(1.0));
    targets.add("health: seconds of the slowest check, the way there included", Some(slowest), AtMost(0.25));
    targets.add("health: connections of a round", Some(connections), AtMost(1.0));
    for peer in &peers {
        let name = peer.peer.name();
        let same = usual().filter(|look| peer.of(look.check.name.as_str()).next().is_some());
        let same: f64 = same.map(|look| look.took.as_secs_f64()).sum();
        let ratio = same / peer.total(|cost| cost.server);
        targets.add(&format!("health: server time for the same, Caretaker / {name}"), Some(ratio), AtMost(1.0));
        let ratio = of(|cost| cost.seconds) / peer.total(|cost| cost.seconds);
        targets.add(&format!("health: wall time of all there is, Caretaker / {name}"), Some(ratio), AtMost(1.0));
    }
}

/// Tables with indexes, all of them empty; beside them something to be found: wasted space, reads, a sequence near its end.
fn fill(database: &Database) {
    fill_with_tables(database);
    database.sql(
        "CREATE TABLE busy (id int PRIMARY KEY, b text);
         INSERT INTO busy SELECT i, md5(i::text) FROM generate_series(1, 600000) i;
         DELETE FROM busy WHERE id % 3 > 0;
         CREATE SEQUENCE narrow MAXVALUE 1000; SELECT setval('narrow', 900);",
    );
    database.sql("VACUUM (ANALYZE) busy");
    database.sql("CREATE EXTENSION pg_stat_statements");
    database.sql("CHECKPOINT");
}

const SIZES: &str =
    "SELECT count(*) FILTER (WHERE relkind = 'r') || ' tables, ' || count(*) FILTER (WHERE relkind = 'i')
    || ' indexes' FROM pg_class WHERE relnamespace = 'public'::regnamespace";

/// A round of ours, deep checks too, each with what it took from question to answer; recorded, so that the next has
/// something to compare with.
fn looks(sandbox: &Sandbox) -> Vec<Look> {
    let config = load(&LoadOptions { path: Some(sandbox.config()), ..LoadOptions::default() }).unwrap().config;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (state, servers) = (State::open(&sandbox.state()).await.unwrap(), Servers::new(&config));
        let job = config.health.values().next().unwrap();
        let rounds = Rounds { config: &config, servers: &servers, state: &state, job };
        let found = round(rounds, Depth::Both, Timestamp::now()).await;
        found.record(&state).await.unwrap();
        found.looks
    })
}

/// Runs a command that looks, and gives what it said.
fn look(database: &Database, sandbox: &Sandbox, command: &Command) -> (Cost, String) {
    let server = database.server();
    let output = sandbox.path("said");
    // What was found is in the exit code: up to 3 for plugins of Nagios, 5 and 6 for ours.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#""$@" >"$0" 2>&1; [ $? -le 6 ]"#]).arg(&output);
    shell.arg(command.get_program()).args(command.get_args()).env_clear();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(sandbox.path(""));
    server.sql("postgres", "SELECT pg_stat_statements_reset()");
    let sample = measure(server as &dyn Server, vec![shell]);
    let took = "SELECT coalesce(sum(total_plan_time + total_exec_time) / 1000, 0) FROM pg_stat_statements";
    let said = fs::read_to_string(output).unwrap();
    assert!(!said.contains("ERROR:") && !said.contains("FATAL:"), "{command:?}: {said}");
    let server = server.sql("postgres", took).trim().parse().unwrap();
    (Cost { seconds: sample.seconds, cpu: sample.cpu, server }, said)
}

/// How many sessions there ever were.
fn sessions(database: &Database) -> f64 {
    let sql = format!("SELECT sessions FROM pg_stat_database WHERE datname = '{}'", database.name);
    database.server().sql("postgres", &sql).trim().parse().unwrap()
}

impl Measured {
    /// Of its services that belong to our usual round, all together.
    fn total(&self, value: fn(&Cost) -> f64) -> f64 {
        self.usual().map(|(_, costs, _)| median(costs.iter().map(value))).sum()
    }

    fn usual(&self) -> impl Iterator<Item = &(Service, Vec<Cost>, String)> {
        self.services.iter().filter(|(service, ..)| service.check != "bloat")
    }

    fn of<'a>(&'a self, check: &'a str) -> impl Iterator<Item = &'a (Service, Vec<Cost>, String)> {
        self.services.iter().filter(move |(service, ..)| service.check == check)
    }
}

fn milliseconds(costs: &[Cost]) -> f64 {
    median(costs.iter().map(|cost| cost.server)) * 1e3
}

fn summary(looks: &[Look], commands: &[Cost], peers: &[Measured]) {
    println!("\n{:<44}{:>9}{:>9}{:>11}{:>22}", "", "seconds", "CPU s", "server ms", "slowest, server ms");
    let usual: Vec<&Look> = looks.iter().filter(|look| !look.check.deep).collect();
    let slowest = usual.iter().max_by_key(|look| look.took).unwrap();
    let line = |name: String, of: &dyn Fn(fn(&Cost) -> f64) -> f64, slowest: f64, slow: &str| {
        let (seconds, cpu, server) = (of(|cost| cost.seconds), of(|cost| cost.cpu), of(|cost| cost.server) * 1e3);
        println!("{name:<44}{seconds:>9.2}{cpu:>9.2}{server:>11.1}{slowest:>9.1} {slow}");
    };
    line(
        format!("caretaker health, {} checks", usual.len()),
        &|value| median(commands.iter().map(value)),
        slowest.took.as_secs_f64() * 1e3,
        slowest.check.name.as_str(),
    );
    for peer in peers {
        let (slow, costs, _) =
            peer.usual().max_by(|one, other| milliseconds(&one.1).total_cmp(&milliseconds(&other.1))).unwrap();
        let name = format!("{}, {} services one by one", peer.peer.name(), peer.usual().count());
        line(name, &|value| peer.total(value), milliseconds(costs), slow.name);
    }
}

/// Ours from question to answer; theirs by their statements alone.
fn by_check(looks: &[Look], peers: &[Measured]) {
    println!("\n{:<26}{:>9}   server ms of the same by", "ms", "caretaker");
    for look in looks {
        let check = look.check.name.as_str();
        let theirs: Vec<String> = peers
            .iter()
            .flat_map(|peer| peer.of(check).map(move |it| (peer.peer, it)))
            .map(|(peer, (service, costs, _))| format!("{} {} {:.1}", peer.name(), service.name, milliseconds(costs)))
            .collect();
        println!("{check:<26}{:>9.1}   {}", look.took.as_secs_f64() * 1e3, theirs.join(", "));
    }
}

/// What each found where all look at the same.
fn findings(looks: &[Look], peers: &[Measured]) {
    println!();
    for check in ["connections", "growth", "cache_hit", "transaction_id_age", "sequences", "bloat"] {
        let look = looks.iter().find(|look| look.check.name.as_str() == check).unwrap();
        println!("{check:<26}{}", look.observation("app", Timestamp::now()).summary);
        for (service, _, said) in peers.iter().flat_map(|peer| peer.of(check)) {
            let said: Vec<&str> = said.split_whitespace().filter(|word| !is_address(word)).collect();
            let said: String = said.join(" ").chars().take(170).collect();
            println!("{:<26}{}: {said}", "", service.name);
        }
    }
}

/// `DB "app" (host:/tmp/socket) (port=5432)`
fn is_address(word: &str) -> bool {
    ["DB", "\"", "(host:", "(port="].iter().any(|begin| word.starts_with(begin))
}
