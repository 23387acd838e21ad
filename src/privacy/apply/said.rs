//! What is said of an archive: in its manifest, and in the log.

use jiff::Timestamp;
use serde_json::json;

use super::Application;
use super::work::{End, Work};
use crate::archive::BackupId;
use crate::archive::manifest::Object;
use crate::config::StoreName;
use crate::privacy::plan::Ready;
use crate::records::{Column, Manifest, Shelf};
use crate::run::{Failure, host};
use crate::state::LogKind;

/// What an archive says of itself.
pub(super) fn manifest(
    application: &Application<'_>,
    ready: &Ready<'_>,
    disposition: &str,
    expires: Option<Timestamp>,
    (id, rows, object, encrypted_to): (BackupId, u64, Object, Vec<String>),
) -> Manifest {
    let resolved = &ready.resolved;
    let column = |column: &crate::database::schema::Column| Column {
        name: column.name.clone(),
        type_name: column.type_name.clone(),
        generated: column.generated,
    };
    Manifest {
        format_version: 1,
        id,
        policy: application.setting.policy.name.clone(),
        policy_hash: application.hash.to_owned(),
        rule: resolved.rule.name.clone(),
        reason: resolved.rule.reason.clone(),
        database: application.setting.policy.database.to_string(),
        table: resolved.table.relation.to_string(),
        run: application.context.run_id.clone(),
        disposition: disposition.to_owned(),
        cutoff: resolved.cutoff,
        at: Timestamp::now(),
        host: host(),
        expires,
        columns: resolved.table.columns.iter().map(column).collect(),
        rows,
        object,
        encrypted_to,
    }
}

/// Writes an archive down, before its rows go.
pub(super) async fn log(work: &mut Work<'_>, store: &StoreName, archive: &Manifest) -> Result<(), End> {
    let detail = json!({
        "disposition": work.id, "rule": archive.rule, "table": archive.table, "store": store, "archive": archive.id,
        "rows": archive.rows, "bytes": archive.object.bytes, "sha256": archive.object.sha256, "expires": archive.expires,
    });
    let entry = work.application.entry(LogKind::RowsArchived, detail);
    work.application.context.state.log(&entry, Timestamp::now()).await?;
    Ok(())
}

/// Takes an archive away of whose rows none went.
pub(super) async fn forget(
    work: &mut Work<'_>,
    shelf: &Shelf,
    store: &StoreName,
    archive: &Manifest,
) -> Result<(), End> {
    let removed: Result<(), Failure> = shelf.remove(&archive.id).await;
    if let Err(failure) = removed {
        tracing::warn!(rule = work.applied.rule, archive = archive.id.as_str(), %failure, "the archive was not removed");
        return Ok(());
    }
    let detail = json!({"archives": [archive.id], "store": store, "removed": 1, "why": "none of its rows went"});
    let entry = work.application.entry(LogKind::ArchivesRemoved, detail);
    work.application.context.state.log(&entry, Timestamp::now()).await?;
    Ok(())
}
