//! The archive on its way from pg_dump.

use std::io::{self, PipeReader, Read};
use std::time::Duration;

/// The reading end of pg_dump's pipe.
///
/// pg_dump writes 4 KiB at a time, and a reader that waits for it is woken for each of them: twenty-five thousand times
/// for 100 MB, and both processes pay for it. So after a read that found little it lets the pipe fill for a moment; one
/// that finds much goes on at once, and pg_dump never waits.
#[derive(Debug)]
pub struct ArchivePipe {
    pipe: PipeReader,
    /// Fewer bytes than this are little.
    little: usize,
    pause: Duration,
    found_little: bool,
}

impl ArchivePipe {
    pub(super) fn new(pipe: PipeReader) -> Self {
        // Unknown: no pause.
        let room = rustix::pipe::fcntl_getpipe_size(&pipe).unwrap_or(0);
        // In which a pg_dump of 1 GB/s, several times what one can do, fills half of it.
        let pause = Duration::from_nanos(room as u64 / 2);
        Self { pipe, little: room / 4, pause, found_little: false }
    }
}

impl Read for ArchivePipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.found_little {
            std::thread::sleep(self.pause);
        }
        let length = self.pipe.read(buffer)?;
        self.found_little = length < self.little.min(buffer.len());
        Ok(length)
    }
}
