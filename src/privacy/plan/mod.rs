//! The plan: what applying a policy would do now. Nothing is written.

mod forecast;
mod measure;
mod order;
mod person;
mod resolve;
mod walk;

use jiff::Timestamp;
use serde::Serialize;

pub use forecast::Forecast;
pub use measure::left;
pub use order::order;
pub use resolve::{Guard, Resolved, Setting};
pub use walk::Walk;

use super::dialect::{Dialect, Unfit};
use super::fragment::Fragment;
use super::ground::{Ground, GroundError};
use crate::config::{Action, Rule};
use crate::database::schema::Relation;
use crate::state::{Disposition, DispositionState, Hold};

/// What applying a policy would do.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The policy's name.
    pub policy: String,
    /// Its hash.
    pub hash: String,
    /// Where.
    pub database: String,
    /// When it was made.
    pub at: Timestamp,
    /// The rules, in the order in which they would be applied.
    pub rules: Vec<RulePlan>,
    /// What concerns all of it.
    pub warnings: Vec<String>,
}

/// What applying a rule would do.
#[derive(Debug, Clone, Serialize)]
pub struct RulePlan {
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: String,
    /// What becomes of the rows: `delete`, `set ip, user_agent`.
    pub action: String,
    /// Why.
    pub reason: Option<String>,
    /// What it means in figures; `None`: it cannot be applied, see `problems`.
    pub meaning: Option<Meaning>,
    /// Why it cannot be applied.
    pub problems: Vec<String>,
    /// Which cap it would go beyond.
    pub beyond: Option<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// A rule in figures.
#[derive(Debug, Clone, Serialize)]
pub struct Meaning {
    /// Rows older than this.
    pub cutoff: Timestamp,
    /// One batch of it, with the values in their places.
    pub sql: String,
    /// Rows that match and that nothing keeps.
    pub rows: u64,
    /// Rows of the table, as far as the server knows.
    pub table_rows: u64,
    /// The rule's rows as a share of the table's.
    pub share: f64,
    /// The age column of the oldest of them, as the server writes it.
    pub oldest: Option<String>,
    /// Rows that match, but have children that keep them.
    pub kept_for_children: u64,
    /// Rows that match, but are held.
    pub held: u64,
    /// Rows whose age is NULL: they are kept for ever.
    pub without_age: u64,
    /// How the rows are walked through: `primary key (id)`.
    pub walk: String,
    /// The index that serves it; `None`: all rows are read.
    pub index: Option<String>,
    /// A few of the rows, masked.
    pub sample: Vec<Vec<(String, String)>>,
    /// What is to be expected.
    #[serde(flatten)]
    pub forecast: Forecast,
}

/// A rule that can be applied.
#[derive(Debug, Clone)]
pub struct Ready<'a> {
    /// In SQL.
    pub resolved: Resolved<'a>,
    /// Which rows it means once the rules before it are done.
    pub foreseen: Fragment,
    /// How its rows are walked through.
    pub walk: Walk,
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
    let (order, warnings) = in_order(setting);
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
        beyond: None,
        warnings: Vec::new(),
    };
    let ready = match ready(ground, setting, rule, known).await {
        Ok(ready) => ready,
        Err(Trouble::Rule(problem)) => {
            shown.problems.push(problem.0);
            return Ok(Planned { shown, ready: None });
        }
        Err(Trouble::Ground(error)) => return Err(error),
    };
    shown.warnings.clone_from(&ready.resolved.warnings);
    shown.beyond = beyond(&ready.meaning, setting, rule, known.earlier);
    shown.meaning = Some(ready.meaning.clone());
    Ok(Planned { shown, ready: Some(ready) })
}

