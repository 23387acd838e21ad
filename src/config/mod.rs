//! What the operator wrote: the types of the configuration, and where it is read.

pub mod model;

pub use model::*;
