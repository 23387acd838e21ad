//! `kind = "command"`

use std::time::{Duration, Instant};

use super::told::{opened, permanent, send, temporary};
use crate::support::{Sandbox, until};

/// A sandbox whose channel `ops` runs a shell script.
fn running(script: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let here = sandbox.path("");
    let script = script.replace("HERE", &here.display().to_string());
    sandbox.configure(&format!(
        "[channels.ops]\nkind = 'command'\ncommand = ['/bin/sh', '-c', '''{script}''', 'sh', 'an argument']\ntimeout = '2s'\n"
    ));
    sandbox
}

#[tokio::test]
async fn a_program_reads_the_message_as_json_in_a_scrubbed_environment() {
    let sandbox = running("cat >HERE/message; env >HERE/env; echo \"$1\" >HERE/argument; echo paged");
    assert_eq!(send(&sandbox, &opened()).await.unwrap().0, "paged");
    let message: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(sandbox.path("message")).unwrap()).unwrap();
    assert_eq!(message["message"]["id"], opened().id);
    assert_eq!(std::fs::read_to_string(sandbox.path("argument")).unwrap(), "an argument\n");
    let env = std::fs::read_to_string(sandbox.path("env")).unwrap();
    let mut names: Vec<&str> = env.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["CARETAKER_CHANNEL", "CARETAKER_MESSAGE_ID", "LC_ALL", "PATH", "PWD"]);
}

#[tokio::test]
async fn exit_code_and_complaint_are_judged() {
    assert!(temporary(send(&running("echo busy >&2; exit 75"), &opened()).await).contains("busy"));
    assert!(temporary(send(&running("exit 1"), &opened()).await).contains("exit status: 1"));
    assert!(permanent(send(&running("echo nobody >&2; exit 67"), &opened()).await).contains("nobody"));
    let sandbox = Sandbox::new();
    sandbox.configure("[channels.ops]\nkind = 'command'\ncommand = ['/nowhere/at/all']\n");
    assert!(permanent(send(&sandbox, &opened()).await).contains("/nowhere/at/all"));
}

#[tokio::test]
async fn a_program_that_hangs_ends_at_the_deadline_with_its_children() {
    let sandbox = running("sleep 1000 & echo $! >HERE/child; wait");
    let begun = Instant::now();
    assert_eq!(temporary(send(&sandbox, &opened()).await), "no answer within 2 s");
    assert!(begun.elapsed() < Duration::from_secs(5));
    let child = std::fs::read_to_string(sandbox.path("child")).unwrap();
    let status = format!("/proc/{}/status", child.trim());
    until("the child to be gone", Duration::from_secs(10), || {
        std::fs::read_to_string(&status).map_or(true, |status| status.contains("State:\tZ"))
    });
}

#[tokio::test]
async fn a_program_that_talks_without_end_and_reads_nothing_blocks_nobody() {
    let sandbox = running("yes | head -c 3000000; exit 0");
    assert!(send(&sandbox, &super::told::monstrous()).await.unwrap().0.len() < 1000);
}

#[tokio::test]
async fn what_a_program_leaves_in_the_background_is_not_waited_for() {
    let sandbox = running("sleep 20 & exit 0");
    let begun = Instant::now();
    send(&sandbox, &opened()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
}
