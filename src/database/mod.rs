//! Room database.
