//! Room daemon.
