//! The addresses of the servers that `tests/with-servers` starts.

/// An address from the environment.
///
/// # Panics
/// Without it: a test that needs a server fails, it is never skipped.
pub fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run through `make test`, or `tests/with-servers cargo test --test suite NAME`")
    })
}
