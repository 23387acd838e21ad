//! When a volume will be full, at the pace of the last days.

use jiff::SignedDuration;

use super::{Check, LookAt, volumes};
use crate::config::CheckName;
use crate::health::{OwnView, Seen, Unseen, Verdict};
use crate::state::Sample;

pub(super) const CHECK: Check = Check {
    name: CheckName::DiskFullIn,
    about: "when such a volume will be full, at the pace of the last seven days",
    deep: false,
    warning: Some(7.0 * 86_400.0),
    critical: Some(86_400.0),
    source: "a week to order space by day; the node exporter's alerts look a day ahead",
    look: LookAt { postgres: None, sqlite: None, own: Some(|view| Box::pin(look(view))) },
};

/// What the pace is taken from.
const DAYS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Of less than this a night's backup and its pruning make a pace that is none.
const LEAST: SignedDuration = SignedDuration::from_hours(24);

const METRIC: &str = "volume_free_bytes";

/// Bytes per second by which the free space grows or (below 0) shrinks: the slope of the line of least squares.
fn pace(samples: &[Sample]) -> Option<f64> {
    let (first, last) = (samples.first()?, samples.last()?);
    if last.at.duration_since(first.at) < LEAST {
        return None;
    }
    let points = || samples.iter().map(|sample| (sample.at.duration_since(first.at).as_secs_f64(), sample.value));
    #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
    let count = samples.len() as f64;
    let (sum_x, sum_y) = points().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (above, below) = points()
        .fold((0.0, 0.0), |(above, below), (x, y)| (above + (x - mean_x) * (y - mean_y), below + (x - mean_x).powi(2)));
    Some(above / below)
}

async fn look(view: &mut OwnView<'_>) -> Seen {
    let kept = view.kept(METRIC, view.now - DAYS).await?;
    let (mut first_to_fill, mut evidence, mut is_early) = (None::<(f64, String)>, Vec::new(), true);
    for volume in volumes::of(view).await? {
        let object = volume.path.to_string_lossy().into_owned();
        let now = Sample { metric: METRIC.to_owned(), object: object.clone(), at: view.now, value: volume.free };
        let mut samples: Vec<Sample> =
            kept.iter().filter(|sample| sample.object == object && sample.at < view.now).cloned().collect();
        samples.push(now);
        view.keep(METRIC, &object, volume.free);
        let Some(pace) = pace(&samples) else { continue };
        is_early = false;
        let per_day = crate::units::bytes(pace.abs() * 86_400.0);
        if pace >= 0.0 {
            evidence.push(format!("{}: gains {per_day} a day", volume.what));
            continue;
        }
        let left = volume.free / -pace;
        let line = format!("{}: full in {}, losing {per_day} a day", volume.what, crate::units::seconds(left));
        evidence.push(line.clone());
        if first_to_fill.as_ref().is_none_or(|(first, _)| left < *first) {
            first_to_fill = Some((left, line));
        }
    }
    if is_early {
        return Err(Unseen::not_applicable("free space has not been watched for a day yet"));
    }
    let (left, summary) = first_to_fill.unwrap_or((f64::MAX, "no volume is filling up".to_owned()));
    let verdict = Verdict::new(view.limits.judge(left), summary).evidence(evidence);
    let verdict = if left < f64::MAX { verdict.figure(left) } else { verdict };
    Ok(verdict.advice("add space, shorten `retention`, or find out what grows there beside the backups"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;

    use super::*;

    fn samples(points: &[(i64, f64)]) -> Vec<Sample> {
        let at = |hour: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour);
        let sample = |(hour, value): &(i64, f64)| Sample {
            metric: String::new(),
            object: String::new(),
            at: at(*hour),
            value: *value,
        };
        points.iter().map(sample).collect()
    }

    #[test]
    fn the_pace_is_that_of_days_and_not_of_a_night() {
        assert_eq!(pace(&samples(&[])), None);
        assert_eq!(pace(&samples(&[(0, 100.0), (23, 0.0)])), None);
        assert!((pace(&samples(&[(0, 7200.0), (24, 7200.0 - 24.0 * 3600.0)])).unwrap() + 1.0).abs() < 1e-9);
        // Backups and pruning go up and down around the same middle.
        let saw: Vec<(i64, f64)> = (0..169).map(|hour| (hour, if hour % 24 < 12 { 100.0 } else { 50.0 })).collect();
        assert!(pace(&samples(&saw)).unwrap().abs() * 86_400.0 < 5.0);
    }
}
