//! PostgreSQL: to a file, and to S3.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Wish;
use super::contest::{Contestant, contest};
use super::data::TABLES;
use super::measure::{Sample, Server, measure, times};
use super::support::{Bucket, Database, Postgres, S3, Sandbox, required};
use super::target::Bound::{AtLeast, AtMost};
use super::target::Targets;

const GZIP: &str = "pg_dump | gzip";
const ZSTD: &str = "pg_dump -Fc -Z0 | zstd -3 -T0";
const AWS: &str = "pg_dump -Fc -Z0 | zstd -3 -T0 | aws s3 cp";
const LOCAL: [&str; 3] = ["caretaker to local, none", "caretaker to local, counts", "caretaker to local, hash"];
const REMOTE: [&str; 3] = ["caretaker to S3, none", "caretaker to S3, counts", "caretaker to S3, hash"];
const BOTH: &str = "caretaker to local and S3, hash";
const SMALL: &str = "caretaker to S3, hash, a fifth of the data";
const LEVELS: [&str; 3] = ["none", "counts", "hash"];

/// Runs everybody and judges.
pub fn run(wish: &Wish, targets: &mut Targets) {
    let names = [GZIP, "pg_dump -Fc", ZSTD, AWS, BOTH, SMALL];
    if !names.iter().chain(&LOCAL).chain(&REMOTE).any(|name| wish.wants(name)) {
        return;
    }
    let postgres = Postgres::shared();
    postgres.sql("postgres", "ALTER SYSTEM SET autovacuum = off");
    postgres.sql("postgres", "SELECT pg_reload_conf()");
    let (full, small) = (filled(&postgres, wish.bytes), filled(&postgres, wish.bytes / 5));
    let plain = std::io::copy(&mut dump(&full, &[]).stdout.take().unwrap(), &mut std::io::sink()).unwrap();
    println!("\n{}, {:.0} MB of plain dump", version(&full), plain as f64 / 1e6);

    let (full, small) = (&full, &small);
    let mut contestants = vec![
        peer(GZIP, full, &[], Some(&["gzip"])),
        peer("pg_dump -Fc", full, &["-Fc"], None),
        peer(ZSTD, full, &["-Fc", "-Z0"], Some(&["zstd", "-3", "-T0", "-q"])),
    ];
    for (name, level) in LOCAL.into_iter().zip(LEVELS) {
        contestants.push(Contestant { name, run: Box::new(move || caretaker(full, &["local"], level)) });
    }
    contestants.push(Contestant { name: AWS, run: Box::new(|| aws(full)) });
    for (name, level) in REMOTE.into_iter().zip(LEVELS) {
        contestants.push(Contestant { name, run: Box::new(move || caretaker(full, &["remote"], level)) });
    }
    contestants.push(Contestant { name: BOTH, run: Box::new(|| caretaker(full, &["local", "remote"], "hash")) });
    contestants.push(Contestant { name: SMALL, run: Box::new(|| caretaker(small, &["remote"], "hash")) });

    let found = contest(&wish.choose(contestants), wish.rounds);
    found.print(plain);
    targets.add("PostgreSQL to a file: speed, Caretaker / pg_dump | gzip", found.speed(LOCAL[0], GZIP), AtLeast(4.0));
    targets.add("PostgreSQL to a file: speed, Caretaker / zstd pipe", found.speed(LOCAL[0], ZSTD), AtLeast(0.95));
    targets.add("PostgreSQL to S3: speed, Caretaker / zstd pipe and aws", found.speed(REMOTE[0], AWS), AtLeast(0.95));
    for (names, place) in [(LOCAL, "a file"), (REMOTE, "S3")] {
        for (index, bound) in [(1, 1.03), (2, 1.10)] {
            let what = format!("PostgreSQL to {place}: CPU seconds, {} / none", LEVELS[index]);
            targets.add(&what, found.cpu(names[index], names[0]), AtMost(bound));
        }
    }
    targets.add("PostgreSQL to S3, hash: memory, MiB", found.memory(REMOTE[2]), AtMost(150.0));
    targets.add("PostgreSQL to a directory and S3, hash: memory, MiB", found.memory(BOTH), AtMost(150.0));
    let growth = found.memory(REMOTE[2]).zip(found.memory(SMALL)).map(|(full, small)| full / small);
    targets.add("PostgreSQL to S3, hash: memory, five times the data", growth, AtMost(1.15));
}

/// A database with so many bytes of rows.
fn filled(postgres: &Postgres, bytes: u64) -> Database {
    let database = postgres.database();
    for table in &TABLES {
        eprintln!("loading {}", table.name);
        database.sql(table.create);
        let mut psql = postgres.program("psql");
        psql.args(["-Xqd", &database.socket_url(), "-c", &format!("COPY {} FROM STDIN (NULL '')", table.name)]);
        let mut psql = psql.stdin(Stdio::piped()).spawn().unwrap();
        let mut input = BufWriter::with_capacity(1 << 20, psql.stdin.take().unwrap());
        table.write(bytes * table.percent / 100, &mut input).unwrap();
        drop(input.into_inner().unwrap());
        assert!(psql.wait().unwrap().success(), "{} is not loaded", table.name);
        for index in table.indexes {
            database.sql(index);
        }
    }
    // What the first reader would do otherwise, and be charged for.
    database.sql("VACUUM (ANALYZE)");
    database.sql("CHECKPOINT");
    database
}

