//! What every error of the house can say about itself, beyond its text: what the person can do, and whether
//! trying again may cure it.

/// Implemented by each module's error enum, so that the layers above need not know its variants.
pub trait Fault: std::error::Error + Send + Sync + 'static {
    /// What the person can do about it; one sentence, no trailing full stop needed.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Whether the same attempt, made again a little later, may succeed: a refused connection may, a wrong
    /// password will not.
    fn retryable(&self) -> bool {
        false
    }
}

/// An error and its causes on one line, `a: b: c`, leaving out a cause whose text its parent already holds.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}
