//! One pipeline run to its end: wall time, processor time of all that took part, memory.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one run has cost.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Wall time.
    pub seconds: f64,
    /// Processor seconds of the pipeline, everything it started, and the database server's share.
    pub cpu: f64,
    /// Highest resident memory of the largest process of the pipeline, in bytes; children of those are not looked at.
    pub memory: u64,
    /// Bytes of what it has stored.
    pub stored: u64,
}

/// Whose processor time is counted beside the pipeline's own.
pub trait Server {
    /// Processor time so far, in ticks.
    fn ticks(&self) -> u64;
}

/// No server.
impl Server for () {
    fn ticks(&self) -> u64 {
        0
    }
}

/// The unit of `/proc`: `USER_HZ`, which is 100 on every architecture of Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Runs commands as a pipeline, the output of each the input of the next. All must succeed. Before, what earlier runs
/// have left to be written is written, so that nobody pays for others.
pub fn measure(server: &dyn Server, mut commands: Vec<Command>) -> Sample {
    rustix::fs::sync();
    let before = own_children() + server.ticks();
    let start = Instant::now();
    let mut children: Vec<(String, Child)> = Vec::new();
    let last = commands.len() - 1;
    for (index, command) in commands.iter_mut().enumerate() {
        if let Some((_, child)) = children.last_mut() {
            command.stdin(child.stdout.take().expect("every output but the last is a pipe"));
        } else {
            command.stdin(Stdio::null());
        }
        if index < last {
            command.stdout(Stdio::piped());
        }
        let name = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        children.push((name, child));
    }
    // Each holds an end of a pipe, whose other end would never see its end.
    drop(commands);
    let memory = watch_memory(&mut children);
    let seconds = start.elapsed().as_secs_f64();
    let cpu = (own_children() + server.ticks() - before) as f64 / TICKS_PER_SECOND;
    Sample { seconds, cpu, memory, stored: 0 }
}

/// Waits for the children and gives the highest resident memory of the largest.
fn watch_memory(children: &mut [(String, Child)]) -> u64 {
    let pids: Vec<u32> = children.iter().map(|(_, child)| child.id()).collect();
    let (over, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for pid in &pids {
                    peak.fetch_max(peak_memory(*pid).unwrap_or(0), Ordering::Relaxed);
                }
                std::thread::park_timeout(Duration::from_millis(25));
            }
        });
        let ends: Vec<_> = children.iter_mut().map(|(name, child)| (name, child.wait())).collect();
        over.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        for (name, end) in ends {
            assert!(end.as_ref().is_ok_and(|status| status.success()), "{name}: {end:?}");
        }
    });
    peak.into_inner()
}

/// `VmHWM` only ever grows, so looking now and then is enough.
fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}

/// Processor time of all that were started from here and waited for, by them or by us.
fn own_children() -> u64 {
    let [.., user, system] = times("self");
    user + system
}

/// A process's own processor time and that of its children that were waited for: user, system, user, system.
pub fn times(process: &str) -> [u64; 4] {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything. After it: proc_pid_stat(5), fields 14 to 17.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let mut fields = fields.split_whitespace().skip(11).map(|field| field.parse().unwrap_or(0));
    std::array::from_fn(|_| fields.next().unwrap_or(0))
}