/// What can be wrong: with the rule, or with the database.
enum Trouble {
    Rule(Unfit),
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
                Self::Rule(Unfit(match error.hint {
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
            Trouble::Rule(unfit) => Trouble::Rule(Unfit(format!("`where`: {unfit}"))),
            lost => lost,
        })?;
    }
    let (held, warnings) = setting.held(resolved.table, holds);
    resolved.warnings.extend(warnings);
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
    #[allow(clippy::cast_precision_loss, reason = "a share for people")]
    let share = if figures.table_rows == 0 { 0.0 } else { figures.rows as f64 / figures.table_rows as f64 };
    let meaning = Meaning {
        cutoff: resolved.cutoff,
        sql: batch.shown(setting.dialect.literal()),
        rows: figures.rows,
        table_rows: figures.table_rows,
        share,
        oldest: figures.oldest,
        kept_for_children: figures.kept_for_children,
        held: figures.held,
        without_age: figures.without_age,
        walk: walk.to_string(),
        index,
        sample,
        forecast,
    };
    Ok(Ready { resolved, foreseen, walk, meaning })
}

/// Below so many rows of a table a large share of it says nothing.
const SMALL: u64 = 1000;

/// Which cap a rule goes beyond, in words.
fn beyond(meaning: &Meaning, setting: &Setting<'_>, rule: &Rule, earlier: &[Disposition]) -> Option<String> {
    let caps = &setting.policy.caps;
    let rows = meaning.rows;
    if rows > caps.max_rows {
        return Some(format!("{rows} rows are more than `max_rows` ({})", caps.max_rows));
    }
    if meaning.table_rows >= SMALL && meaning.share > caps.max_fraction {
        let (share, most) = (meaning.share * 100.0, caps.max_fraction * 100.0);
        return Some(format!("{share:.1} % of `{}` are more than `max_fraction` ({most:.0} %)", rule.table));
    }
    let done = |one: &&Disposition| one.rule == rule.name && one.state == DispositionState::Completed;
    let last = earlier.iter().find(done)?;
    #[allow(clippy::cast_precision_loss, reason = "a factor for people")]
    let growth = rows as f64 / last.done.max(1) as f64;
    (rows >= SMALL && last.done > 0 && growth > caps.max_growth).then(|| {
        format!(
            "{rows} rows are {growth:.1} times the {} of the last run, more than `max_growth` ({})",
            last.done, caps.max_growth
        )
    })
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

impl Resolved<'_> {
    /// Which rows are taken in hand: they match, are not done yet, are not held, and no children keep them.
    pub fn wanted(&self, held: Option<&Fragment>, has_children: impl Fn(&Guard) -> Fragment) -> Fragment {
        let mut wanted = self.candidates(held);
        for guard in &self.guards {
            wanted.push(" AND NOT ").append(has_children(guard));
        }
        wanted
    }

    /// The same, whether children keep them or not.
    pub fn candidates(&self, held: Option<&Fragment>) -> Fragment {
        let mut wanted = self.matches.clone();
        if let Some(undone) = &self.undone {
            wanted.push(" AND ").append(undone.clone());
        }
        if let Some(held) = held {
            // Where a hold's condition is NULL it does not hold the row.
            wanted.push(" AND NOT coalesce(").append(held.clone()).push(", false)");
        }
        wanted
    }

    /// The statement for one batch: the rows within a window.
    pub fn batch(&self, dialect: &dyn Dialect, window: &Fragment, held: Option<&Fragment>) -> Fragment {
        let table = dialect.table(&self.table.relation);
        let mut statement = match self.assignments.as_slice() {
            [] => Fragment::text(format!("DELETE FROM {table}")),
            assignments => {
                let mut statement = Fragment::text(format!("UPDATE {table} SET "));
                let set = assignments.iter().map(|one| {
                    let mut set = Fragment::text(format!("{} = ", dialect.name(&one.column)));
                    set.append(one.value.clone());
                    set
                });
                statement.append(Fragment::join(set, ", "));
                statement
            }
        };
        statement
            .push("\nWHERE ")
            .append(window.clone())
            .push("\n  AND ")
            .append(self.wanted(held, |guard| guard.has_children.clone()));
        statement
    }
}
