//! Rows and hashes of every table, read from the bytes of a dump on their way through.
