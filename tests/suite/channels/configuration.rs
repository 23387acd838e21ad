//! What is said about `[channels.*]` and `[heartbeat]` that are wrong or doubtful.

use caretaker::config::{LoadOptions, load};
use rstest::rstest;

use crate::support::Sandbox;

/// All that is said, in one text.
fn said(tables: &str) -> String {
    let sandbox = Sandbox::new();
    sandbox.secret("s", "secret");
    sandbox.configure(tables);
    let found = match load(&LoadOptions { path: Some(sandbox.config()), ..LoadOptions::default() }) {
        Ok(loaded) => loaded.warnings,
        Err(found) => found,
    };
    found.iter().map(|found| found.render(false)).collect::<Vec<_>>().join("\n")
}

const MAIL: &str = "[channels.ops]\nkind = 'email'\nfrom = 'a@example.org'\nto = ['b@example.org']\n";

#[rstest]
#[case("kind = 'emial'", "unknown value `emial`; did you mean `email`?")]
#[case("knd = 'email'", "needs `kind`")]
#[case("kind = 'slack'", "[channels.ops] needs `url_file` or `credential`")]
#[case("kind = 'slack'\nurl_file = './s'\ncredential = 'x'", "exclude each other")]
#[case("kind = 'slack'\nurl_fil = './s'", "did you mean `url_file`?")]
#[case("kind = 'webhook'\nurl_file = './s'\nsecret = 'hunter2'", "`secret` is a secret and does not stand in")]
#[case("kind = 'webhook'\nurl_file = './s'\nbody = '{{ title'", "the template body.json, line 1")]
#[case("kind = 'telegram'\ntoken_file = './s'", "needs `chat_id`")]
#[case("kind = 'pagerduty'\nrouting_key = 'hunter2'", "routing_key_file = ")]
#[case("kind = 'pagerduty'\nrouting_key_file = './s'\nserver = 'http://p.example.org'", "without TLS")]
#[case("kind = 'command'\ncommand = ['page']", "the absolute path of its program")]
#[case("kind = 'command'\ncommand = '/bin/page'", "put it in square brackets")]
#[case("kind = 'file'\npath = 'alerts'", "is not an absolute path")]
#[case("kind = 'email'\nfrom = 'nobody'\nto = []\nsendmail = '/s'", "`nobody` is not a mail address")]
#[case("kind = 'email'\nfrom = 'a@b.c'\nto = []\nsendmail = '/s'", "this mails nobody")]
#[case("kind = 'email'\nfrom = \"a@b.c\\nBcc: x\"\nto = ['a@b.c']\nsendmail = '/s'", "is not a mail address")]
#[case("kind = 'email'\nfrom = 'a@b.c'\nto = ['a@b.c']", "needs `smtp = { host")]
fn a_wrong_channel_is_told_with_what_to_do(#[case] lines: &str, #[case] expected: &str) {
    let said = said(&format!("[channels.ops]\n{lines}\n"));
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[rstest]
#[case("host = 'mail.example.org', tls = 'starttsl'", "did you mean `starttls`?")]
#[case("host = 'mail.example.org', tls = 'none'", "mails travel to mail.example.org without TLS")]
#[case("host = 'mail.example.org:25'", "the port goes into `port`")]
#[case("host = 'h', username = 'u'", "needs `password_file` or `credential`")]
#[case("host = 'h', username = 'u', password = 'hunter2'", "passwords do not stand in the configuration")]
#[case("host = 'h', password_file = './s'", "needs `username`")]
#[case("host = 'h', ca_file = './s'", "holds no certificate")]
#[case("host = 'h', prot = 25", "did you mean `port`?")]
fn a_wrong_server_is_told_with_what_to_do(#[case] smtp: &str, #[case] expected: &str) {
    let said = said(&format!("{MAIL}smtp = {{ {smtp} }}\n"));
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn the_port_is_that_of_the_protection() {
    for (tls, port) in [("starttls", 587), ("implicit", 465), ("none", 25)] {
        let sandbox = Sandbox::new();
        sandbox.configure(&format!("{MAIL}smtp = {{ host = 'localhost', tls = '{tls}' }}\n"));
        let shown = sandbox.caretaker(&["config", "show", "--format", "json"]).succeeds().json();
        assert_eq!(shown["channels"]["ops"]["smtp"]["port"]["value"], port);
    }
}
