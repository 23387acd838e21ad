//! What was disposed of, erased, held and approved, and the log of it.

mod anchor;
mod approval;
mod copies;
mod disposition;
mod erasure;
mod hold;
mod ledger;
mod log;
mod overdue;
mod queue;

pub use approval::Approval;
pub use copies::Disposed;
pub use disposition::{Disposition, DispositionState, NewDisposition, Progressed};
pub use erasure::{Erasure, ErasureState};
pub use hold::{Held, Hold};
pub use log::{Anchor, Flaw, LogEntry, LogHead, LogKind, LogRecord, LogReport, verify};
