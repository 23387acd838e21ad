//! What a mail looks like to the programs that read it.

use caretaker::alert::{Message, MessageKind, Row, Section};
use caretaker::state::Status;
use serde_json::{Value, json};

use super::told::{acknowledged, channel, monstrous, opened, recovered};
use crate::support::{Sandbox, Smtp};

/// Sends messages as mails and gives what a client reads; `more`: lines of the channel's table.
async fn mails_with(sandbox: &Sandbox, messages: &[Message], more: &str) -> Vec<Value> {
    let smtp = Smtp::start(sandbox, json!({}));
    sandbox.configure(&format!("{}{more}", smtp.channel("tls = 'none'")));
    let channel = channel(sandbox, "ops");
    for message in messages {
        channel.send(message, "ops@example.org").await.unwrap();
    }
    smtp.mails()
}

async fn mails(messages: &[Message]) -> Vec<Value> {
    mails_with(&Sandbox::new(), messages, "").await
}

fn text<'a>(mail: &'a Value, header: &str) -> &'a str {
    mail["headers"][header].as_str().unwrap_or_else(|| panic!("no {header} in {mail}"))
}

#[tokio::test]
async fn a_mail_says_it_all_in_plain_text_and_in_html() {
    let mails = mails(&[opened(), recovered()]).await;
    let (mail, over) = (&mails[0], &mails[1]);
    assert_eq!(mail["type"], "multipart/alternative");
    assert_eq!(text(mail, "subject"), "[CRITICAL] app replication: the standby walreceiver is 5m 12s behind");
    assert_eq!(text(over, "subject"), "[RECOVERED] app replication: over after 12m 0s");
    for part in ["text", "html"] {
        let body = mail[part].as_str().unwrap();
        for word in
            ["5m 12s behind", "1m 0s", "2026-11-20 02:00 UTC", "standby's log", "replayed 0/1000000", "db1.example.org"]
        {
            let word =
                if part == "html" { word.replace('\'', "&#x27;").replace('/', "&#x2f;") } else { word.to_owned() };
            assert!(body.contains(&word), "{part} has no {word}:\n{body}");
        }
        let body = over[part].as_str().unwrap();
        assert!(body.contains("12m 0s") && body.contains("6m 1s"), "duration and worst value: {body}");
    }
    assert_eq!(mail["defects"], json!([]));
}

#[tokio::test]
async fn times_are_those_of_the_people_who_read_them() {
    let message = Message { timezone: Some("Europe/Berlin".to_owned()), ..opened() };
    let mail = mails(&[message]).await.remove(0);
    for part in ["text", "html"] {
        let body = mail[part].as_str().unwrap();
        assert!(body.contains("2026-11-20 03:00 CET (5m 0s)") && body.contains("2026-11-20 03:05 CET"), "{body}");
    }
    assert_eq!(text(&mail, "date"), "Fri, 20 Nov 2026 02:05:00 +0000");
}

#[tokio::test]
async fn the_plain_text_is_as_wide_as_mails_are_but_for_what_was_seen() {
    let mut message = opened();
    message.incidents[0].advice = Some("see whether it waits, or works, and what for ".repeat(8));
    message.incidents[0].evidence = vec!["SELECT 'Größe „groß“', \"straße\" ".repeat(5)];
    let mail = mails(&[message]).await.remove(0);
    let text = mail["text"].as_str().unwrap();
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 72).collect();
    assert!(wide.len() == 1 && wide[0].starts_with("  | SELECT"), "{wide:?}");
    assert!(text.contains("'Größe „groß“', \"straße\""));
}

#[tokio::test]
async fn the_mail_that_somebody_is_on_it_says_who_and_not_all_the_rest_again() {
    let mail = mails(&[acknowledged()]).await.remove(0);
    assert_eq!(text(&mail, "subject"), "[ACKNOWLEDGED] app replication: anna is on it");
    for part in ["text", "html"] {
        let body = mail[part].as_str().unwrap();
        assert!(body.contains("anna") && !body.contains("standby's log") && !body.contains("replayed"), "{body}");
    }
    assert!(mail["headers"]["importance"].is_null());
}

