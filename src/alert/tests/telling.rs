//! Who is told, when, and how often.

use super::*;
use Status::{Critical, Ok, Unknown, Warning};

#[test]
fn every_channel_is_told_once_when_it_begins_and_once_when_it_is_over() {
    let mut world = World::new("");
    world.run(Critical);
    world.pass("29s");
    assert_eq!(world.told("ops"), [""; 0], "news wait for others");
    world.pass("1h");
    world.run(Ok);
    world.pass("1h");
    for channel in ["ops", "pager"] {
        assert_eq!(world.told(channel), ["Opened run", "Recovered run"]);
    }
    let recovered = &world.last().incidents[0];
    assert_eq!((recovered.status, recovered.worst), (Ok, Critical));
    let lasted = recovered.closed_at.unwrap().duration_since(recovered.opened_at);
    assert_eq!(lasted.as_secs(), 3600 + 29);
}

#[test]
fn what_comes_together_is_told_together_and_more_only_after_the_interval() {
    let mut world = World::new("");
    for name in ["locks", "connections"] {
        world.look(name, Warning);
        world.look(name, Warning);
    }
    world.pass("30s");
    world.look("cache_hit", Warning);
    world.look("cache_hit", Warning);
    world.pass("4m");
    assert_eq!(world.told("ops"), ["Opened locks, connections"]);
    world.pass("1m");
    assert_eq!(world.told("ops"), ["Opened locks, connections", "Opened cache_hit"]);
}

#[test]
fn recoveries_and_new_criticals_do_not_wait_for_the_interval() {
    let mut world = World::new("");
    world.look("locks", Warning);
    world.look("locks", Warning);
    world.pass("30s");
    world.look("connections", Critical);
    world.look("connections", Critical);
    world.pass("30s");
    world.look("locks", Ok);
    world.look("locks", Ok);
    world.pass("30s");
    assert_eq!(world.told("ops"), ["Opened locks", "Opened connections", "Recovered locks"]);
}

#[test]
fn what_came_and_went_before_anybody_was_told_is_not_told() {
    let mut world = World::new("");
    world.run(Critical);
    world.pass("20s");
    world.run(Ok);
    world.pass("1h");
    assert!(world.sent.is_empty());
}

#[test]
fn reminders_grow_apart_up_to_a_day_and_end_with_an_acknowledgement() {
    let mut world = World::new("");
    world.run(Critical);
    world.pass("80h");
    let at: Vec<i64> = world.sent.iter().filter(|it| it.1 == "ops").map(|it| it.0.as_second()).collect();
    let hours: Vec<i64> = at.windows(2).map(|pair| (pair[1] - pair[0]) / 3600).collect();
    assert_eq!(hours, [4, 8, 16, 24, 24]);
    world.acknowledge();
    let before = world.sent.len();
    world.pass("80h");
    let said: Vec<MessageKind> = world.sent[before..].iter().map(|(_, _, message)| message.kind).collect();
    assert_eq!(said, [MessageKind::Acknowledged; 2], "to each of the two channels, once");
    world.run(Ok);
    world.pass("1m");
    assert_eq!(world.told("ops").last().unwrap(), "Recovered run");
}

#[test]
fn the_worst_of_a_group_comes_first() {
    let mut world = World::new("[alerts]\ngroup_wait = '10m'\n");
    for _ in 0..2 {
        world.look("locks", Warning);
        world.look("cache_hit", Unknown);
        world.look("connections", Critical);
    }
    world.pass("11m");
    assert_eq!(world.told("ops"), ["Opened connections, locks, cache_hit"]);
}

#[test]
fn who_is_on_it_is_told_at_once_to_those_who_know_of_it_and_to_nobody_else() {
    let mut world = World::new("[[alerts.routes]]\nchannels = ['ops']\n");
    world.look("connectivity", Critical);
    world.pass("40s");
    world.acknowledge();
    world.pass("10s");
    assert_eq!(world.told("ops"), ["Opened connectivity", "Acknowledged connectivity"]);
    assert_eq!(world.last().incidents[0].acknowledged_by.as_deref(), Some("anna"));
    world.pass("1h");
    assert_eq!((world.told("ops").len(), world.told("pager").len()), (2, 0));
}

#[test]
fn who_is_on_it_before_it_was_told_is_told_with_it() {
    let mut world = World::new("");
    world.look("connectivity", Critical);
    world.acknowledge();
    world.pass("1h");
    assert_eq!(world.told("ops"), ["Opened connectivity"]);
    assert!(world.last().incidents[0].acknowledged_by.is_some());
}

#[test]
fn who_is_on_a_warning_has_not_said_to_be_on_a_critical() {
    let mut world = World::new("[alerts]\nremind_after = '1h'\n");
    world.go_on("locks", Warning, 3);
    world.acknowledge();
    world.go_on("locks", Critical, 3);
    world.pass("2h");
    assert_eq!(world.told("ops"), ["Opened locks", "Acknowledged locks", "Changed locks", "Reminder locks"]);
}

