//! Whatever is observed, silenced and acknowledged, and whenever: what people are told adds up.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Event {
    Look(&'static str, Status),
    Run(Status),
    Pass(i64),
    Silence(&'static str),
    Acknowledge,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let status = prop_oneof![
        Just(Status::Ok),
        Just(Status::Warning),
        Just(Status::Critical),
        Just(Status::Unknown),
        Just(Status::NotApplicable),
    ];
    let check = prop_oneof![Just("locks"), Just("connections"), Just("connectivity"), Just("backup_age")];
    let run = prop_oneof![Just(Status::Ok), Just(Status::Critical), Just(Status::Warning)];
    let event = prop_oneof![
        8 => (check, status).prop_map(|(check, status)| Event::Look(check, status)),
        3 => run.prop_map(Event::Run),
        5 => (1..3600_i64).prop_map(Event::Pass),
        1 => prop_oneof![Just("app"), Just("locks"), Just("backup.nightly")].prop_map(Event::Silence),
        1 => Just(Event::Acknowledge),
    ];
    proptest::collection::vec(event, 1..60)
}

const CONFIGURATIONS: [&str; 3] = [
    "",
    "[alerts]\nquiet_hours = '20:00-07:00'\nescalate_after = '20m'\nescalate_to = ['pager']\nremind_after = '1h'\n",
    "[[alerts.routes]]\nseverity = 'critical'\nchannels = ['pager']\n[[alerts.routes]]\nchannels = ['ops']\n",
];

/// How often and in which order a channel may hear of an incident.
fn adds_up(kinds: &[MessageKind], is_over: bool) -> bool {
    use MessageKind::{Acknowledged, Changed, Escalation, Flapping, Opened, Recovered, Reminder};
    let Some((first, rest)) = kinds.split_first() else { return true };
    let recoveries = kinds.iter().filter(|kind| **kind == Recovered).count();
    matches!(first, Opened | Flapping | Escalation)
        && rest.iter().all(|kind| matches!(kind, Acknowledged | Changed | Flapping | Escalation | Reminder | Recovered))
        && recoveries == usize::from(is_over)
        && (!is_over || kinds.last() == Some(&Recovered))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_incident_is_opened_once_told_of_in_order_and_its_end_told_exactly_once(
        events in events(), which in 0..CONFIGURATIONS.len(),
    ) {
        let mut world = World::new(CONFIGURATIONS[which]);
        for event in events {
            let before = world.sent.len();
            match event {
                Event::Look(check, status) => world.look(check, status),
                Event::Run(status) => world.run(status),
                Event::Pass(seconds) => {
                    world.now += SignedDuration::from_secs(seconds);
                    world.step();
                }
                Event::Silence(target) => world.silence(target, "1h"),
                Event::Acknowledge => world.acknowledge(),
            }
            let open: Vec<&CheckKey> =
                world.incidents.values().filter(|it| it.closed_at.is_none()).map(|it| &it.key).collect();
            prop_assert_eq!(open.iter().collect::<BTreeSet<_>>().len(), open.len(), "two open incidents of one check");
            for (_, _, message) in &world.sent[before..] {
                for incident in &message.incidents {
                    let silenced = world.desk.silences.iter().any(|silence| {
                        super::super::is_silenced(&world.config, silence, &world.incidents[&incident.id])
                    });
                    prop_assert!(!silenced || message.kind == MessageKind::Recovered, "told in silence: {message:?}");
                }
            }
        }
        // Long enough for everything that waits to have been told.
        world.pass_in_steps("25h", 240);
        for incident in world.incidents.values() {
            for channel in ["ops", "pager"] {
                let of = |message: &Message| message.incidents.iter().any(|it| it.id == incident.id);
                let kinds: Vec<MessageKind> = world
                    .sent
                    .iter()
                    .filter(|(_, to, message)| to == channel && of(message))
                    .map(|(_, _, message)| message.kind)
                    .collect();
                prop_assert!(adds_up(&kinds, incident.closed_at.is_some()), "{channel} {kinds:?} {incident:?}");
                if incident.closed_at.is_none() && channel == "ops" {
                    prop_assert!(!kinds.is_empty() || is_cut_off(&world, incident), "never told: {incident:?}");
                }
            }
        }
    }
}

/// Whether an incident is mute because the connection to its database is down.
fn is_cut_off(world: &World, incident: &Incident) -> bool {
    incident.key.name != "backup_age"
        && world.incidents.values().any(|it| it.closed_at.is_none() && it.key.name == "connectivity")
}
