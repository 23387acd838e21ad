//! What is cut off in the middle is gone on with, and comes to the same end.

use std::process::Stdio;

use rstest::rstest;

use super::scene::{Kind, Scene, notes, rule};
use crate::support::{eventually, patient};

/// Rows that take their time to go, in small transactions.
fn slow() -> Scene {
    let scene = Scene::new(Kind::Postgres, &notes("note", 3000));
    scene.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.002); RETURN OLD; END$$;
         CREATE TRIGGER slow BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    scene.policy(&format!("batch = {{ target = '20ms' }}\n{}", rule("note", "action = 'delete'")));
    scene
}

#[test]
fn a_killed_run_is_gone_on_with_where_it_stopped() {
    let scene = slow();
    for gone in [2900, 2600] {
        let mut applying = scene.applying().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("rows go", patient(), || (scene.count("note") < gone).then_some(()));
        applying.kill().unwrap();
        applying.wait().unwrap();
        // Until then its lock keeps the next one away.
        eventually("the server has noticed", patient(), || {
            let others =
                "pg_stat_activity WHERE application_name = 'caretaker privacy' AND datname = current_database()";
            (scene.count(others) == 0).then_some(())
        });
    }
    let left = scene.count("note") - 2000;
    assert!(left > 0, "it was killed too late to show anything");
    scene.apply().succeeds();
    assert_eq!((scene.count("note"), scene.count("note WHERE id % 3 = 0")), (2000, 0));
    // One disposition, begun once, with all its rows.
    assert_eq!(scene.logged("disposition_started").len(), 1);
    assert_eq!(scene.logged("disposition_completed").len(), 1);
    scene.privacy(&["verify-log"]).succeeds();
}

#[test]
fn a_lost_connection_is_opened_again() {
    let scene = slow();
    let applying = scene.applying().stdout(Stdio::piped()).spawn().unwrap();
    let ours = "FROM pg_stat_activity WHERE application_name = 'caretaker privacy' AND datname = current_database()";
    for gone in [2900, 2500] {
        eventually("rows go", patient(), || (scene.count("note") < gone).then_some(()));
        scene.sql(&format!("SELECT pg_terminate_backend(pid) {ours}"));
    }
    let ended = applying.wait_with_output().unwrap();
    assert!(ended.status.success());
    assert_eq!(scene.count("note WHERE id % 3 = 0"), 0);
}

#[rstest]
fn a_run_that_is_told_to_stop_stops_soon_and_is_gone_on_with(#[values("-TERM", "-INT")] signal: &str) {
    let scene = slow();
    let mut applying = scene.applying().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("rows go", patient(), || (scene.count("note") < 2900).then_some(()));
    let pid = applying.id().to_string();
    assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
    assert_eq!(applying.wait().unwrap().code(), Some(130));
    assert!(scene.count("note WHERE id % 3 = 0") > 0);
    scene.apply().succeeds();
    assert_eq!(scene.count("note WHERE id % 3 = 0"), 0);
}

#[test]
fn it_pauses_while_somebody_wants_it_to() {
    let scene = slow();
    let pause = scene.sandbox.path("pause");
    scene.policy(&format!(
        "batch = {{ target = '20ms', pause_file = '{}' }}\n{}",
        pause.display(),
        rule("note", "action = 'delete'")
    ));
    let mut applying = scene.applying().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("rows go", patient(), || (scene.count("note") < 2900).then_some(()));
    std::fs::write(&pause, "").unwrap();
    // The transaction that was under way still ends.
    let mut last = 0;
    let still = eventually("no rows go", patient(), || {
        let now = scene.count("note");
        std::thread::sleep(std::time::Duration::from_millis(500));
        (std::mem::replace(&mut last, now) == now && scene.count("note") == now).then_some(now)
    });
    assert!(still > 2000);
    std::fs::remove_file(&pause).unwrap();
    assert!(applying.wait().unwrap().success());
    assert_eq!(scene.count("note"), 2000);
}
