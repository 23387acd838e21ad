//! `kind = "webhook"`: what is sent, how it is signed, and how answers are judged.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use caretaker::alert::SendError;
use rstest::rstest;

use super::told::{monstrous, opened, permanent, recovered, send, temporary};
use crate::support::{Hook, Sandbox, answer};

/// A sandbox whose channel `ops` posts there.
fn posting(url: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.secret("url", &format!("{url}/hook/t0ken\n"));
    sandbox.configure(&format!("[channels.ops]\nkind = 'webhook'\nurl_file = './url'\ntimeout = '2s'\n{more}"));
    sandbox
}

#[tokio::test]
async fn the_documented_body_arrives_as_json() {
    let hook = Hook::open();
    let sandbox = posting(&hook.url, "");
    assert_eq!(send(&sandbox, &opened()).await.unwrap().0, "HTTP 200 OK");
    let heard = hook.heard().remove(0);
    assert_eq!((heard.line.as_str(), heard.header("content-type")), ("POST /hook/t0ken HTTP/1.1", "application/json"));
    let body = heard.json();
    assert_eq!(body["version"], 1);
    assert_eq!(body["title"], "[CRITICAL] app replication: the standby walreceiver is 5m 12s behind");
    let message = &body["message"];
    assert_eq!((&message["kind"], &message["severity"]), (&"opened".into(), &"critical".into()));
    let incident = &message["incidents"][0];
    assert_eq!((&incident["subject"], &incident["name"]), (&"app".into(), &"replication".into()));
}

