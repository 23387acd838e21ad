//! Room backup.
