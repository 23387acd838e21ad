//! gzip on several threads.
//!
//! The input is cut into blocks that are deflated independently, each ended at a byte border by a sync flush, and
//! joined into a single member, as pigz does. So any gunzip reads it, and a cut end is noticed wherever it is cut, which
//! it would not be between members.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Costs 0.1 % of the ratio, because deflate looks back 32 KiB only.
const BLOCK: usize = 1 << 20;
/// Magic, deflate, no flags, no time, no extra flags, Unix.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
/// An empty final block.
const END: [u8; 2] = [3, 0];

struct Deflated {
    bytes: Vec<u8>,
    crc: Crc,
    plain: Vec<u8>,
}

type Answer = io::Result<Deflated>;
type Task = (Vec<u8>, SyncSender<Answer>);

/// A gzip member being written.
pub(super) struct ParallelGzip<W: Write> {
    output: W,
    block: Vec<u8>,
    spare: Vec<Vec<u8>>,
    under_way: VecDeque<Receiver<Answer>>,
    limit: usize,
    crc: Crc,
    plain_bytes: u64,
    pool: Pool,
}

impl<W: Write> ParallelGzip<W> {
    pub(super) fn new(mut output: W, level: u32, threads: usize) -> io::Result<Self> {
        output.write_all(&HEADER)?;
        let threads = threads.max(1);
        // One block waits for each one that is being deflated, at most.
        let limit = 2 * threads;
        Ok(Self {
            output,
            block: Vec::with_capacity(BLOCK),
            spare: Vec::new(),
            under_way: VecDeque::with_capacity(limit),
            limit,
            crc: Crc::new(),
            plain_bytes: 0,
            pool: Pool::start(threads, limit, level)?,
        })
    }

    /// Writes what is left and the end, and gives the output back.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() {
            self.submit()?;
        }
        while !self.under_way.is_empty() {
            self.collect()?;
        }
        self.output.write_all(&END)?;
        self.output.write_all(&self.crc.sum().to_le_bytes())?;
        // ISIZE is the size modulo 2^32 (RFC 1952, 2.3.1).
        self.output.write_all(&(self.plain_bytes as u32).to_le_bytes())?;
        Ok(self.output)
    }

    fn submit(&mut self) -> io::Result<()> {
        if self.under_way.len() == self.limit {
            self.collect()?;
        }
        let (answer, result) = sync_channel(1);
        let next = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(BLOCK));
        let block = std::mem::replace(&mut self.block, next);
        self.pool.send((block, answer))?;
        self.under_way.push_back(result);
        Ok(())
    }

    /// Waits for the oldest block.
    fn collect(&mut self) -> io::Result<()> {
        let Some(result) = self.under_way.pop_front() else { return Ok(()) };
        let Deflated { bytes, crc, mut plain } = result.recv().map_err(|_| gone())??;
        self.crc.combine(&crc);
        self.plain_bytes += plain.len() as u64;
        plain.clear();
        self.spare.push(plain);
        self.output.write_all(&bytes)
    }
}

impl<W: Write> Write for ParallelGzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..taken]);
        if self.block.len() == BLOCK {
            self.submit()?;
        }
        Ok(taken)
    }

    /// Does nothing: the output is flushed by its owner when all is written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The threads; they end when it is dropped.
struct Pool {
    tasks: Option<SyncSender<Task>>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    fn start(threads: usize, limit: usize, level: u32) -> io::Result<Self> {
        let (tasks, queue) = sync_channel::<Task>(limit);
        let queue = Arc::new(Mutex::new(queue));
        let mut pool = Self { tasks: Some(tasks), workers: Vec::new() };
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            let worker = std::thread::Builder::new().name("gzip".to_owned()).spawn(move || work(&queue, level))?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    fn send(&self, task: Task) -> io::Result<()> {
        self.tasks.as_ref().and_then(|tasks| tasks.send(task).ok()).ok_or_else(gone)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.tasks = None;
        for worker in self.workers.drain(..) {
            // A panic in a worker has shown itself as a missing answer.
            let _ = worker.join();
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("a compression thread ended")
}

fn work(queue: &Mutex<Receiver<Task>>, level: u32) {
    let mut deflate = Compress::new(Compression::new(level), false);
    loop {
        let task = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
        let Ok((plain, answer)) = task else { return };
        let mut crc = Crc::new();
        crc.update(&plain);
        let bytes = deflate_block(&mut deflate, &plain);
        // Nobody waits any more if the writer has been dropped.
        let _ = answer.send(bytes.map(|bytes| Deflated { bytes, crc, plain }));
    }
}

fn deflate_block(deflate: &mut Compress, plain: &[u8]) -> io::Result<Vec<u8>> {
    deflate.reset();
    let mut bytes = Vec::with_capacity(plain.len() / 2 + 1024);
    loop {
        let done = deflate.total_in() as usize;
        if bytes.capacity() - bytes.len() < 1024 {
            bytes.reserve(plain.len() / 4 + 1024);
        }
        let status = deflate.compress_vec(&plain[done..], &mut bytes, FlushCompress::Sync)?;
        // The flush is complete once deflate leaves room in the output (zlib's manual, deflate()).
        if deflate.total_in() as usize == plain.len() && bytes.len() < bytes.capacity() {
            return Ok(bytes);
        }
        if status == Status::BufError && bytes.len() < bytes.capacity() {
            return Err(io::Error::other("deflate made no progress"));
        }
    }
}
