//! The plan: what applying a policy would do now. Nothing is written.

mod caps;
mod cron;
mod fires;
mod forecast;
mod measure;
mod order;
mod person;
mod resolve;
mod shown;
mod statement;
mod walk;
mod whole;

pub use forecast::Forecast;
pub use measure::{count, left};
pub use order::order;
pub use resolve::{Guard, Resolved, Setting};
pub use shown::{Meaning, PartitionPlan, Plan, RulePlan};
pub use walk::Walk;

use super::dialect::Unfit;
use super::fragment::Fragment;
use super::ground::{Ground, GroundError};
use super::partition::Partition;
use crate::config::{Action, Rule};
use crate::database::schema::Relation;
use crate::state::{Disposition, Hold};

/// A rule that can be applied.
#[derive(Debug, Clone)]
pub struct Ready<'a> {
    /// In SQL.
    pub resolved: Resolved<'a>,
    /// Which rows it means once the rules before it are done.
    pub foreseen: Fragment,
    /// How its rows are walked through.
    pub walk: Walk,
    /// The partitions that go, where whole ones do.
    pub partitions: Vec<Partition>,
    /// Whether these can be detached without keeping anybody out.
    pub detaches_concurrently: bool,
    /// What it means in figures.
    pub meaning: Meaning,
}

/// A rule as it was planned.
#[derive(Debug, Clone)]
pub struct Planned<'a> {
    /// What people are shown.
    pub shown: RulePlan,
    /// What is applied; `None`: it cannot be.
    pub ready: Option<Ready<'a>>,
}

/// Plans each rule, in the order in which they are applied, as if those before it were done. A rule that cannot be applied
/// does not keep the others.
///
/// # Errors
///
/// When the database cannot be asked any more. What is wrong with a rule stands in its plan.
pub async fn make<'a>(
    ground: &mut dyn Ground,
    setting: &Setting<'a>,
    holds: &[Hold],
    earlier: &[Disposition],
) -> Result<(Vec<Planned<'a>>, Vec<String>), GroundError> {
    let (order, mut warnings) = in_order(setting);
    warnings.extend(cron::jobs(ground, setting).await?);
    let mut planned: Vec<Planned<'a>> = Vec::new();
    let mut gone: Vec<(&Relation, Fragment)> = Vec::new();
    for rule in order {
        let one = self::rule(ground, setting, rule, Known { holds, earlier, gone: &gone }).await?;
        if let Some(ready) = one.ready.as_ref().filter(|ready| ready.resolved.assignments.is_empty()) {
            gone.push((&ready.resolved.table.relation, ready.foreseen.clone()));
        }
        planned.push(one);
    }
    Ok((planned, warnings))
}

/// What a rule is planned with.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    /// The holds that hold.
    pub holds: &'k [Hold],
    /// The policy's dispositions, the newest first.
    pub earlier: &'k [Disposition],
    /// Which rows of which tables will be gone by then.
    pub gone: &'k [(&'k Relation, Fragment)],
}

/// The rules in the order in which they are applied, and what there is to say about it.
pub fn in_order<'a>(setting: &Setting<'a>) -> (Vec<&'a Rule>, Vec<String>) {
    let rules = &setting.policy.rules;
    let known: Vec<(usize, &Relation)> = rules
        .iter()
        .enumerate()
        .filter_map(|(at, rule)| Some((at, &setting.table(&rule.table).ok()?.relation)))
        .collect();
    let tables: Vec<&Relation> = known.iter().map(|(_, table)| *table).collect();
    let (ordered, circle) = order(&tables, setting.schema);
    let unknown = (0..rules.len()).filter(|at| !known.iter().any(|(found, _)| found == at));
    let order: Vec<usize> = ordered.into_iter().map(|at| known[at].0).chain(unknown).collect();
    let mut warnings = Vec::new();
    if !circle.is_empty() {
        let names: Vec<String> = circle.iter().map(ToString::to_string).collect();
        let names = names.join(", ");
        warnings.push(format!("these tables refer to each other in a circle: {names}; rows that keep each other stay"));
    }
    (order.into_iter().map(|at| &rules[at]).collect(), warnings)
}

/// Plans one rule.
///
/// # Errors
///
/// When the database cannot be asked any more.
pub async fn rule<'a>(
    ground: &mut dyn Ground,
    setting: &Setting<'a>,
    rule: &'a Rule,
    known: Known<'_>,
) -> Result<Planned<'a>, GroundError> {
    let mut shown = RulePlan {
        name: rule.name.clone(),
        table: rule.table.to_string(),
        action: action(&rule.action),
        reason: rule.reason.clone(),
        meaning: None,
        problems: Vec::new(),
        is_of_server: false,
        beyond: None,
        warnings: Vec::new(),
    };
    let ready = match ready(ground, setting, rule, known).await {
        Ok(ready) => ready,
        Err(Trouble::Rule(problem)) => {
            shown.problems.push(problem.0);
            return Ok(Planned { shown, ready: None });
        }
        Err(Trouble::Server(problem)) => {
            shown.problems.push(problem.0);
            shown.is_of_server = true;
            return Ok(Planned { shown, ready: None });
        }
        Err(Trouble::Ground(error)) => return Err(error),
    };
    shown.warnings.clone_from(&ready.resolved.warnings);
    shown.beyond = caps::beyond(&ready.meaning, setting, rule, known.earlier);
    shown.meaning = Some(ready.meaning.clone());
    Ok(Planned { shown, ready: Some(ready) })
}

