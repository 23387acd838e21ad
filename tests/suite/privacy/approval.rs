//! A policy that has changed is planned and not applied, until somebody approves it.

use super::scene::{Kind, Scene, notes, rule};

#[test]
fn a_changed_policy_does_nothing_until_it_is_approved_by_its_hash() {
    let scene = Scene::new(Kind::Sqlite, &notes("note", 30));
    scene.policy(&rule("note", "action = 'delete'\nwhere = \"who = 'p3'\""));
    // The person who applies it first has seen it.
    scene.apply().succeeds();
    assert_eq!((scene.count("note"), scene.logged("policy_approved").len()), (29, 1));
    // How gently is no part of it.
    scene.policy(&format!("timeout = '1h'\n{}", rule("note", "action = 'delete'\nwhere = \"who = 'p3'\"")));
    scene.apply().succeeds();
    scene.policy(&rule("note", "action = 'delete'"));
    scene.apply().exits(3).complains("the policy has changed since it was approved");
    assert_eq!((scene.count("note"), scene.logged("policy_changed").len()), (29, 1));
    let plan = scene.plan();
    assert_eq!(plan["needs_approval"], true);
    scene.privacy(&["approve", "school", "0123456789ab"]).exits(3);
    scene.privacy(&["approve", "school", &plan["hash"].as_str().unwrap()[..12]]).succeeds();
    scene.apply().succeeds();
    assert_eq!(scene.count("note"), 20);
}

#[test]
fn the_daemon_applies_no_policy_that_nobody_has_approved() {
    let scene = Scene::new(Kind::Sqlite, &notes("note", 30));
    scene.policy(&format!("schedule = '* * * * * *'\n{}", rule("note", "action = 'delete'")));
    let mut daemon = scene.sandbox.daemon();
    daemon.wait_for("the policy was never approved");
    assert_eq!(scene.count("note"), 30);
    let hash = scene.plan()["hash"].as_str().unwrap().to_owned();
    scene.privacy(&["approve", "school", &hash]).succeeds();
    crate::support::until("the policy is applied", crate::support::patient(), || scene.count("note") == 20);
    daemon.terminate();
    assert_eq!(scene.logged("disposition_started")[0]["who"], "daemon");
}

#[test]
fn in_development_nothing_needs_approval() {
    let scene = Scene::new(Kind::Sqlite, &notes("note", 30));
    scene.policy(&rule("note", "action = 'delete'\nwhere = \"who = 'p3'\""));
    scene.apply().succeeds();
    scene.policy(&format!("approval = false\n{}", rule("note", "action = 'delete'")));
    scene.apply().succeeds();
    assert_eq!(scene.count("note"), 20);
}
