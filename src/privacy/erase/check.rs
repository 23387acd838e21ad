//! What would keep an erasure from its end, found before anything is done.

use super::person::Person;
use super::steps::Step;
use crate::config::{Subject, Tombstone};
use crate::database::schema::ForeignKey;
use crate::privacy::change::Assignment;
use crate::privacy::fragment::{Fragment, Scalar};
use crate::privacy::ground::{Ground, GroundError};
use crate::privacy::plan::Setting;
use crate::run::{Failure, Refusal};

/// Asks everything that can be asked beforehand.
///
/// # Errors
///
/// A refusal that says what is in the way.
pub(super) async fn all(
    ground: &mut dyn Ground,
    setting: &Setting<'_>,
    subject: &Subject,
    person: &Person,
    steps: &[Step<'_>],
) -> Result<(), Failure> {
    if person.is_tombstone(setting) {
        return Err(refused("the tombstone is nobody: it cannot be erased".to_owned()));
    }
    for step in steps {
        values(ground, step).await?;
        parents(ground, setting, subject, step).await?;
        collisions(ground, step).await?;
    }
    for step in steps.iter().filter(|step| step.goes()) {
        for key in setting.schema.inbound(&step.table.relation) {
            children(ground, setting, steps, step, key).await?;
        }
    }
    Ok(())
}

fn refused(message: String) -> Failure {
    Failure { refused: Some(Refusal::Safety), ..Failure::new(format!("{message}: nothing was done")) }
}

/// Has the server take every new value as its column's type.
async fn values(ground: &mut dyn Ground, step: &Step<'_>) -> Result<(), Failure> {
    let dialect = ground.dialect();
    for one in step.assignments.iter().filter(|one| one.is_shared) {
        let mut question = Fragment::text("SELECT ");
        question.append(dialect.read(one.value.clone()));
        let taken = ground.ask(&question.finish(dialect.placeholder())).await;
        taken.map_err(|error| refused(format!("`{}`.`{}`: {error}", step.table.relation, one.column)))?;
    }
    Ok(())
}

/// What rows will refer to instead of the person must be there.
async fn parents(
    ground: &mut dyn Ground,
    setting: &Setting<'_>,
    subject: &Subject,
    step: &Step<'_>,
) -> Result<(), Failure> {
    let dialect = ground.dialect();
    for key in setting.schema.foreign_keys.iter().filter(|key| key.child == step.table.relation) {
        let ([child], [parent]) = (key.child_columns.as_slice(), key.parent_columns.as_slice()) else { continue };
        let Some(one) = step.assignments.iter().find(|one| one.is_shared && one.column == *child) else { continue };
        if subject.tombstone == Tombstone::Random {
            return Err(refused(format!(
                "`{}`.`{child}` refers to `{}`, where no random tombstone stands",
                key.child, key.parent
            ))
            .hint("write a constant tombstone and add a row for it, or set the column to \"null\""));
        }
        let parents = dialect.table(&key.parent);
        let mut question = Fragment::text("SELECT ");
        question.append(dialect.read(Fragment::text("count(*)")));
        question.push(format!(" FROM {parents} WHERE {} = ", dialect.name(parent))).append(one.value.clone());
        if count(ground, question).await? == 0 {
            return Err(refused(format!(
                "`{}`.`{child}` refers to `{}`, which has no row for the tombstone",
                key.child, key.parent
            ))
            .hint(format!(
                "add a row to `{}` whose `{parent}` is the tombstone, or set the column to \"null\"",
                key.parent
            )));
        }
    }
    Ok(())
}

/// What all rows of the person get may already stand in a unique index, or only once.
async fn collisions(ground: &mut dyn Ground, step: &Step<'_>) -> Result<(), Failure> {
    let dialect = ground.dialect();
    let table = dialect.table(&step.table.relation);
    let assigned = |name: &str| step.assignments.iter().find(|one| one.column == name);
    // Of one over a part of the table the server says so itself, when it comes to it.
    for index in step.table.indexes.iter().filter(|index| index.is_unique && index.is_ordered) {
        let Some(names) = index.columns.iter().map(Option::as_deref).collect::<Option<Vec<&str>>>() else { continue };
        let (shared, rest): (Vec<&str>, Vec<&str>) =
            names.iter().partition(|name| assigned(name).is_some_and(|one| one.is_shared));
        // NULLs are not the same, and of what is made from the old value nothing can be said beforehand.
        if shared.is_empty() || rest.iter().any(|name| assigned(name).is_some()) {
            continue;
        }
        let other = dialect.name("caretaker_other");
        let of_other = |name: &str| format!("{other}.{}", dialect.name(name));
        let same = |one: &Assignment| {
            let mut same = Fragment::text(format!("{} = ", of_other(&one.column)));
            same.append(one.value.clone());
            same
        };
        let taken = shared.iter().filter_map(|name| assigned(name)).map(same);
        let alike =
            rest.iter().map(|name| Fragment::text(format!("{} = {table}.{}", of_other(name), dialect.name(name))));
        let mut question = Fragment::text("SELECT ");
        question.append(dialect.read(Fragment::text("count(*)"))).push(format!(" FROM {table} WHERE "));
        question.append(step.undone.clone()).push(format!(" AND EXISTS (SELECT 1 FROM {table} AS {other} WHERE "));
        question.append(Fragment::join(taken.chain(alike), " AND ")).push(")");
        // Two rows of the same person become the same.
        let mut doubled = Fragment::text("SELECT ");
        doubled.append(dialect.read(Fragment::text("count(*)")));
        doubled.push(format!(" FROM (SELECT 1 FROM {table} WHERE ")).append(step.undone.clone());
        let rest: Vec<String> = rest.iter().map(|name| dialect.name(name)).collect();
        for name in &rest {
            doubled.push(format!(" AND {name} IS NOT NULL"));
        }
        if !rest.is_empty() {
            doubled.push(format!(" GROUP BY {}", rest.join(", ")));
        }
        doubled.push(" HAVING count(*) > 1) AS doubled");
        if count(ground, question).await? + count(ground, doubled).await? > 0 {
            return Err(refused(format!(
                "the index `{}` lets only one row of `{}` have the same {}, and the tombstone would stand there twice",
                index.name,
                step.table.relation,
                names.join(", ")
            ))
            .hint("use `tombstone = \"random\"`, set the column to \"null\", or let the rows go"));
        }
    }
    Ok(())
}

/// Rows that refer to those that go, and of which the policy does not speak.
async fn children(
    ground: &mut dyn Ground,
    setting: &Setting<'_>,
    steps: &[Step<'_>],
    step: &Step<'_>,
    key: &ForeignKey,
) -> Result<(), Failure> {
    let dialect = ground.dialect();
    let (parent, child) = (dialect.table(&key.parent), dialect.table(&key.child));
    let gone = dialect.name("caretaker_gone");
    let names: Vec<String> = key.parent_columns.iter().map(|name| dialect.name(name)).collect();
    let pairs = key.child_columns.iter().zip(&names);
    let refers: Vec<String> =
        pairs.map(|(ours, theirs)| format!("{gone}.{theirs} = {child}.{}", dialect.name(ours))).collect();
    // The parents are looked at inside, so that conditions on either find their own columns.
    let mut question = Fragment::text("SELECT ");
    question.append(dialect.read(Fragment::text("count(*)")));
    question
        .push(format!(" FROM {child} WHERE EXISTS (SELECT 1 FROM (SELECT {} FROM {parent} WHERE ", names.join(", ")));
    question.append(step.theirs.clone()).push(format!(") AS {gone} WHERE {})", refers.join(" AND ")));
    let covered = steps.iter().filter(|other| {
        let lets_go = |one: &Assignment| key.child_columns.contains(&one.column);
        other.table.relation == key.child && (other.goes() || other.assignments.iter().any(lets_go))
    });
    let covered: Vec<Fragment> = covered.map(|other| other.theirs.clone().enclosed()).collect();
    if !covered.is_empty() {
        question.push(" AND ").append(Fragment::join(covered, " OR ").enclosed()).push(" IS NOT TRUE");
    }
    let found = count(ground, question).await?;
    if found > 0 {
        let columns = key.child_columns.join(", ");
        return Err(refused(format!(
            "{found} rows of `{}` refer by `{columns}` to rows of `{}` that would go, and no reference of the policy is \
             about them",
            key.child, key.parent
        ))
        .hint(format!("add a `[[privacy.{}.subject.references]]` for `{}`", setting.policy.name, key.child)));
    }
    Ok(())
}

/// The figure that a question asks for.
pub(super) async fn count(ground: &mut dyn Ground, question: Fragment) -> Result<u64, GroundError> {
    let dialect = ground.dialect();
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    Ok(match rows.first().and_then(|row| row.first()) {
        Some(Scalar::Integer(number)) => number.unsigned_abs(),
        Some(Scalar::Text(text)) => text.parse().unwrap_or(0),
        _ => 0,
    })
}

/// How many rows of a table a condition holds for.
pub(super) async fn rows(ground: &mut dyn Ground, step: &Step<'_>, condition: Fragment) -> Result<u64, GroundError> {
    let dialect = ground.dialect();
    let mut question = Fragment::text("SELECT ");
    question.append(dialect.read(Fragment::text("count(*)")));
    question.push(format!(" FROM {} WHERE ", dialect.table(&step.table.relation))).append(condition);
    count(ground, question).await
}
