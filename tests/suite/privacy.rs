//! Privacy policies through the command line, on both kinds of databases: what goes, what is changed, what stays.

mod actions;
mod anchored_lines;
mod anchors;
mod apply;
mod approval;
mod archive;
mod blocked;
mod certificate;
mod conditions;
mod coverage;
mod erasure;
mod erasure_refused;
mod examples;
mod export;
mod forecast;
mod holds;
mod interrupted;
mod log;
mod partitions;
mod people;
mod remains;
mod replay;
mod replay_refused;
mod scene;
mod shapes;
mod throttled;
