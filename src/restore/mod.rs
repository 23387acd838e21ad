//! Room restore.