#[tokio::test]
async fn a_signature_can_be_checked_with_openssl() {
    let hook = Hook::open();
    let sandbox = posting(&hook.url, "secret_file = './key'\n");
    // The example of the specification's own libraries.
    sandbox.secret("key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    send(&sandbox, &opened()).await.unwrap();
    let heard = hook.heard().remove(0);
    let (id, timestamp) = (heard.header("webhook-id"), heard.header("webhook-timestamp"));
    assert_eq!(id, opened().id);
    let age = jiff::Timestamp::now().as_second() - timestamp.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{timestamp}");
    let script = "key=$(printf %s MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw | base64 -d | od -An -tx1 | tr -d ' \\n'); \
                  openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64";
    let mut openssl =
        Command::new("bash").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    openssl.stdin.take().unwrap().write_all(format!("{id}.{timestamp}.{}", heard.body).as_bytes()).unwrap();
    let expected = String::from_utf8(openssl.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(heard.header("webhook-signature"), format!("v1,{}", expected.trim()));
}

#[tokio::test]
async fn a_template_of_ones_own_makes_the_body_and_values_are_escaped() {
    let hook = Hook::open();
    let body = r#"body = '{"text": {{ title }}, "at": {{ at }}, "n": {{ incidents | length }}}'"#;
    let sandbox = posting(&hook.url, &format!("{body}\nauthorization_file = './key'\n"));
    sandbox.secret("key", "Bearer s3cret\n");
    let mut message = opened();
    message.incidents[0].summary = "a \"quoted\" \\ <name>".to_owned();
    send(&sandbox, &message).await.unwrap();
    send(&sandbox, &monstrous()).await.unwrap();
    let heard = hook.heard();
    let body = heard[0].json();
    assert_eq!(body["text"], "[CRITICAL] app replication: a \"quoted\" \\ <name>");
    assert_eq!((&body["at"], &body["n"]), (&"2026-11-20T02:05:00Z".into(), &1.into()));
    assert_eq!(heard[0].header("authorization"), "Bearer s3cret");
    assert_eq!(heard[1].json()["n"], 100);
}

#[tokio::test]
async fn a_template_that_gives_no_json_is_not_sent() {
    let hook = Hook::open();
    let sandbox = posting(&hook.url, "body = '{\"text\": \"{{ title }}\"}'\n");
    let mut message = opened();
    message.incidents[0].summary = "\"".to_owned();
    assert!(permanent(send(&sandbox, &message).await).contains("it gives no JSON"));
    assert!(hook.heard().is_empty());
    sandbox.caretaker(&["config", "check"]).exits(2).complains("the channel `ops`: the template of the body fails");
}

#[rstest]
#[case::its_own_fault("500 Internal Server Error", "", None)]
#[case::seconds("429 Too Many Requests", "Retry-After: 17\r\n", Some(17))]
#[case::busy("503 Service Unavailable", "Retry-After: 3\r\n", Some(3))]
#[case::for_ever("503 Service Unavailable", "Retry-After: 99999999\r\n", Some(3600))]
#[tokio::test]
async fn a_server_that_asks_to_come_again_is_told_again(
    #[case] status: &str,
    #[case] headers: &str,
    #[case] seconds: Option<u64>,
) {
    let (said, headers) = (status.to_owned(), headers.to_owned());
    let hook = Hook::start(move |_| answer(&said, &headers, "no"));
    let sandbox = posting(&hook.url, "");
    let expected =
        SendError::Temporary { message: format!("HTTP {status}: no"), retry_after: seconds.map(Duration::from_secs) };
    assert_eq!(send(&sandbox, &opened()).await, Err(expected));
}

#[tokio::test]
async fn a_date_to_come_again_is_understood() {
    let hook = Hook::start(|_| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(120);
        let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT");
        answer("429 Too Many Requests", &format!("Retry-After: {date}\r\n"), "")
    });
    match send(&posting(&hook.url, ""), &opened()).await {
        Err(SendError::Temporary { retry_after: Some(pause), .. }) => {
            assert!((60..=120).contains(&pause.as_secs()), "{pause:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Hook::open();
    let location = format!("Location: {}/elsewhere\r\n", other.url);
    let hook = Hook::start(move |_| answer("307 Temporary Redirect", &location, ""));
    let said = permanent(send(&posting(&hook.url, ""), &recovered()).await);
    assert!(said.contains("307") && said.contains("redirects are not followed"), "{said}");
    assert!(other.heard().is_empty());
}

#[tokio::test]
async fn a_refusal_is_the_last_word_and_does_not_repeat_the_address() {
    let hook = Hook::start(|heard| answer("404 Not Found", "", &format!("cannot {}", heard.line)));
    let said = permanent(send(&posting(&hook.url, ""), &opened()).await);
    assert!(said.contains("HTTP 404 Not Found: cannot POST") && !said.contains("t0ken"), "{said}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_at_the_deadline() {
    let hook = Hook::start(|_| String::new());
    let begun = Instant::now();
    assert_eq!(temporary(send(&posting(&hook.url, ""), &opened()).await), "no answer within 2 s");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[rstest]
#[case::down("http://127.0.0.1:1", "refused")]
#[case::unknown("http://hooks.invalid", "dns error")]
#[tokio::test]
async fn a_server_that_cannot_be_reached_may_be_later_and_the_address_stays_secret(
    #[case] url: &str,
    #[case] why: &str,
) {
    let said = temporary(send(&posting(url, ""), &opened()).await);
    assert!(said.contains(why) && !said.contains("t0ken"), "{said}");
}

#[test]
fn an_address_in_the_configuration_is_refused_and_not_repeated() {
    let sandbox = Sandbox::new();
    sandbox.configure("[channels.ops]\nkind = 'webhook'\nurl = 'https://hooks.example.org/services/t0ken'\n");
    let outcome = sandbox.caretaker(&["config", "check"]).exits(2).complains("url_file = ");
    assert!(!outcome.stderr.contains("t0ken"), "{}", outcome.stderr);
    let sandbox = posting("https://hooks.example.org", "");
    let shown = sandbox.caretaker(&["config", "show"]).succeeds().says("url_file");
    assert!(!shown.stdout.contains("t0ken"));
}

#[test]
fn a_secret_that_everybody_can_read_is_warned_about() {
    let sandbox = posting("https://hooks.example.org", "");
    std::fs::set_permissions(sandbox.path("url"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    sandbox.caretaker(&["config", "check"]).succeeds().complains("the channel `ops`: the secret file");
}
