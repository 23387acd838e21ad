//! The holds that an erasure meets.

use super::check;
use super::person::Person;
use super::steps::Step;
use crate::privacy::ground::Ground;
use crate::privacy::plan::Setting;
use crate::run::Failure;
use crate::state::{Held, Hold};

/// The holds on a person, and on rows about them.
pub(super) async fn held<'h>(
    ground: &mut dyn Ground,
    setting: &Setting<'_>,
    person: &Person,
    steps: &[Step<'_>],
    holds: &'h [Hold],
) -> Result<Vec<&'h Hold>, Failure> {
    let mut held = Vec::new();
    for hold in holds {
        let mut meets = matches!(&hold.held, Held::Subject(id) if person.is(setting, id));
        for step in steps {
            if meets {
                break;
            }
            if let (Some(kept), _) = setting.held(step.table, step.goes(), std::slice::from_ref(hold)) {
                let mut both = step.left.clone();
                both.push(" AND ").append(kept);
                meets = check::rows(ground, step, both).await? > 0;
            }
        }
        if meets {
            held.push(hold);
        }
    }
    Ok(held)
}