#[test]
fn a_silence_keeps_all_but_the_recovery_of_what_was_told_before() {
    for target in ["app", "locks", "app/locks"] {
        let mut world = World::new("[alerts]\nremind_after = '1h'\n");
        world.go_on("locks", Warning, 3);
        world.silence(target, "5h");
        world.go_on("locks", Critical, 30);
        assert_eq!(world.told("ops"), ["Opened locks"], "{target}");
        world.go_on("locks", Ok, 3);
        assert_eq!(world.told("ops"), ["Opened locks", "Recovered locks"], "{target}");
    }
}

#[test]
fn what_a_silence_kept_is_told_when_it_is_over_if_it_is_still_so() {
    let mut world = World::new("");
    world.silence("backup.nightly", "2h");
    world.run(Critical);
    world.pass("119m");
    assert!(world.sent.is_empty());
    world.pass("2m");
    assert_eq!(world.told("ops"), ["Opened run"]);
    let mut world = World::new("");
    world.silence("app", "2h");
    world.run(Critical);
    world.pass("1h");
    world.run(Ok);
    world.pass("3h");
    assert!(world.sent.is_empty(), "nobody was told of it");
}

#[test]
fn in_quiet_hours_warnings_wait_for_the_morning_and_criticals_pass() {
    let mut world = World::new("[alerts]\nquiet_hours = '22:00-07:00'\ntimezone = 'Europe/Berlin'\n");
    world.pass("9h");
    world.go_on("locks", Warning, 3);
    world.go_on("cache_hit", Unknown, 3);
    world.run(Critical);
    world.pass("10m");
    assert_eq!(world.told("ops"), ["Opened run"]);
    world.run(Ok);
    world.pass("10m");
    assert_eq!(world.told("ops"), ["Opened run", "Recovered run"], "who was woken hears that it is over");
    world.pass("9h");
    assert_eq!(world.told("ops")[2..], ["Opened locks, cache_hit"]);
    let morning = world.sent.last().unwrap().0;
    assert_eq!(morning.to_string(), "2026-03-03T06:00:00Z");
}

#[test]
fn routes_choose_by_severity_database_check_and_environment() {
    let route = |conditions: &str| {
        let text =
            format!("[[alerts.routes]]\n{conditions}\nchannels = ['pager']\n[[alerts.routes]]\nchannels = ['ops']\n");
        let mut world = World::new(&text);
        world.go_on("locks", Warning, 3);
        world.run(Critical);
        world.pass("1m");
        assert_eq!(world.kinds(MessageKind::Opened) - world.told("pager").len(), 2, "ops is told of everything");
        world.told("pager")
    };
    assert_eq!(route("severity = 'critical'"), ["Opened run"]);
    assert_eq!(route("severity = 'warning'"), ["Opened locks", "Opened run"]);
    assert_eq!(route("database = 'app'"), ["Opened locks", "Opened run"]);
    assert_eq!(route("check = 'locks'"), ["Opened locks"]);
    assert_eq!(route("check = 'backup.nightly'"), ["Opened run"]);
    assert_eq!(route("environment = 'staging'"), [""; 0]);
}

#[test]
fn who_was_told_that_it_is_critical_is_told_that_it_is_less_so() {
    let mut world = World::new("[[alerts.routes]]\nseverity = 'critical'\nchannels = ['pager']\n");
    world.go_on("locks", Critical, 3);
    world.go_on("locks", Warning, 3);
    world.go_on("locks", Ok, 3);
    assert_eq!(world.told("pager"), ["Opened locks", "Changed locks", "Recovered locks"]);
    assert!(world.told("ops").is_empty());
}

#[test]
fn others_are_called_when_nobody_has_acknowledged() {
    let escalating = "[alerts]\nescalate_after = '30m'\nescalate_to = ['pager']\n";
    let mut world = World::new(escalating);
    world.run(Critical);
    world.pass("29m");
    assert!(world.told("pager").is_empty());
    world.pass("1h");
    world.run(Ok);
    world.pass("1m");
    assert_eq!(world.told("pager"), ["Escalation run", "Recovered run"]);
    assert_eq!(world.told("ops"), ["Opened run", "Recovered run"]);
    let mut world = World::new(escalating);
    world.run(Critical);
    world.pass("20m");
    world.acknowledge();
    world.pass("2h");
    assert!(world.told("pager").is_empty());
}

#[test]
fn that_a_channel_does_not_deliver_is_told_by_the_others() {
    let mut world = World::new("");
    world.observe("delivery", "ops", "delivery", Critical, None);
    world.pass("1m");
    world.observe("delivery", "ops", "delivery", Ok, None);
    world.pass("1m");
    assert_eq!(world.told("pager"), ["Opened delivery", "Recovered delivery"]);
    assert!(world.told("ops").is_empty());
}

#[test]
fn a_clock_that_is_set_back_or_forward_loses_and_repeats_nothing() {
    for hours in [-48, 48] {
        let mut world = World::new("");
        world.run(Critical);
        world.pass("1m");
        world.now += SignedDuration::from_hours(hours);
        world.pass("1m");
        world.run(Ok);
        world.pass("1m");
        let told: Vec<String> = world.told("ops").into_iter().filter(|line| !line.starts_with("Reminder")).collect();
        assert_eq!(told, ["Opened run", "Recovered run"], "{hours}");
    }
}
