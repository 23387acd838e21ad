//! What the operator wrote: the types of the configuration, where it is read, and what is said about its mistakes.
//!
//! Three layers: the main file, `conf.d/*.toml` beside it in the order of their names, and environment variables such
//! as `CARETAKER__BACKUP__NIGHTLY__SCHEDULE`. Tables of several layers are merged; anything else is replaced by the
//! later layer. [`layers`] reads them and remembers where each value stands, [`read`] turns them into [`model`] and
//! records a [`Diagnostic`] for everything that is wrong, going on to the next.

mod audit;
mod diagnostic;
mod init;
mod layers;
mod load;
pub mod model;
mod read;
mod redact;
mod secret;
mod suggest;
#[cfg(test)]
mod tests;
mod url;
mod view;

pub use diagnostic::{Diagnostic, Excerpt, Place, Severity};
pub use init::{InitError, STARTER, init};
pub use load::{DEFAULT_PATH, LoadOptions, Loaded, load};
pub use model::*;
pub use suggest::suggest;
pub use url::{ParsedUrl, PostgresUrl, SqliteUrl, UrlError, parse_database_url};
pub use view::{Shown, View};

/// Text without what looks like a secret: passwords in URLs, values assigned to names such as `token`.
pub fn without_secrets(text: &str) -> String {
    redact::text(text)
}
