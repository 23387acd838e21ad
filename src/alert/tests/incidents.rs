//! What becomes an incident, and when it is over.

use super::*;
use Status::{Critical, NotApplicable, Ok, Unknown, Warning};

/// The incidents' statuses after a check has said this, one look after another.
fn after(settings: &str, name: &str, said: &[Status]) -> Vec<Status> {
    let mut world = World::new(settings);
    for status in said {
        world.go_on(name, *status, 1);
    }
    world.statuses()
}

#[test]
fn a_check_must_be_bad_twice_in_a_row_and_good_twice_in_a_row() {
    for (said, expected) in [
        (&[Warning][..], &[][..]),
        (&[Warning, Ok, Warning], &[]),
        (&[Warning, Warning], &[Warning]),
        (&[Warning, Critical], &[Critical]),
        (&[Unknown, Unknown], &[Unknown]),
        (&[Warning, Warning, Ok], &[Warning]),
        (&[Warning, Warning, Ok, Ok], &[Ok]),
        (&[Warning, Warning, Ok, Warning, Ok], &[Warning]),
        (&[Warning, Warning, Ok, Ok, Warning, Warning], &[Ok, Warning]),
        (&[Warning, NotApplicable, Warning], &[Warning]),
        (&[Warning, Warning, Ok, NotApplicable, NotApplicable, Ok], &[Ok]),
        (&[NotApplicable, NotApplicable, NotApplicable], &[]),
    ] {
        assert_eq!(after("", "connections", said), expected, "{said:?}");
    }
}

#[test]
fn the_severity_changes_after_as_many_looks_and_what_is_out_of_sight_is_not_better() {
    for (said, expected) in [
        (&[Warning, Warning, Critical][..], Warning),
        (&[Warning, Warning, Critical, Critical], Critical),
        (&[Warning, Warning, Critical, Warning, Critical], Warning),
        (&[Critical, Critical, Warning, Warning], Warning),
        (&[Critical, Critical, Unknown, Unknown, Unknown], Critical),
        (&[Critical, Critical, Ok, Unknown, Ok, Unknown], Critical),
        (&[Unknown, Unknown, Warning, Warning], Warning),
    ] {
        assert_eq!(after("", "connections", said), [expected], "{said:?}");
    }
}

#[test]
fn connectivity_and_jobs_need_not_be_bad_twice() {
    assert_eq!(after("", "connectivity", &[Critical]), [Critical]);
    let mut world = World::new("");
    world.run(Critical);
    assert_eq!(world.statuses(), [Critical]);
    world.run(Ok);
    assert_eq!(world.statuses(), [Ok]);
}

#[test]
fn how_often_is_a_matter_of_configuration() {
    assert_eq!(after("[alerts]\nenter_after = 3\n", "connections", &[Warning, Warning]), []);
    let own = "[health.app]\ndatabase = 'app'\n[health.app.checks.connections]\nenter_after = 1\nleave_after = 1\n";
    assert_eq!(after(own, "connections", &[Warning]), [Warning]);
    assert_eq!(after(own, "connections", &[Warning, Ok]), [Ok]);
    assert_eq!(after(own, "locks", &[Warning]), []);
}

#[test]
fn an_incident_is_not_over_before_its_figure_has_come_back_to_the_clearing_threshold() {
    let clear = "[health.app]\ndatabase = 'app'\n[health.app.checks.connections]\nwarning = 0.8\nclear = 0.6\n";
    let mut world = World::new(clear);
    for (status, figure) in [(Warning, 0.85), (Warning, 0.9), (Ok, 0.7), (Ok, 0.7), (Ok, 0.7)] {
        world.look_at("connections", status, Some(figure));
    }
    assert_eq!(world.statuses(), [Warning]);
    world.look_at("connections", Ok, Some(0.6));
    world.look_at("connections", Ok, Some(0.5));
    assert_eq!(world.statuses(), [Ok]);
    let incident = world.incidents.values().next().unwrap();
    assert_eq!(incident.at_worst.number, Some(0.9), "the worst figure is kept");
}

