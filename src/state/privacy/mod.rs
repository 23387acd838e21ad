//! What was disposed of, held and approved, and the log of it.

mod approval;
mod disposition;
mod hold;
mod log;

pub use approval::Approval;
pub use disposition::{Disposition, DispositionState, NewDisposition, Progressed};
pub use hold::{Held, Hold};
pub use log::{Anchor, Flaw, LogEntry, LogHead, LogKind, LogRecord, LogReport, verify};