#[tokio::test]
async fn a_digest_has_its_sections_in_both_parts() {
    let row = Row {
        name: "notes".to_owned(),
        status: Status::Critical,
        facts: vec!["1.20 GiB, grows by 3.00 MiB a day".to_owned(), "never proven".to_owned()],
    };
    let sections = vec![Section { title: "Databases".to_owned(), rows: vec![row] }];
    let mail = mails(&[Message { kind: MessageKind::Digest, sections, ..opened() }]).await.remove(0);
    assert_eq!(text(&mail, "subject"), "[DIGEST] db1.example.org: 1 incident is open");
    for part in ["text", "html"] {
        let body = mail[part].as_str().unwrap();
        for said in ["DATABASES", "notes", "grows by 3.00 MiB a day", "never proven", "INCIDENTS", "app replication"] {
            assert!(body.contains(said), "{part} has no {said}: {body}");
        }
    }
}

#[tokio::test]
async fn clients_put_the_mails_of_an_incident_into_one_conversation() {
    let mut second = opened();
    second.incidents[0].id = "0193f0a0-0000-7000-8000-000000000002".to_owned();
    let mails = mails(&[opened(), recovered(), second]).await;
    let thread = |mail| (text(mail, "in-reply-to").to_owned(), text(mail, "references").to_owned());
    assert_eq!(thread(&mails[0]), thread(&mails[1]));
    assert_ne!(thread(&mails[0]), thread(&mails[2]));
    assert_ne!(text(&mails[0], "message-id"), text(&mails[1], "message-id"));
    for mail in &mails {
        let id = text(mail, "message-id");
        assert!(id.starts_with('<') && id.ends_with("@db1.example.org>"), "{id}");
    }
}

