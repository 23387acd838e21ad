//! `health --checks`: what there is to look at.

use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::scene::Scene;
use crate::config::{CheckName, CheckSettings};
use crate::health::Limits;
use crate::health::checks::check;

pub(super) fn list(scene: &Scene<'_>) -> Exit {
    let (mut rows, mut listed) = (Vec::new(), Vec::new());
    for name in CheckName::ALL {
        let check = check(*name);
        let limits = Limits::of(*name, check.warning, check.critical, &CheckSettings::default());
        let of = [
            ("PostgreSQL", check.look.postgres.is_some()),
            ("SQLite", check.look.sqlite.is_some()),
            ("Caretaker", check.look.own.is_some()),
        ];
        let of: Vec<&str> = of.iter().filter(|(_, there)| *there).map(|(what, _)| *what).collect();
        rows.push(vec![
            name.to_string(),
            of.join(", "),
            if check.deep { "deep".to_owned() } else { String::new() },
            limits.text().unwrap_or_default(),
            check.about.to_owned(),
            check.source.to_owned(),
        ]);
        listed.push(json!({
            "check": name.as_str(),
            "of": of,
            "deep": check.deep,
            "warning": check.warning,
            "critical": check.critical,
            "about": check.about,
            "source": check.source,
        }));
    }
    scene.output.table(&["check", "of", "", "default threshold", "what", "why there"], rows);
    scene.output.json(&listed);
    Exit::Done
}
