//! PostgreSQL: rows under random keys, children that refer to the younger half, one old snapshot, one writer.

use std::process::Stdio;
use std::time::Instant;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::runtime::Runtime;

use super::writer::Writer;
use super::{Cost, ROWS, Way, disposition, print, race};
use crate::Wish;
use crate::measure::measure;
use crate::support::{Database, OwnPostgres, Sandbox};
use crate::target::Bound::{AtLeast, AtMost};
use crate::target::Targets;

const OLD: &str = "created_at < now() - interval '90 days'";

/// How many rows the loop takes at once: as guides have it, and more.
const LIMITS: [u32; 2] = [1000, 5000];

pub fn run(wish: &Wish, targets: &mut Targets) {
    let server = OwnPostgres::start_with(&["autovacuum = off"]);
    eprintln!("loading sessions and answers");
    let template = server.database();
    template.sql(&fill());
    let idle = {
        let database = copy(&server, &template);
        let options = options(&database);
        Writer::idle(move || writes(&options))
    };
    let once = format!("DELETE FROM sessions WHERE {OLD}");
    let [thousand, more] = LIMITS
        .map(|rows| format!("DELETE FROM sessions WHERE ctid IN (SELECT ctid FROM sessions WHERE {OLD} LIMIT {rows})"));
    let mut ways = [
        Way::new("one DELETE", || by_hand(&copy(&server, &template), &once)),
        Way::new("DELETE … WHERE ctid IN (… LIMIT 1000)", || by_hand(&copy(&server, &template), &thousand)),
        Way::new("DELETE … WHERE ctid IN (… LIMIT 5000)", || by_hand(&copy(&server, &template), &more)),
        Way::new("caretaker privacy apply", || caretaker(&copy(&server, &template))),
    ];
    race(&mut ways, wish.rounds);
    print(
        &format!(
            "privacy PostgreSQL, {} of {ROWS} rows; the writer alone: p99 {:.2} ms, worst {:.1}",
            ROWS / 2,
            idle.0 * 1e3,
            idle.1 * 1e3
        ),
        &ways,
    );
    let [once, thousand, _, ours] = &ways;
    let seconds = |way: &Way<'_>| way.of(|cost| cost.seconds);
    targets.add("privacy: speed, Caretaker / the loop of 1000", Some(seconds(thousand) / seconds(ours)), AtLeast(5.0));
    targets.add("privacy: time, Caretaker / one DELETE", Some(seconds(ours) / seconds(once)), AtMost(1.5));
    targets.add("privacy: seconds of the longest transaction", Some(ours.of(|cost| cost.longest)), AtMost(1.0));
    targets.add("privacy: the writer's p99 / alone", Some(ours.of(|cost| cost.p99) / idle.0), AtMost(3.0));
    targets.add("privacy: MiB of memory", Some(ours.of(|cost| cost.memory as f64) / f64::from(1 << 20)), AtMost(64.0));
}

fn fill() -> String {
    format!(
        "CREATE TABLE sessions (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id int NOT NULL,
             created_at timestamptz NOT NULL DEFAULT now(), seen int NOT NULL DEFAULT 0, data text);
         INSERT INTO sessions (user_id, created_at, data)
             SELECT i % 50000, now() - interval '180 days' * (1 - i / {ROWS}.0), repeat(md5(i::text), 2)
             FROM generate_series(1, {ROWS}) i;
         CREATE INDEX ON sessions (created_at);
         CREATE TABLE answers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
             session_id uuid NOT NULL REFERENCES sessions, made timestamptz NOT NULL);
         INSERT INTO answers (session_id, made) SELECT id, created_at FROM sessions
             WHERE created_at > now() - interval '89 days' LIMIT 500000;
         CREATE INDEX ON answers (session_id);
         VACUUM (ANALYZE) sessions; VACUUM (ANALYZE) answers; CHECKPOINT;"
    )
}

/// A database as it was filled.
fn copy(server: &OwnPostgres, template: &Database) -> Database {
    let copy = server.database_like(&format!("TEMPLATE \"{}\"", template.name));
    copy.sql("CHECKPOINT");
    copy
}

fn options(database: &Database) -> PgConnectOptions {
    let server = database.server();
    let options = PgConnectOptions::new_without_pgpass().username("postgres").database(&database.name);
    options.socket(&server.socket).port(server.port)
}

fn connect(options: &PgConnectOptions) -> (Runtime, PgConnection) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connection = runtime.block_on(PgConnection::connect_with(options)).unwrap();
    (runtime, connection)
}

/// A new row, and a change to it.
fn writes(options: &PgConnectOptions) -> impl FnMut() + use<> {
    let (runtime, mut connection) = connect(options);
    let mut id: Option<String> = None;
    move || {
        let made = match id.take() {
            None => {
                let insert = "INSERT INTO sessions (user_id, data) VALUES (1, 'new') RETURNING id::text";
                Some(runtime.block_on(sqlx::query_scalar(insert).fetch_one(&mut connection)).unwrap())
            }
            Some(id) => {
                let update = sqlx::query("UPDATE sessions SET seen = seen + 1 WHERE id = $1::uuid").bind(id);
                runtime.block_on(update.execute(&mut connection)).unwrap();
                None
            }
        };
        id = made;
    }
}

/// With an old snapshot open and a writer at work; gives what the writer waited.
fn beside<T>(database: &Database, work: impl FnOnce() -> T) -> (T, (f64, f64)) {
    let options = options(database);
    let (runtime, mut reader) = connect(&options);
    let old = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM answers WHERE id = 1";
    runtime.block_on(reader.execute(old)).unwrap();
    let writer = Writer::start(move || writes(&options));
    let done = work();
    (done, writer.end())
}

/// A statement again and again, until it finds nothing.
fn by_hand(database: &Database, sql: &str) -> Cost {
    let ((seconds, longest), (p99, worst)) = beside(database, || {
        let (runtime, mut connection) = connect(&options(database));
        let (start, mut longest) = (Instant::now(), 0.0_f64);
        loop {
            let began = Instant::now();
            let done = runtime.block_on(connection.execute(AssertSqlSafe(sql))).unwrap().rows_affected();
            longest = longest.max(began.elapsed().as_secs_f64());
            if done == 0 || !sql.contains("LIMIT") {
                break (start.elapsed().as_secs_f64(), longest);
            }
        }
    });
    Cost { seconds, longest, p99, worst, tidying: 0.0, memory: 0 }
}

fn caretaker(database: &Database) -> Cost {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!(
        "[databases.app]\nurl = '{}'\n\n[privacy.bench]\ndatabase = 'app'\ncaps = {{ max_fraction = 0.6 }}\n\
         [[privacy.bench.rules]]\nname = 'old'\ntable = 'sessions'\nage_column = 'created_at'\nolder_than = '90 days'\n\
         action = 'delete'\n",
        database.socket_url()
    ));
    sandbox.caretaker(&["status"]).succeeds();
    let ((sample, longest, tidying), (p99, worst)) = beside(database, || {
        let mut command = sandbox.command();
        command.args(["privacy", "apply", "bench", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null());
        let sample = measure(&(), vec![command]);
        let (longest, tidying) = disposition(&sandbox);
        (sample, longest, tidying)
    });
    Cost { seconds: sample.seconds - tidying, longest, p99, worst, tidying, memory: sample.memory }
}
