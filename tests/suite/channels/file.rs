//! `kind = "file"`

use caretaker::alert::Message;

use super::told::{monstrous, opened, recovered, send, temporary};
use crate::support::{Sandbox, mails};

fn writing(path: &str, format: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!("[channels.ops]\nkind = 'file'\npath = '{path}'\nformat = '{format}'\n"));
    sandbox
}

#[tokio::test]
async fn each_message_is_one_line_of_json_behind_the_others() {
    let sandbox = writing("./alerts.jsonl", "jsonl");
    for message in [opened(), Message { id: "another".to_owned(), ..monstrous() }, recovered()] {
        send(&sandbox, &message).await.unwrap();
    }
    let text = std::fs::read_to_string(sandbox.path("alerts.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["message"]["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["opened", "opened", "recovered"]);
}

#[tokio::test]
async fn what_a_killed_process_has_written_is_completed_and_not_repeated() {
    let sandbox = writing("./alerts.jsonl", "jsonl");
    let file = sandbox.path("alerts.jsonl");
    send(&sandbox, &opened()).await.unwrap();
    let whole = std::fs::read_to_string(&file).unwrap();
    send(&sandbox, &opened()).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), whole, "it was there already");
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    send(&sandbox, &opened()).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), whole, "half of it was there");
    std::fs::write(&file, "somebody else's").unwrap();
    send(&sandbox, &opened()).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("somebody else's\n{whole}"));
}

#[tokio::test]
async fn a_maildir_holds_mails_and_the_same_message_once() {
    let sandbox = writing("./mail", "maildir");
    for message in [opened(), opened(), recovered()] {
        send(&sandbox, &message).await.unwrap();
    }
    let mails = mails(&sandbox.path("mail"));
    let subjects: Vec<&str> = mails.iter().map(|mail| mail["headers"]["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects.len(), 2);
    assert!(subjects[1].starts_with("[RECOVERED] app replication"), "{subjects:?}");
    assert_eq!(std::fs::read_dir(sandbox.path("mail/tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_folder_that_is_not_there_may_be_later() {
    let sandbox = writing("./not/mounted/alerts.jsonl", "jsonl");
    assert!(temporary(send(&sandbox, &opened()).await).contains("alerts.jsonl: No such file"));
}
