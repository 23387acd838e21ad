//! How long a small query takes: the middle one of five lookups by primary key in a table that every server has.

use std::time::Instant;

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::{PostgresView, Seen, Verdict};
use crate::units;

pub(super) const CHECK: Check = Check {
    name: CheckName::QueryLatency,
    about: "the time that a lookup by key takes, network included",
    deep: false,
    warning: Some(0.1),
    critical: Some(1.0),
    source: "such a lookup takes under 1 ms and the way through a data centre about as much; at 0.1 s people notice a \
             single query, at 1 s they wait (Nielsen, Response Times: The 3 Important Limits)",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

const PROBE: &str = "SELECT relname::text FROM pg_class WHERE oid = 1259";

/// An odd number, so that there is a middle one, which a single hiccup does not move.
const PROBES: usize = 5;

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let mut took = Vec::with_capacity(PROBES);
    for _ in 0..PROBES {
        let began = Instant::now();
        view.round_trip(PROBE).await?;
        took.push(began.elapsed().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    let (fastest, middle, slowest) = (took[0], took[PROBES / 2], took[PROBES - 1]);
    let summary = format!("a lookup takes {}", units::seconds(middle));
    let evidence = format!("fastest {}, slowest {} of {PROBES}", units::seconds(fastest), units::seconds(slowest));
    Ok(Verdict::new(view.own.limits.judge(middle), summary)
        .figure(middle)
        .evidence([evidence])
        .advice("look at the server's processor, memory pressure and disk, and at the network between here and there"))
}
