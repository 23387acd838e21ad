//! The ways of telling people: a real mail server, and services that check what they document.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod authority;
mod command;
mod configuration;
mod file;
mod forms;
mod heartbeat;
mod mail;
mod online;
mod smtp;
mod told;
mod unit_failed;
mod webhook;
