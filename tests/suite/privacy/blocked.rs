//! Others are in the way: locks, row security, another machine.

use super::scene::{Kind, Scene, notes, rule};
use crate::support::{Postgres, patient, until};

/// A session of somebody else's that holds something; ended when dropped.
pub(super) struct Other(std::process::Child);

impl Other {
    pub(super) fn doing(scene: &Scene, sql: &str) -> Self {
        use std::io::Write as _;
        let mut command = Postgres::shared().program("psql");
        command.args(["-XAtq", "-d", &scene.postgres().socket_url()]).stdin(std::process::Stdio::piped());
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "SET application_name = 'other'; {sql};").unwrap();
        let idle =
            "pg_stat_activity WHERE application_name = 'other' AND datname = current_database() AND state <> 'active'";
        until("somebody else holds it", patient(), || scene.count(idle) == 1);
        Self(child)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_lock_of_somebody_else_fails_the_rule_alone_and_only_for_now() {
    let scene = Scene::new(Kind::Postgres, &format!("{}{}", notes("note", 30), notes("other", 30)));
    scene.policy(&format!(
        "batch = {{ lock_timeout = '50ms' }}\n{}{}",
        rule("note", "action = 'delete'"),
        rule("other", "action = 'delete'")
    ));
    let other = Other::doing(&scene, "BEGIN; SELECT * FROM note WHERE id = 3 FOR UPDATE");
    scene.apply().exits(1).says("old other: 10 rows").complains("canceling statement due to lock timeout");
    assert_eq!((scene.count("note"), scene.count("other")), (30, 20));
    drop(other);
    scene.apply().succeeds();
    assert_eq!(scene.count("note"), 20);
}

#[test]
fn two_machines_do_not_work_on_one_database_at_once() {
    let scene = Scene::new(Kind::Postgres, &notes("note", 30));
    scene.policy(&rule("note", "action = 'delete'"));
    // The lock as another Caretaker takes it: the first half is ASCII CTKR, the second FNV-1a of its purpose.
    let key = "caretaker:privacy"
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let other = Other::doing(
        &scene,
        &format!("SELECT pg_advisory_lock({}, {})", i32::from_be_bytes(*b"CTKR"), key.cast_signed()),
    );
    scene.apply().exits(4).complains("is in the hands of another Caretaker (privacy)");
    assert_eq!(scene.count("note"), 30);
    drop(other);
    scene.apply().succeeds();
}

#[test]
fn rows_that_row_security_hides_are_an_error_rather_than_left() {
    let scene = Scene::new(Kind::Postgres, &notes("note", 30));
    let (database, role) = (scene.postgres(), crate::support::unique("role").replace('-', "_"));
    scene.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT, DELETE ON note TO {role};
         ALTER TABLE note ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON note USING (id < 10)"
    ));
    let url = database.socket_url().replace("postgres://postgres@", &format!("postgres://{role}@"));
    scene.sandbox.configure(&format!(
        "[databases.app]\nurl = '{url}'\n[privacy.school]\ndatabase = 'app'\n{}",
        rule("note", "action = 'delete'")
    ));
    scene.apply().exits(1).complains("row-level security");
    assert_eq!(scene.count("note"), 30);
    scene.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn a_missing_privilege_is_named_and_what_database_grants_prints_cures_it() {
    let scene = Scene::new(Kind::Postgres, &notes("note", 30));
    let role = crate::support::unique("role").replace('-', "_");
    scene.sql(&format!("CREATE ROLE {role} LOGIN"));
    let url = scene.postgres().socket_url().replace("postgres://postgres@", &format!("postgres://{role}@"));
    scene.sandbox.configure(&format!(
        "[databases.app]\nurl = '{url}'\n[privacy.school]\ndatabase = 'app'\n{}{}",
        rule("note", "action = { set = { body = 'null' } }\nwhere = \"who = 'p3'\""),
        rule("note", "action = 'delete'").replace("old note", "other note")
    ));
    scene.apply().exits(1).complains("permission denied for table note").complains("caretaker database grants app");
    let printed = scene.sandbox.caretaker(&["database", "grants", "app", "--format", "json"]).exits(5).json();
    let grants = printed["grants"].as_array().unwrap().iter().filter(|grant| grant["duty"] == "privacy");
    let statements: Vec<&str> = grants.map(|grant| grant["sql"].as_str().unwrap()).collect();
    assert_eq!(statements.len(), 2, "{printed}");
    scene.sql(&statements.concat());
    scene.apply().succeeds();
    assert_eq!(scene.count("note"), 20);
    let printed = scene.sandbox.caretaker(&["database", "grants", "app", "--format", "json"]).json();
    let mut grants = printed["grants"].as_array().unwrap().iter().filter(|grant| grant["duty"] == "privacy");
    assert!(grants.all(|grant| grant["held"] == true), "{printed}");
    scene.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
