//! `ca_file`: services of one's own, whose certificates no public authority has signed.

use rstest::rstest;

use super::told::{opened, send, temporary};
use crate::support::{Hook, OverTls, Sandbox, patient, required, until};

/// A sandbox whose channel `ops` is of this kind and trusts this authority.
fn trusting(kind: &str, url: &str, ca: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.secret("url", &format!("{url}/topic"));
    sandbox.secret("key", &"k".repeat(32));
    let lines = match kind {
        "pagerduty" => format!("routing_key_file = './key'\nserver = '{url}'\n"),
        "telegram" => format!("token_file = './key'\nchat_id = 1\nserver = '{url}'\n"),
        _ => "url_file = './url'\n".to_owned(),
    };
    sandbox.configure(&format!("[channels.ops]\nkind = '{kind}'\n{lines}{ca}\n"));
    sandbox
}

/// The line that names an authority of `tests/with-servers`.
fn ca_file(name: &str) -> String {
    format!("ca_file = '{}/{name}.pem'", required("CARETAKER_TEST_TLS"))
}

#[rstest]
#[case("webhook")]
#[case("slack")]
#[case("discord")]
#[case("teams")]
#[case("ntfy")]
#[case("telegram")]
#[case("pagerduty")]
#[tokio::test]
async fn a_service_with_an_authority_of_ones_own_is_told(#[case] kind: &str) {
    let hook = Hook::open();
    let tls = OverTls::before(&hook, "server");
    send(&trusting(kind, &tls.url, &ca_file("ca")), &opened()).await.unwrap();
    assert_eq!(hook.heard().len(), 1);
}

#[rstest]
#[case::an_authority_that_nobody_named("server", "")]
#[case::another_authority("server", "stranger")]
#[case::a_wrong_name("elsewhere", "ca")]
#[tokio::test]
async fn a_certificate_that_proves_nothing_gets_no_message(#[case] certificate: &str, #[case] ca: &str) {
    let hook = Hook::open();
    let tls = OverTls::before(&hook, certificate);
    let ca = if ca.is_empty() { String::new() } else { ca_file(ca) };
    let said = temporary(send(&trusting("webhook", &tls.url, &ca), &opened()).await);
    assert!(said.contains("certificate") && !said.contains("topic"), "{said}");
    assert!(hook.heard().is_empty());
}

#[test]
fn heartbeats_trust_an_authority_of_ones_own() {
    let (job, daemon) = (Hook::open(), Hook::open());
    let (over_job, over_daemon) = (OverTls::before(&job, "server"), OverTls::before(&daemon, "server"));
    let sandbox = Sandbox::new();
    sandbox.sqlite("notes.db", 10);
    sandbox.secret("job", &over_job.url);
    sandbox.secret("daemon", &over_daemon.url);
    let ca = ca_file("ca");
    sandbox.configure(&format!(
        "[databases.notes]\nurl = 'sqlite:./notes.db'\n[heartbeat]\nurl_file = './daemon'\n{ca}\n\
         [health.notes]\ndatabase = 'notes'\nschedule = '* * * * * *'\nheartbeat_url_file = './job'\nheartbeat_{ca}\n"
    ));
    let _daemon = sandbox.daemon();
    until("both to be pinged", patient(), || !job.heard().is_empty() && !daemon.heard().is_empty());
}

#[test]
fn a_file_that_holds_no_certificate_is_refused() {
    let sandbox = trusting("webhook", "https://localhost", "ca_file = './key'");
    sandbox.caretaker(&["config", "check"]).exits(2).complains("holds no certificate");
    let sandbox = Sandbox::new();
    sandbox.configure("[channels.log]\nkind = 'file'\npath = '/srv/log'\nca_file = './ca.pem'\n");
    sandbox.caretaker(&["config", "check"]).exits(2).complains("unknown key `ca_file`");
}