#[test]
fn while_a_database_cannot_be_reached_the_checks_behind_it_neither_open_nor_close() {
    let mut world = World::new("");
    world.go_on("locks", Warning, 2);
    world.look("connectivity", Critical);
    world.go_on("connections", Critical, 3);
    world.go_on("locks", Ok, 3);
    world.go_on("backup_age", Critical, 2);
    let open: Vec<&str> = world.incidents.values().map(|it| it.key.name.as_str()).collect();
    assert_eq!(open, ["locks", "connectivity", "backup_age"]);
    assert!(world.incidents.values().all(|it| it.closed_at.is_none()));
    world.go_on("connectivity", Ok, 2);
    world.go_on("locks", Ok, 2);
    assert_eq!(world.statuses(), [Ok, Ok, Critical]);
}

#[test]
fn in_maintenance_nothing_becomes_an_incident_but_what_is_over_is_over() {
    let window =
        "[health.app]\ndatabase = 'app'\n[[health.app.maintenance]]\nschedule = '30 12 * * *'\nduration = '1h'\n";
    let mut world = World::new(window);
    world.go_on("locks", Warning, 2);
    world.pass("20m");
    world.go_on("connections", Critical, 6);
    world.go_on("locks", Ok, 2);
    assert_eq!(world.statuses(), [Ok]);
    world.pass("20m");
    world.go_on("connections", Critical, 2);
    assert_eq!(world.statuses(), [Ok, Critical]);
}

#[test]
fn a_storm_is_one_flapping_incident_until_it_has_been_quiet_for_an_hour() {
    let mut world = World::new("");
    for _ in 0..20 {
        world.go_on("locks", Warning, 1);
        world.go_on("locks", Ok, 1);
    }
    assert_eq!(world.statuses(), [Warning]);
    assert_eq!(world.told("ops"), ["Flapping locks"]);
    world.go_on("locks", Ok, 11);
    assert_eq!(world.statuses(), [Warning]);
    world.go_on("locks", Ok, 2);
    assert_eq!(world.statuses(), [Ok]);
    assert_eq!(world.told("ops"), ["Flapping locks", "Recovered locks"]);
}

#[test]
fn a_job_that_fails_every_other_night_is_no_storm() {
    let mut world = World::new("");
    for _ in 0..5 {
        world.run(Critical);
        world.pass("24h");
        world.run(Ok);
        world.pass("24h");
    }
    assert_eq!((world.kinds(MessageKind::Flapping), world.kinds(MessageKind::Recovered)), (0, 10));
}

#[test]
fn what_is_no_longer_configured_or_no_longer_there_does_not_stay_open_for_ever() {
    let mut world = World::new("");
    world.go_on("locks", Warning, 2);
    world.go_on("replication", Warning, 2);
    world.run(Critical);
    world.go_on("replication", NotApplicable, 12);
    assert_eq!(world.statuses(), [Warning, Ok, Critical]);
    world.config.backups.clear();
    world.config.health.clear();
    world.step();
    assert_eq!(world.statuses(), [Ok, Ok, Ok]);
    world.pass("1m");
    assert!(world.told("ops").contains(&"Recovered run, locks".to_owned()), "{:?}", world.told("ops"));
    assert_eq!(world.last().incidents[0].summary, "no longer in the configuration");
}

#[test]
fn what_is_said_of_a_queue_is_of_its_database_and_goes_with_it() {
    let policy =
        "[privacy.school]\ndatabase = 'app'\n[privacy.school.subject]\ntable = 'users'\nkey = 'id'\nqueue = 'q'\n";
    let route = "[[alerts.routes]]\ndatabase = 'app'\nchannels = ['pager']\n";
    let mut world = World::new(&format!("{policy}{route}"));
    for (subject, name) in [("privacy.school", "queue"), ("privacy.school.queue", "run"), ("privacy.school", "run")] {
        world.observe("job", subject, name, Critical, None);
    }
    world.pass("1m");
    assert_eq!(world.told("pager"), ["Opened queue, run, run"]);
    world.config.privacy.get_mut("school").unwrap().subject.as_mut().unwrap().queue = None;
    world.step();
    let open = world.incidents.values().filter(|incident| incident.closed_at.is_none());
    assert_eq!(open.map(|incident| incident.key.to_string()).collect::<Vec<_>>(), ["privacy.school run"]);
}