/// What can be wrong: with the rule, or with the database.
enum Trouble {
    Rule(Unfit),
    /// The same in the server's words, in which anything may stand.
    Server(Unfit),
    Ground(GroundError),
}

impl From<Unfit> for Trouble {
    fn from(unfit: Unfit) -> Self {
        Self::Rule(unfit)
    }
}

/// What the server does not understand, or what takes too long to ask, is the rule's fault.
impl From<GroundError> for Trouble {
    fn from(error: GroundError) -> Self {
        use super::ground::Trouble as Kind;
        match error.kind {
            Kind::Lost | Kind::Busy => Self::Ground(error),
            Kind::Unfit | Kind::Slow | Kind::Locked | Kind::Against | Kind::Other => {
                Self::Server(Unfit(match error.hint {
                    Some(hint) => format!("{} ({hint})", error.message),
                    None => error.message,
                }))
            }
        }
    }
}

async fn ready<'a>(
    ground: &mut dyn Ground,
    setting: &Setting<'a>,
    rule: &'a Rule,
    Known { holds, earlier, gone }: Known<'_>,
) -> Result<Ready<'a>, Trouble> {
    let mut resolved = setting.resolve(rule)?;
    if let Some(condition) = &rule.condition {
        let checked = ground.check_condition(&resolved.table.relation, condition).await;
        checked.map_err(|error| match Trouble::from(error) {
            Trouble::Server(unfit) => Trouble::Server(Unfit(format!("`where`: {unfit}"))),
            other => other,
        })?;
    }
    let (held, warnings) = setting.held(resolved.table, resolved.goes(), holds);
    resolved.warnings.extend(warnings);
    if matches!(rule.action, Action::DropPartition) {
        return whole::whole_partitions(ground, setting, resolved, held.as_ref(), Known { holds, earlier, gone }).await;
    }
    measure::values(ground, &resolved).await?;
    if let Some(missing) = measure::referred(ground, &resolved, setting.schema).await? {
        return Err(Unfit(missing).into());
    }
    let foreseen = resolved.wanted(held.as_ref(), |guard| {
        let children = gone.iter().filter(|(table, _)| **table == guard.key.child);
        let conditions: Vec<Fragment> = children.map(|(_, condition)| condition.clone()).collect();
        setting.has_children(resolved.table, &guard.key, &conditions)
    });
    let figures = measure::figures(ground, &resolved, &foreseen, held.as_ref()).await?;
    let of_one_age = match Walk::may_be_by_age(&resolved, figures.rows, figures.table_rows) {
        true => Some(measure::most_of_one_age(ground, &resolved).await?),
        false => None,
    };
    let walk = Walk::choose(&resolved, of_one_age, setting.dialect)?;
    let batch = resolved.batch(setting.dialect, &walk.shown(setting.dialect), held.as_ref());
    ground.check_statement(&batch.clone().finish(setting.dialect.placeholder())).await?;
    let index = walk.index(&resolved);
    if index.is_none() {
        resolved.warnings.push(format!(
            "no index begins with `{}`: every run reads all of `{}`",
            rule.age_column, resolved.table.relation
        ));
    }
    let sample = measure::sample(ground, &resolved, &foreseen).await?;
    let forecast = forecast::forecast(ground, setting, &resolved, figures.rows, figures.table_rows, earlier).await?;
    let meaning = Meaning {
        cutoff: resolved.cutoff,
        sql: batch.shown(setting.dialect.literal()),
        rows: figures.rows,
        table_rows: figures.table_rows,
        share: share(&figures),
        most: caps::most(figures.table_rows, setting, rule, earlier),
        oldest: figures.oldest,
        kept_for_children: figures.kept_for_children,
        held: figures.held,
        without_age: figures.without_age,
        walk: walk.to_string(),
        index,
        sample,
        partitions: Vec::new(),
        forecast,
    };
    Ok(Ready { resolved, foreseen, walk, partitions: Vec::new(), detaches_concurrently: false, meaning })
}

#[allow(clippy::cast_precision_loss, reason = "a share for people")]
fn share(figures: &measure::Figures) -> f64 {
    if figures.table_rows == 0 { 0.0 } else { figures.rows as f64 / figures.table_rows as f64 }
}

/// An action in few words.
pub fn action(action: &Action) -> String {
    match action {
        Action::Delete => "delete".to_owned(),
        Action::Set(changes) => format!("set {}", changes.keys().cloned().collect::<Vec<_>>().join(", ")),
        Action::Archive { store, .. } => format!("archive to {store}, then delete"),
        Action::DropPartition => "drop partition".to_owned(),
    }
}
