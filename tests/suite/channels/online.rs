//! `config check --online`: channels are tried as far as it goes without a message.

use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;
use serde_json::json;

use crate::support::{Hook, OverTls, Sandbox, Smtp, required};

#[test]
fn a_mail_server_is_logged_in_to_and_gets_no_mail() {
    let sandbox = Sandbox::new();
    let smtp = Smtp::with_tls(&sandbox, "starttls", "server", json!({"auth": "caretaker:open-sesame"}));
    let login = format!(
        "ca_file = '{}/ca.pem', username = 'caretaker', password_file = './password'",
        required("CARETAKER_TEST_TLS")
    );
    sandbox.configure(&smtp.channel(&login));
    sandbox.secret("password", "open-sesame\n");
    let tried = sandbox.caretaker(&["config", "check", "--online"]).succeeds();
    tried.says("ok channel ops: localhost:").says("over STARTTLS, logged in as caretaker: 250");
    assert_eq!(smtp.mails().len(), 0);
    sandbox.secret("password", "wrong\n");
    let tried = sandbox.caretaker(&["config", "check", "--online"]).exits(5);
    tried.says("failed channel ops: ").says("535").says("hint: the user or the password is wrong");
}

#[test]
fn a_service_is_asked_for_its_front_page_and_not_told_the_secret_of_the_address() {
    let hook = Hook::open();
    let tls = OverTls::before(&hook, "server");
    let sandbox = Sandbox::new();
    sandbox.secret("url", &format!("{}/hook/t0ken", tls.url));
    let ca = format!("ca_file = '{}/ca.pem'", required("CARETAKER_TEST_TLS"));
    sandbox.configure(&format!("[channels.ops]\nkind = 'slack'\nurl_file = './url'\n{ca}\n"));
    let tried = sandbox.caretaker(&["config", "check", "--online"]).succeeds().says("localhost answers");
    assert!(tried.says("over TLS").stdout.find("t0ken").is_none());
    assert_eq!(hook.heard().iter().map(|heard| heard.line.clone()).collect::<Vec<_>>(), ["HEAD / HTTP/1.1"]);
    sandbox.configure("[channels.ops]\nkind = 'slack'\nurl_file = './url'\n");
    sandbox.caretaker(&["config", "check", "--online"]).exits(5).says("failed channel ops: ").says("certificate");
}

#[rstest]
#[case::a_program("kind = 'command'\ncommand = ['./page']", "page: Permission denied", "page can be run")]
#[case::lines("kind = 'file'\npath = './gone/lines'", "gone/lines: No such file", "gone/lines can be written")]
#[case::sendmail(
    "kind = 'email'\nfrom = 'a@b.c'\nto = ['a@b.c']\nsendmail = './page'",
    "page: Permission denied",
    "page can be run"
)]
fn programs_and_files_are_looked_at(#[case] lines: &str, #[case] before: &str, #[case] after: &str) {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("page"), "#!/bin/sh\n").unwrap();
    let page = sandbox.path("page").display().to_string();
    sandbox.configure(&format!("[channels.ops]\n{}\n", lines.replace("['./page']", &format!("['{page}']"))));
    sandbox.caretaker(&["config", "check", "--online"]).exits(5).says("failed channel ops: ").says(before);
    std::fs::set_permissions(&page, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir(sandbox.path("gone")).unwrap();
    sandbox.caretaker(&["config", "check", "--online"]).succeeds().says("ok channel ops: ").says(after);
    assert!(!sandbox.path("gone/lines").exists());
}
