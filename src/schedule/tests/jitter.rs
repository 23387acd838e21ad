use std::time::Duration;

use super::super::jitter;
use super::at;

#[test]
fn jitter_is_spread_below_its_maximum_and_always_the_same() {
    let (slot, max) = (at("2026-11-20T02:00:00Z"), Duration::from_secs(30));
    let all: Vec<_> = (0..1000).map(|n| jitter(&format!("backup.job-{n}"), slot, max)).collect();
    assert!(all.iter().all(|delay| *delay < max));
    let mean = all.iter().sum::<Duration>() / 1000;
    assert!((13..17).contains(&mean.as_secs()), "{mean:?}");
    assert_eq!(jitter("backup.job-7", slot, max), all[7]);
    assert_ne!(jitter("backup.job-7", at("2026-11-21T02:00:00Z"), max), all[7]);
    assert_eq!(jitter("backup.job-7", slot, Duration::ZERO), Duration::ZERO);
}
