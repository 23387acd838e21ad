//! Mail servers that are down, hang, refuse, and cut connections.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::json;

use super::told::{channel, opened, permanent, send, temporary};
use crate::support::{Sandbox, Smtp, required};

/// A sandbox whose channel `ops` mails to a server that behaves so.
fn mailing(wish: serde_json::Value) -> (Sandbox, Smtp) {
    let sandbox = Sandbox::new();
    let smtp = Smtp::start(&sandbox, wish);
    sandbox.configure(&smtp.channel("tls = 'none'"));
    (sandbox, smtp)
}

/// The same over TLS, trusting the CA that signed the server.
fn over_tls(how: &str, certificate: &str, ca: &str, wish: serde_json::Value, login: &str) -> (Sandbox, Smtp) {
    let sandbox = Sandbox::new();
    let smtp = Smtp::with_tls(&sandbox, how, certificate, wish);
    sandbox.secret("password", "open-sesame\n");
    let ca = format!("{}/{ca}.pem", required("CARETAKER_TEST_TLS"));
    sandbox.configure(&smtp.channel(&format!("tls = '{how}', ca_file = '{ca}'{login}")));
    (sandbox, smtp)
}

const LOGIN: &str = ", username = 'caretaker', password_file = './password'";

#[tokio::test]
async fn a_mail_that_is_taken_gives_the_servers_answer() {
    let (sandbox, smtp) = mailing(json!({}));
    assert_eq!(send(&sandbox, &opened()).await.unwrap().0, "250 2.0.0 Ok: queued as TEST");
    assert_eq!(smtp.mails().len(), 1);
}

#[rstest]
#[case::busy("CONNECT", "421 4.3.2 shutting down")]
#[case::mailbox_busy("RCPT", "450 4.2.1 mailbox busy")]
#[case::greylisted("RCPT", "451 4.7.1 greylisted, come again")]
#[case::full("DATA", "452 4.2.2 no space")]
#[tokio::test]
async fn a_4xx_refusal_may_pass_and_the_next_attempt_is_taken(#[case] stage: &str, #[case] answer: &str) {
    let (sandbox, smtp) = mailing(json!({"answers": {stage: [answer]}}));
    let said = temporary(send(&sandbox, &opened()).await);
    assert!(said.contains(&answer[..3]) && said.contains(&answer[10..]), "{said}");
    send(&sandbox, &opened()).await.unwrap();
    assert_eq!(smtp.mails().len(), 1);
}

#[rstest]
#[case::no_such_user("RCPT", "550 5.1.1 no such user")]
#[case::too_large("DATA", "552 5.3.4 too large")]
#[case::sender_refused("MAIL", "553 5.1.8 not you")]
#[tokio::test]
async fn a_5xx_refusal_is_the_last_word(#[case] stage: &str, #[case] answer: &str) {
    let (sandbox, smtp) = mailing(json!({"answers": {stage: [answer]}}));
    let said = permanent(send(&sandbox, &opened()).await);
    assert!(said.contains(&answer[..3]) && said.contains(&answer[10..]), "{said}");
    assert!(smtp.mails().is_empty());
}

#[tokio::test]
async fn one_recipient_that_is_refused_does_not_keep_the_mail_from_the_other() {
    let sandbox = Sandbox::new();
    let smtp = Smtp::start(&sandbox, json!({"recipients": {"gone@example.org": "550 5.1.1 gone"}}));
    sandbox.configure(&smtp.channel_to("['gone@example.org', 'Ops <ops@example.org>']", "tls = 'none'"));
    let channel = channel(&sandbox, "ops");
    assert_eq!(channel.recipients(), ["gone@example.org", "Ops <ops@example.org>"]);
    permanent(channel.send(&opened(), "gone@example.org").await);
    channel.send(&opened(), "Ops <ops@example.org>").await.unwrap();
    let mails = smtp.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["headers"]["to"], "Ops <ops@example.org>");
}

#[tokio::test]
async fn a_server_that_is_down_may_come_back() {
    let sandbox = Sandbox::new();
    // Bound and not listening any more: nobody else gets the port meanwhile.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    sandbox.configure(&format!(
        "[channels.ops]\nkind = 'email'\nfrom = 'a@example.org'\nto = ['b@example.org']\n\
         smtp = {{ host = '127.0.0.1', port = {port}, tls = 'none' }}\n"
    ));
    let said = temporary(send(&sandbox, &opened()).await);
    assert!(said.contains(&format!("127.0.0.1:{port}")) && said.contains("refused"), "{said}");
}

#[tokio::test]
async fn a_server_whose_name_is_not_known_may_be_known_later() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "[channels.ops]\nkind = 'email'\nfrom = 'a@example.org'\nto = ['b@example.org']\n\
         smtp = { host = 'mail.invalid', tls = 'none' }\n",
    );
    let said = temporary(send(&sandbox, &opened()).await);
    assert!(said.contains("mail.invalid:25") && said.contains("lookup"), "{said}");
}

