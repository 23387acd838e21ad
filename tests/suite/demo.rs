//! `demo`: what a newcomer sees first.

use std::process::Command;
use std::time::Duration;

use crate::support::{Sandbox, run};

#[test]
fn a_newcomer_sees_backup_proof_damage_health_and_mail_and_nothing_is_left() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("tmp");
    std::fs::create_dir(&folder).unwrap();
    let mut command = sandbox.bare_command();
    let said = run(command.arg("demo").env("TMPDIR", &folder), b"", Duration::from_secs(60)).succeeds();
    for seen in
        ["$ caretaker job run nightly", "same hash", "exit code 5", "connectivity", "Subject:", "newest good one"]
    {
        assert!(said.stdout.contains(seen), "no {seen:?} in {}", said.stdout);
    }
    let left = run(Command::new("find").arg(&folder).args(["-mindepth", "1"]), b"", Duration::from_secs(10));
    assert_eq!(left.stdout, "");
}
