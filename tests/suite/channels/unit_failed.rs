//! The daemon has failed: somebody is told without it.

use serde_json::json;

use crate::support::{Sandbox, Smtp};

/// Runs what the failure unit runs.
fn report(sandbox: &Sandbox) -> crate::support::Outcome {
    let mut command = sandbox.command();
    command.args(["alert", "unit-failed", "caretaker.service"]).env("STATE_DIRECTORY", sandbox.state());
    crate::support::run(&mut command, b"", crate::support::patient() * 2)
}

#[test]
fn everybody_who_gets_mail_is_told_that_the_daemon_has_failed() {
    let sandbox = Sandbox::new();
    let smtp = Smtp::start(&sandbox, json!({"answers": {"RCPT": ["451 4.7.1 greylisted"]}}));
    sandbox.configure(&smtp.channel_to("['a@example.org', 'b@example.org']", "tls = 'none'"));
    report(&sandbox).succeeds().says("a@example.org: told: 250");
    let mails = smtp.mails();
    assert_eq!(mails.len(), 2, "also to the one that was refused at first");
    for mail in mails {
        let subject = mail["headers"]["subject"].as_str().unwrap();
        assert!(subject.starts_with("[CRITICAL] caretaker.service has failed"), "{subject}");
    }
}

#[test]
fn a_broken_configuration_does_not_keep_the_news_from_who_was_named_in_the_last_good_one() {
    let sandbox = Sandbox::new();
    let smtp = Smtp::start(&sandbox, json!({"auth": "caretaker:open-sesame"}));
    sandbox.secret("password", "open-sesame");
    sandbox.configure(&smtp.channel("tls = 'none', username = 'caretaker', password_file = './password'"));
    drop(sandbox.daemon());
    let kept = sandbox.state().join("last-good.json");
    assert!(!std::fs::read_to_string(&kept).unwrap().contains("sesame"));
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&kept).unwrap()) & 0o777, 0o600);

    sandbox.configure_exactly("[daemon]\nnonsense = true\n");
    report(&sandbox).succeeds().complains("the last good one");
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn it_says_when_there_is_nobody_to_tell() {
    let sandbox = Sandbox::new();
    report(&sandbox).exits(1).complains("nobody is told");
    sandbox.configure_exactly("nonsense");
    report(&sandbox).exits(1).complains("no last good configuration");
}
