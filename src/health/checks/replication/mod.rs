//! Whether standbys follow, and how far they are behind, in time. On a primary: each standby that is there or was there
//! before. On a standby: the WAL receiver.

mod receiver;
mod standbys;

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::{PostgresView, Seen};

pub(super) const CHECK: Check = Check {
    name: CheckName::Replication,
    about: "whether standbys follow, and how long they are behind",
    deep: false,
    warning: Some(60.0),
    critical: Some(300.0),
    source: "wal_sender_timeout and wal_receiver_timeout give up after 60 s; community alert rules for \
             postgres_exporter call 5 minutes critical",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// The same in bytes of WAL.
pub(super) const BYTES: Check = Check {
    name: CheckName::ReplicationBytes,
    about: "how far standbys are behind, in bytes of WAL",
    deep: false,
    warning: Some(256.0 * 1024.0 * 1024.0),
    critical: Some(1024.0 * 1024.0 * 1024.0),
    source: "max_wal_size is 1 GiB by default: beyond it, without a slot, the WAL that the standby needs may be removed",
    look: LookAt { postgres: Some(|view| Box::pin(look_bytes(view))), sqlite: None, own: None },
};

async fn look(view: &mut PostgresView<'_>) -> Seen {
    if view.server.in_recovery { receiver::look(view).await } else { standbys::look(view).await }
}

async fn look_bytes(view: &mut PostgresView<'_>) -> Seen {
    if view.server.in_recovery { receiver::look_bytes(view).await } else { standbys::look_bytes(view).await }
}