#[tokio::test]
async fn each_recipient_has_an_id_of_its_own_which_every_attempt_repeats() {
    let sandbox = Sandbox::new();
    let smtp = Smtp::start(&sandbox, json!({}));
    sandbox.configure(&smtp.channel_to("['a@example.org', 'b@example.org']", "tls = 'none'"));
    // Each attempt by another process, as after a crash.
    for recipient in ["a@example.org", "b@example.org", "a@example.org"] {
        channel(&sandbox, "ops").send(&opened(), recipient).await.unwrap();
    }
    let mails = smtp.mails();
    let ids: Vec<&str> = mails.iter().map(|mail| text(mail, "message-id")).collect();
    assert_eq!(ids[0], ids[2]);
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn nobody_answers_automatically_and_people_can_filter() {
    let mail = mails(&[opened()]).await.remove(0);
    assert_eq!(text(&mail, "auto-submitted"), "auto-generated");
    assert_eq!(text(&mail, "list-id"), "Caretaker <ops.caretaker.db1.example.org>");
    assert_eq!(text(&mail, "x-caretaker-severity"), "CRITICAL");
    assert_eq!(text(&mail, "importance"), "high");
    assert_eq!(text(&mail, "date"), "Fri, 20 Nov 2026 02:05:00 +0000");
}

#[tokio::test]
async fn line_breaks_in_any_field_add_no_header() {
    let evil = "x\r\nBcc: evil@example.org\r\n\r\nbody\nX-Evil: 1\u{2028}\u{85}\0";
    let mut message = opened();
    for field in [&mut message.host, &mut message.environment, &mut message.id] {
        field.push_str(evil);
    }
    message.text = vec![evil.to_owned()];
    let incident = &mut message.incidents[0];
    for field in [
        &mut incident.id,
        &mut incident.key.source,
        &mut incident.key.subject,
        &mut incident.key.name,
        &mut incident.summary,
    ] {
        field.push_str(evil);
    }
    for field in [&mut incident.value, &mut incident.worst_value, &mut incident.threshold, &mut incident.advice] {
        *field = Some(evil.to_owned());
    }
    incident.evidence = vec![evil.to_owned()];
    let messages: Vec<Message> = [MessageKind::Opened, MessageKind::Digest, MessageKind::Test, MessageKind::Recovered]
        .map(|kind| Message { kind, ..message.clone() })
        .to_vec();
    let clean = mails(&[opened()]).await.remove(0);
    let known = |mail: &Value| -> Vec<String> {
        let mut names: Vec<String> =
            mail["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        names.retain(|name| name != "importance" && name != "x-priority");
        names
    };
    let all = mails(&messages).await;
    assert_eq!(all.len(), messages.len());
    for mail in &all {
        assert_eq!(known(mail), known(&clean));
        assert!(text(mail, "x-seen").ends_with("to=ops@example.org"));
        assert_eq!(mail["defects"], json!([]));
        for name in ["subject", "message-id", "list-id", "in-reply-to"] {
            assert!(!text(mail, name).contains(['\r', '\n']), "{mail}");
        }
    }
}

#[tokio::test]
async fn html_in_a_message_is_text() {
    let mut message = opened();
    message.incidents[0].summary = "<script>alert(1)</script> & <b>".to_owned();
    message.incidents[0].evidence = vec!["<img src=x>".to_owned()];
    let mail = mails(&[message]).await.remove(0);
    let html = mail["html"].as_str().unwrap();
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script>") && !html.contains("<img"), "{html}");
    assert!(mail["text"].as_str().unwrap().contains("<script>alert(1)</script> & <b>"));
}

#[tokio::test]
async fn what_looks_like_a_secret_is_not_mailed() {
    let mut message = opened();
    message.text = vec!["connecting to postgres://app:hunter2@db/app failed, password=hunter2".to_owned()];
    message.incidents[0].summary = "postgres://app:hunter2@db/app is down".to_owned();
    message.incidents[0].evidence = vec!["PASSWORD = 'hunter2'".to_owned()];
    let mail = mails(&[message]).await.remove(0);
    assert!(!mail.to_string().contains("hunter2"), "{mail}");
    assert!(text(&mail, "subject").contains("postgres://app:[redacted]@db/app"));
}

#[tokio::test]
async fn a_message_of_any_size_and_script_is_a_sound_mail() {
    let mut message = opened();
    message.incidents[0].summary = "die Datenbank »größe« 数据库 🙂 ist fort".to_owned();
    let mails = mails(&[monstrous(), message]).await;
    assert_eq!((&mails[0]["defects"], &mails[1]["defects"]), (&json!([]), &json!([])));
    assert!(text(&mails[0], "subject").chars().count() <= 200);
    assert!(text(&mails[1], "subject").contains("»größe« 数据库 🙂 ist fort"));
}

#[tokio::test]
async fn a_line_that_begins_with_a_dot_arrives_as_it_was() {
    let mut message = opened();
    message.incidents.clear();
    message.text = vec!["first\n.\n..second\n.third".to_owned()];
    let mail = mails(&[message]).await.remove(0);
    let text = mail["text"].as_str().unwrap().replace("\r\n", "\n");
    assert!(text.contains("\n.\n..second\n.third\n"), "{text}");
}

#[tokio::test]
async fn a_folder_of_templates_takes_the_place_of_the_built_in_ones() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("mail/alert");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("subject.txt"), "{{ label }} in {{ incidents[0].subject }}!\n").unwrap();
    std::fs::write(folder.join("body.html"), "{{ nothing.at.all }}").unwrap();
    let mail = mails_with(&sandbox, &[opened()], "templates = './mail'\n").await.remove(0);
    assert_eq!(text(&mail, "subject"), "CRITICAL in app!");
    assert!(mail["html"].as_str().unwrap().contains("5m 12s behind"), "one that fails is not used");
    sandbox.caretaker(&["config", "check"]).exits(2).complains("alert/body.html: undefined value");

    std::fs::write(folder.join("body.txt"), "{% if %}").unwrap();
    sandbox.caretaker(&["config", "check"]).exits(2).complains("the template alert/body.txt, line 1");
    std::fs::rename(folder.join("body.txt"), folder.join("text.txt")).unwrap();
    sandbox.caretaker(&["config", "check"]).exits(2).complains("a mail has no such part");
}

#[tokio::test]
async fn a_digest_and_a_warning_are_not_urgent() {
    let digest = Message { kind: MessageKind::Digest, text: vec!["all is well".to_owned()], ..opened() };
    let warning = Message { severity: Status::Warning, ..opened() };
    for mail in mails(&[digest, warning]).await {
        assert!(mail["headers"]["importance"].is_null(), "{mail}");
    }
}
