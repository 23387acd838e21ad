//! Ten thousand mails that wait for a server that is down.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::Wish;
use super::support::{Sandbox, Smtp, eventually};
use super::target::Bound::AtMost;
use super::target::Targets;

const MAILS: u32 = 10_000;
/// After so many of them the daemon is killed, and started again.
const KILLS: [usize; 4] = [1_500, 3_500, 5_500, 7_500];

/// Looks and judges.
pub fn run(wish: &Wish, targets: &mut Targets) {
    if !wish.wants("alerts") {
        return;
    }
    println!("\nalerts, {MAILS} mails that wait for a server that is down");
    let sandbox = Sandbox::new();
    let mut smtp = Smtp::counting(&sandbox);
    smtp.stop();
    sandbox.configure(&smtp.channel("tls = 'none'"));
    sandbox.queue("ops", "ops@example.org", MAILS);
    let mut daemon = sandbox.daemon();
    daemon.wait_for("not delivered yet");
    smtp.resume();
    let back = Instant::now();
    arrived(&smtp, 1);
    let (first, pause) = (Instant::now(), back.elapsed().as_secs_f64());
    let mut away = Duration::ZERO;
    for enough in KILLS {
        arrived(&smtp, enough);
        let killed = Instant::now();
        daemon.kill();
        let taken = smtp.took().len();
        daemon = sandbox.daemon();
        arrived(&smtp, taken + 1);
        away += killed.elapsed();
    }
    eventually("all to be delivered", Duration::from_secs(600), || (sandbox.waiting() == 0).then_some(()));
    let seconds = first.elapsed().as_secs_f64();
    daemon.terminate();

    let (mut seen, mut order) = (HashSet::new(), Vec::new());
    let took = smtp.took();
    order.extend(took.iter().filter(|id| seen.insert(*id)).map(|id| id[1..].parse::<u32>().unwrap()));
    let (lost, doubled) = (MAILS as usize - order.len(), took.len() - order.len());
    let passed = order.windows(2).filter(|pair| pair[0] > pair[1]).count();
    println!(
        "the first came {pause:.1} s after the server; all in {seconds:.1} s, {:.0} mails/s; without the {:.1} s in which a \
         killed daemon came back, {:.0} mails/s",
        f64::from(MAILS) / seconds,
        away.as_secs_f64(),
        f64::from(MAILS) / (seconds - away.as_secs_f64()),
    );
    println!("{} kills: {lost} lost, {doubled} doubled, {passed} out of order", KILLS.len());
    targets.add("alerts: mails lost", Some(lost as f64), AtMost(0.0));
    targets.add("alerts: mails out of order", Some(passed as f64), AtMost(0.0));
    targets.add("alerts: mails doubled, at most one for each kill", Some(doubled as f64), AtMost(KILLS.len() as f64));
    targets.add("alerts: seconds until the first, after the server is back", Some(pause), AtMost(5.0));
}

fn arrived(smtp: &Smtp, count: usize) {
    eventually("mails to arrive", Duration::from_secs(300), || (smtp.took().len() >= count).then_some(()));
}
