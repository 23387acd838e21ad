//! `[privacy.*]`

use super::*;

/// A policy with one rule; further lines for the policy come before it, for the rule after it.
fn policy(lines: &str, rule: &str) -> Result<Loaded, Vec<Diagnostic>> {
    load_one(&format!(
        "[privacy.school]\ndatabase = \"app\"\n{lines}\n[[privacy.school.rules]]\nname = \"old\"\ntable = \"t\"\n\
         age_column = \"made\"\nolder_than = \"90 days\"\n{rule}\n{BASE}"
    ))
}

fn action(text: &str) -> Result<Action, String> {
    let loaded = policy("[privacy.school.subject]\ntable = \"u\"\nkey = \"id\"", &format!("action = {text}"));
    let said = said(&loaded).join("; ");
    loaded.map(|mut loaded| loaded.config.privacy.remove("school").unwrap().rules.remove(0).action).map_err(|_| said)
}

fn change(text: &str) -> Result<Change, String> {
    match action(&format!("{{ set = {{ c = {text} }} }}"))? {
        Action::Set(mut changes) => Ok(changes.remove("c").unwrap()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn changes_are_read_as_they_are_meant() {
    let text = |text: &str| Change::Constant(Constant::Text(text.to_owned()));
    for (written, meant) in [
        ("'null'", Change::Null),
        ("'tombstone'", Change::Tombstone),
        ("'hmac'", Change::Hmac),
        ("'truncate month'", Change::Truncate(CalendarUnit::Month)),
        ("'mask last 4'", Change::Mask { first: 0, last: 4 }),
        ("'mask first 1 last 2'", Change::Mask { first: 1, last: 2 }),
        ("'mask all'", Change::Mask { first: 0, last: 0 }),
        ("'round 10'", Change::Round(10)),
        ("'fake first_name'", Change::Fake(FakeKind::FirstName)),
        ("'Removed'", text("Removed")),
        ("''", text("")),
        ("{ constant = 'null' }", text("null")),
        ("0", Change::Constant(Constant::Integer(0))),
        ("false", Change::Constant(Constant::Boolean(false))),
    ] {
        assert_eq!(change(written), Ok(meant), "{written}");
    }
}

#[test]
fn a_word_that_is_nearly_one_of_ours_is_no_constant() {
    for (written, said) in [
        ("'nul'", "`nul` is nearly `null`"),
        ("'tombstome'", "`tombstome` is nearly `tombstone`"),
        ("'truncate week'", "`truncate week` is not complete"),
        ("'mask'", "`mask` is not complete"),
        ("'round ten'", "`round ten` is not complete"),
        ("'fake cat'", "`fake cat` is not complete"),
        ("[1]", "this is not a value"),
    ] {
        let error = change(written).unwrap_err();
        assert!(error.contains(said), "{written}: {error}");
    }
}

#[test]
fn an_action_is_one_thing() {
    assert!(matches!(action("'delete'"), Ok(Action::Delete)));
    let key = age::x25519::Identity::generate().to_public();
    let archive = format!("{{ archive = {{ store = 'local', encrypt_to = ['{key}'] }} }}");
    assert!(matches!(action(&archive), Ok(Action::Archive { .. })));
    for (written, said) in [
        ("'delte'", "unknown value `delte`; did you mean `delete`?"),
        ("{ archive = { store = 'nowhere' } }", "unknown store `nowhere`"),
        ("{ archive = { store = 'local' } }", "no backup of `app` has `encrypt_to`"),
        ("{ archive = { store = 'local', encrypt_to = ['age1x'] } }", "this age public key is damaged"),
        ("{}", "an action does one thing"),
        ("{ set = {} }", "this sets nothing"),
        ("{ set = { c = 'null' }, archive = { store = 'local' } }", "an action does one thing"),
    ] {
        let error = action(written).unwrap_err();
        assert!(error.contains(said), "{written}: {error}");
    }
}

#[test]
fn what_makes_no_sense_together_is_said() {
    for (lines, rule, expected) in [
        ("", "action = \"delete\"\nolder = 3", "unknown key `older`"),
        ("", "", "needs `action`"),
        ("", "action = { set = { c = \"tombstone\" } }", "sets a tombstone, but there is no subject"),
        ("", "action = \"drop partition\"", "SQLite has no partitions"),
        ("", "action = \"drop partition\"\nwhere = \"true\"", "`where` cannot choose rows"),
        ("caps = { max_fraction = 2 }", "action = \"delete\"", "2 is not a share between 0 and 1"),
        ("caps = { max_growth = 0.5 }", "action = \"delete\"", "0.5 is not a factor of at least 1"),
        ("hmac_key = \"x\"", "action = \"delete\"", "`hmac_key` is a secret"),
        ("stores = [\"nowhere\"]", "action = \"delete\"", "unknown store `nowhere`"),
        (
            "[privacy.school.subject]\ntable = \"u\"\nkey = \"id\"\n[[privacy.school.subject.references]]\n\
             table = \"v\"\nset = { c = \"null\" }",
            "action = \"delete\"",
            "a reference needs either `column` or `via`",
        ),
        (
            "[privacy.school.subject]\ntable = \"u\"\nkey = \"id\"\n[[privacy.school.subject.references]]\n\
             table = \"v\"\nvia = \"w.x -> u.id\"\nset = { c = \"null\" }",
            "action = \"delete\"",
            "`via` begins at `w`, not at `v`",
        ),
    ] {
        let said = said(&policy(lines, rule));
        assert!(said.iter().any(|line| line.contains(expected)), "{expected}: {said:?}");
    }
}

#[test]
fn columns_are_classified_by_table_or_with_the_table_in_front() {
    let loaded = load_one(&format!(
        "[privacy.school]\ndatabase = \"app\"\n[privacy.school.columns]\n\"users.email\" = \"personal\"\n\
         users = {{ \"*\" = \"internal\" }}\n\"audit.events\" = {{ ip = \"sensitive\" }}\n{BASE}"
    ))
    .unwrap();
    let columns = &loaded.config.privacy["school"].columns;
    let of = |table: &str, column: &str| columns.get(&(table.parse().unwrap(), column.to_owned())).copied();
    assert_eq!(of("users", "email"), Some(Sensitivity::Personal));
    assert_eq!(of("users", "*"), Some(Sensitivity::Internal));
    assert_eq!(of("audit.events", "ip"), Some(Sensitivity::Sensitive));
    assert_eq!(columns.len(), 3);
}

/// A policy that only says who its people are, with further lines.
fn subject(lines: &str) -> Result<Loaded, Vec<Diagnostic>> {
    load_one(&format!(
        "[privacy.school]\ndatabase = \"app\"\n[privacy.school.subject]\ntable = \"main.users\"\nkey = \"id\"\n{lines}\n{BASE}"
    ))
}

#[test]
fn a_queue_is_beside_the_subjects_table_and_looked_into_every_minute() {
    let queue = |lines: &str| {
        let mut loaded = subject(lines).unwrap();
        loaded.config.privacy.remove("school").unwrap().subject.unwrap().queue
    };
    assert_eq!(queue(""), None);
    let minute = std::time::Duration::from_secs(60);
    let beside = ErasureQueue { table: "main.leaving".parse().unwrap(), every: minute };
    assert_eq!(queue("queue = \"leaving\""), Some(beside.clone()));
    let elsewhere = ErasureQueue { table: "main.going".parse().unwrap(), every: minute * 5 };
    assert_eq!(queue("queue = \"main.going\"\nqueue_every = \"5 minutes\""), Some(elsewhere));
}

#[test]
fn a_queue_is_a_table_of_its_own() {
    let other = "queue = \"q\"\n[privacy.alumni]\ndatabase = \"app\"\n[privacy.alumni.subject]\ntable = \"main.alumni\"\n\
                 key = \"id\"\nqueue = \"q\"";
    for (lines, expected) in [
        ("queue = \"users\"", "`main.users` cannot be the queue"),
        (
            "queue = \"notes\"\n[[privacy.school.subject.references]]\ntable = \"main.notes\"\ncolumn = \"who\"\n\
             action = \"delete\"",
            "`main.notes` cannot be the queue",
        ),
        ("queue_every = \"1m\"", "`queue_every` without a queue"),
        ("queue = \"q\"\nqueue_every = \"2 days\"", "this is not between 1 s and 24 h"),
        (other, "`main.q` is the queue of `privacy.alumni` already"),
    ] {
        let said = said(&subject(lines));
        assert!(said.iter().any(|line| line.contains(expected)), "{expected}: {said:?}");
    }
}