fn version(database: &Database) -> String {
    format!("PostgreSQL {}", database.sql("SHOW server_version").trim())
}

/// `pg_dump` through the same socket that Caretaker is told of.
fn pg_dump(database: &Database, arguments: &[&str]) -> Command {
    let mut command = database.server().program("pg_dump");
    command.args(arguments).arg("-d").arg(database.socket_url());
    command
}

fn dump(database: &Database, arguments: &[&str]) -> std::process::Child {
    pg_dump(database, arguments).stdout(Stdio::piped()).spawn().unwrap()
}

/// Processor time of the whole cluster: every backend, whether it still lives or has ended.
impl Server for Postgres {
    fn ticks(&self) -> u64 {
        let lock = fs::read_to_string(self.socket.join(format!(".s.PGSQL.{}.lock", self.port))).unwrap();
        let postmaster = lock.lines().next().unwrap();
        let processes =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let of_ours = processes.filter(|name| parent(name).as_deref() == Some(postmaster));
        let [user, system, ended_user, ended_system] = times(postmaster);
        let ended = user + system + ended_user + ended_system;
        ended + of_ours.map(|name| times(&name)).map(|[user, system, ..]| user + system).sum::<u64>()
    }
}

fn parent(process: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1).map(str::to_owned)
}

/// `pg_dump`, and what its output goes through, into a file.
fn peer<'a>(
    name: &'static str,
    database: &'a Database,
    arguments: &'a [&'a str],
    compressor: Option<&'a [&'a str]>,
) -> Contestant<'a> {
    let run = move || {
        let sandbox = Sandbox::new();
        let path = sandbox.path("dump");
        let mut pipeline = vec![pg_dump(database, arguments)];
        if let Some([program, options @ ..]) = compressor {
            let mut compressor = Command::new(program);
            compressor.args(options);
            pipeline.push(compressor);
        }
        pipeline.last_mut().unwrap().stdout(File::create(&path).unwrap());
        let sample = measure(database.server(), pipeline);
        Sample { stored: fs::metadata(&path).unwrap().len(), ..sample }
    };
    Contestant { name, run: Box::new(run) }
}

fn aws(database: &Database) -> Sample {
    let bucket = S3::shared().bucket();
    let S3 { endpoint, key, secret } = &bucket.s3;
    let mut zstd = Command::new("zstd");
    zstd.args(["-3", "-T0", "-q"]);
    let mut aws = Command::new(required("CARETAKER_BENCH_AWS"));
    aws.args(["--endpoint-url", endpoint, "--region", "us-east-1", "s3", "cp", "--no-progress", "-"]);
    aws.arg(format!("s3://{}/dump", bucket.name)).stdout(Stdio::null());
    aws.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret).env("AWS_EC2_METADATA_DISABLED", "true");
    let sample = measure(database.server(), vec![pg_dump(database, &["-Fc", "-Z0"]), zstd, aws]);
    Sample { stored: empty(&bucket), ..sample }
}

/// Deletes everything in the bucket, and tells how much it was.
fn empty(bucket: &Bucket) -> u64 {
    let objects = bucket.list();
    objects.iter().for_each(|(key, _)| bucket.delete(key));
    objects.iter().map(|(_, bytes)| bytes).sum()
}

/// A job of Caretaker's, in a state directory that was used before.
fn caretaker(database: &Database, stores: &[&str], level: &str) -> Sample {
    let sandbox = Sandbox::new();
    let bucket = stores.contains(&"remote").then(|| S3::shared().bucket());
    let remote = bucket.as_ref().map(|bucket| bucket.store("remote", &bucket.s3.credentials_file(&sandbox.path(""))));
    sandbox.configure(&format!(
        "{}\n[databases.app]\nurl = '{}'\n\n[backup.bench]\ndatabase = 'app'\nstores = {stores:?}\nfingerprint = '{level}'\n",
        remote.unwrap_or_default(),
        database.socket_url(),
    ));
    sandbox.caretaker(&["status"]).succeeds();
    let mut command = sandbox.command();
    command.args(["job", "run", "bench"]).stdout(Stdio::null());
    let sample = measure(database.server(), vec![command]);
    let local = sandbox.backups("app").first().map_or(0, |folder| bytes_in(folder));
    Sample { stored: local.max(bucket.map_or(0, |bucket| empty(&bucket))), ..sample }
}

/// The bytes of a folder's files.
pub fn bytes_in(folder: &Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}