#[rstest]
#[case::at_once("CONNECT")]
#[case::after_the_mail("DATA")]
#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_at_the_deadline(#[case] stage: &str) {
    let (sandbox, _smtp) = mailing(json!({"silent": stage}));
    let begun = Instant::now();
    let said = temporary(send(&sandbox, &opened()).await);
    assert_eq!(said, "no answer within 3 s");
    assert!(begun.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn a_mail_whose_answer_was_lost_comes_again_as_the_same_mail() {
    let (sandbox, smtp) = mailing(json!({"cut": 1}));
    let channel = channel(&sandbox, "ops");
    temporary(channel.send(&opened(), "ops@example.org").await);
    channel.send(&opened(), "ops@example.org").await.unwrap();
    let mails = smtp.mails();
    assert_eq!(mails.len(), 2, "at least once");
    assert_eq!(mails[0]["headers"]["message-id"], mails[1]["headers"]["message-id"]);
}

#[tokio::test]
async fn mails_share_a_connection() {
    let (sandbox, smtp) = mailing(json!({}));
    let channel = channel(&sandbox, "ops");
    for _ in 0..3 {
        channel.send(&opened(), "ops@example.org").await.unwrap();
    }
    let mails = smtp.mails();
    let mut seen: Vec<_> = mails.iter().map(|mail| mail["headers"]["x-seen"].as_str().unwrap()).collect();
    seen.dedup();
    assert_eq!((mails.len(), seen.len()), (3, 1), "{seen:?}");
}

#[rstest]
#[case::starttls("starttls")]
#[case::implicit("implicit")]
#[tokio::test]
async fn password_and_mail_travel_in_tls(#[case] how: &str) {
    let (sandbox, smtp) = over_tls(how, "server", "ca", json!({"auth": "caretaker:open-sesame"}), LOGIN);
    send(&sandbox, &opened()).await.unwrap();
    let seen = smtp.mails()[0]["headers"]["x-seen"].as_str().unwrap().to_owned();
    assert!(seen.starts_with("tls=yes user=caretaker"), "{seen}");
}

#[rstest]
#[case::another_host("elsewhere", "ca", "not valid for name")]
#[case::an_unknown_authority("server", "stranger", "UnknownIssuer")]
#[tokio::test]
async fn a_certificate_that_proves_nothing_gets_no_mail(
    #[case] certificate: &str,
    #[case] ca: &str,
    #[case] why: &str,
    #[values("starttls", "implicit")] how: &str,
) {
    let (sandbox, smtp) = over_tls(how, certificate, ca, json!({}), "");
    let said = temporary(send(&sandbox, &opened()).await);
    assert!(said.contains(why), "{said}");
    assert!(smtp.mails().is_empty());
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_password_nor_mail() {
    let wish = json!({"hide_starttls": true, "auth": "caretaker:open-sesame"});
    let (sandbox, smtp) = over_tls("starttls", "server", "ca", wish, LOGIN);
    let said = temporary(send(&sandbox, &opened()).await);
    assert!(said.contains("does not offer STARTTLS"), "{said}");
    assert!(smtp.mails().is_empty());
}

#[tokio::test]
async fn a_refused_login_says_so_without_the_password_and_a_new_password_needs_no_restart() {
    let (sandbox, smtp) = over_tls("starttls", "server", "ca", json!({"auth": "caretaker:other"}), LOGIN);
    let channel = channel(&sandbox, "ops");
    let said = permanent(channel.send(&opened(), "ops@example.org").await);
    assert!(said.contains("535") && said.contains("password is wrong") && !said.contains("sesame"), "{said}");
    sandbox.secret("password", "other");
    channel.send(&opened(), "ops@example.org").await.unwrap();
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn alert_test_prints_each_answer_and_fails_if_one_is_refused() {
    let sandbox = Sandbox::new();
    let smtp = Smtp::start(&sandbox, json!({"recipients": {"gone@example.org": "550 5.1.1 gone"}}));
    sandbox.configure(&smtp.channel_to("['ops@example.org']", "tls = 'none'"));
    sandbox
        .caretaker(&["alert", "test", "ops"])
        .succeeds()
        .says("ok ops ops@example.org: 250 2.0.0 Ok: queued as TEST");
    assert_eq!(smtp.mails()[0]["headers"]["x-caretaker-severity"], "TEST");

    sandbox.configure(&smtp.channel_to("['gone@example.org', 'ops@example.org']", "tls = 'none'"));
    let outcome = sandbox.caretaker(&["alert", "test", "--format", "json"]).exits(1);
    let report = outcome.json();
    assert_eq!((&report[0]["ok"], &report[1]["ok"]), (&json!(false), &json!(true)));
    assert!(report[0]["answer"].as_str().unwrap().contains("550"), "{report}");
    sandbox.caretaker(&["alert", "test", "pos"]).exits(2).complains("did you mean `ops`?");
}

#[tokio::test]
async fn sendmail_takes_mails_and_its_exit_code_is_judged() {
    let sandbox = Sandbox::new();
    let program = sandbox.path("sendmail");
    let here = sandbox.path("");
    let set = |script: &str| {
        let text = format!("#!/bin/sh\necho \"$@\" >{0}/arguments; cat >{0}/mail\n{script}\n", here.display());
        std::fs::write(sandbox.path("new"), text).unwrap();
        std::fs::set_permissions(sandbox.path("new"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::rename(sandbox.path("new"), &program).unwrap();
    };
    set("");
    sandbox.configure(&format!(
        "[channels.ops]\nkind = 'email'\nfrom = 'Caretaker <c@example.org>'\nto = ['Ops <-x@example.org>']\nsendmail = '{}'\n",
        program.display()
    ));
    send(&sandbox, &opened()).await.unwrap();
    let arguments = std::fs::read_to_string(sandbox.path("arguments")).unwrap();
    assert_eq!(arguments.trim(), "-i -f c@example.org -- -x@example.org");
    let mail = std::fs::read_to_string(sandbox.path("mail")).unwrap();
    assert!(mail.contains("Subject: [CRITICAL]") && !mail.contains('\r'), "{mail}");
    set("echo queue full >&2; exit 75");
    assert!(temporary(send(&sandbox, &opened()).await).contains("queue full"));
    set("echo who >&2; exit 67");
    assert!(permanent(send(&sandbox, &opened()).await).contains("who"));
}
