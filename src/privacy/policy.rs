//! The identity of a policy: what it says, in one hash.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::config::PrivacyPolicy;

/// The hash of what a policy says about rows and people, hexadecimal. When it is applied, how gently, and where its log goes
/// are no part of it.
pub fn hash(policy: &PrivacyPolicy) -> String {
    let columns: Vec<_> = policy.columns.iter().map(|((table, column), class)| (table, column, class)).collect();
    let said = json!({
        "name": policy.name,
        "database": policy.database.as_str(),
        "timezone": policy.timezone.iana_name(),
        "rules": policy.rules,
        "subject": policy.subject,
        "columns": columns,
    });
    hex::encode(Sha256::digest(said.to_string()))
}
