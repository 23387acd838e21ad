//! The windows of a walk: where the next one ends, and what stands in the statement for it.

use serde::{Deserialize, Serialize};

use crate::privacy::dialect::Dialect;
use crate::privacy::fragment::{Fragment, Scalar};
use crate::privacy::ground::{Ground, GroundError};
use crate::privacy::plan::{Resolved, Walk};

/// How far a walk has come. Kept, so that a run that was cut off is gone on with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// Which walk; another one begins anew.
    pub walk: String,
    /// Up to where rows are done.
    pub at: Option<Vec<Scalar>>,
    /// Up to where they will be: rows that come later are the next run's.
    pub end: Option<Vec<Scalar>>,
}

/// A window: after the cursor, up to here.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Which rows.
    pub rows: Fragment,
    /// The cursor behind it.
    pub next: Vec<Scalar>,
    /// Whether nothing comes after it.
    pub is_last: bool,
}

/// A table's walk under way.
pub struct Windows<'a> {
    resolved: &'a Resolved<'a>,
    walk: &'a Walk,
    /// How far it has come.
    pub cursor: Cursor,
}

impl<'a> Windows<'a> {
    /// A walk from where a cursor stands, if it is of the same walk; else from the beginning.
    pub async fn new(
        ground: &mut dyn Ground,
        resolved: &'a Resolved<'a>,
        walk: &'a Walk,
        left: Option<Cursor>,
    ) -> Result<Self, GroundError> {
        let name = walk.to_string();
        let cursor = match left.filter(|cursor| cursor.walk == name && cursor.end.is_some()) {
            Some(cursor) => cursor,
            None => Cursor { walk: name, at: None, end: end(ground, resolved, walk).await? },
        };
        Ok(Self { resolved, walk, cursor })
    }

    /// Begins again at the beginning, up to the same end.
    pub fn rewind(&mut self) {
        self.cursor.at = None;
    }

    /// The next window of about so many rows; `None`: the walk is done.
    pub async fn next(&self, ground: &mut dyn Ground, rows: u64) -> Result<Option<Window>, GroundError> {
        let Some(end) = &self.cursor.end else { return Ok(None) };
        if self.cursor.at.as_ref() == Some(end) {
            return Ok(None);
        }
        match self.walk {
            Walk::Key(_) => self.by_key(ground, end, rows).await.map(Some),
            Walk::Age(_) => self.by_age(ground, end, rows).await.map(Some),
            Walk::Pages => Ok(Some(self.by_page(end, rows))),
            Walk::Partitions => Ok(None),
        }
    }

    /// Rows after the cursor's key, up to the key so many rows further.
    async fn by_key(&self, ground: &mut dyn Ground, end: &[Scalar], rows: u64) -> Result<Window, GroundError> {
        let dialect = ground.dialect();
        let place = self.place(dialect);
        let mut after = Fragment::default();
        if let Some(at) = &self.cursor.at {
            after.push(format!("{place} > ")).append(self.walk.bound(at)).push(" AND ");
        }
        let mut ahead = after.clone();
        ahead.push(format!("{place} <= ")).append(self.walk.bound(end));
        let found = self.look(ground, ahead, rows.saturating_sub(1)).await?;
        let next = found.unwrap_or_else(|| end.to_vec());
        after.push(format!("{place} <= ")).append(self.walk.bound(&next));
        Ok(Window { rows: after, is_last: next == end, next })
    }

    /// Rows from the cursor's age on, below the age so many rows further. All rows of one age are in one window.
    async fn by_age(&self, ground: &mut dyn Ground, end: &[Scalar], rows: u64) -> Result<Window, GroundError> {
        let dialect = ground.dialect();
        let place = self.place(dialect);
        let mut from = Fragment::default();
        if let Some(at) = &self.cursor.at {
            from.push(format!("{place} >= ")).append(self.walk.bound(at)).push(" AND ");
        }
        let mut rows = rows;
        let next = loop {
            let mut ahead = from.clone();
            ahead.push(format!("{place} <= ")).append(self.walk.bound(end));
            match self.look(ground, ahead, rows).await? {
                Some(found) if Some(&found) == self.cursor.at.as_ref() => rows = rows.saturating_mul(2),
                found => break found,
            }
        };
        match next {
            Some(next) => {
                from.push(format!("{place} < ")).append(self.walk.bound(&next));
                Ok(Window { rows: from, next, is_last: false })
            }
            None => {
                from.push(format!("{place} <= ")).append(self.walk.bound(end));
                Ok(Window { rows: from, next: end.to_vec(), is_last: true })
            }
        }
    }

    /// Pages from the cursor's on; a page counts for a hundred rows, and fewer than those are a part of one.
    fn by_page(&self, end: &[Scalar], rows: u64) -> Window {
        let number = |place: Option<&[Scalar]>, at: usize| match place.and_then(|place| place.get(at)) {
            Some(Scalar::Integer(number)) => number.unsigned_abs(),
            Some(Scalar::Text(text)) => text.parse().unwrap_or(0),
            _ => 0,
        };
        let at = self.cursor.at.as_deref();
        let (page, line, last) = (number(at, 0), number(at, 1), number(Some(end), 0));
        let (to, to_line) = match (rows / ROWS_OF_A_PAGE, line + rows) {
            (0, line) if line < LINES_OF_A_PAGE => (page, line),
            (0, _) => (page + 1, 0),
            (pages, _) => (page + pages, 0),
        };
        let is_last = to >= last;
        let (to, to_line) = if is_last { (last, 0) } else { (to, to_line) };
        let rows = Fragment::text(format!("ctid >= '({page},{line})'::tid AND ctid < '({to},{to_line})'::tid"));
        let mut next = vec![Scalar::Text(to.to_string())];
        if to_line > 0 {
            next.push(Scalar::Text(to_line.to_string()));
        }
        Window { rows, next, is_last }
    }

    /// The walk's columns as a row value.
    fn place(&self, dialect: &dyn Dialect) -> String {
        format!("({})", self.walk.names(self.resolved.table, dialect).join(", "))
    }

    /// The place of the row so many rows further in the walk's order.
    async fn look(
        &self,
        ground: &mut dyn Ground,
        condition: Fragment,
        offset: u64,
    ) -> Result<Option<Vec<Scalar>>, GroundError> {
        let dialect = ground.dialect();
        let mut question = Fragment::text("SELECT ");
        let names = self.walk.names(self.resolved.table, dialect);
        question.append(Fragment::join(names.iter().map(|name| dialect.read(Fragment::text(name.clone()))), ", "));
        question.push(format!(" FROM {} WHERE ", dialect.table(&self.resolved.table.relation)));
        question.append(condition);
        question.push(format!(" ORDER BY {} LIMIT 1 OFFSET {offset}", names.join(", ")));
        Ok(ground.ask(&question.finish(dialect.placeholder())).await?.into_iter().next())
    }
}

/// About how many rows a page of 8 KiB has.
const ROWS_OF_A_PAGE: u64 = 100;

/// Where the last part of a page begins at the latest: one of 8 KiB has up to 291 lines.
const LINES_OF_A_PAGE: u64 = 300;

/// The last place of a walk at this moment; `None`: there are no rows.
async fn end(
    ground: &mut dyn Ground,
    resolved: &Resolved<'_>,
    walk: &Walk,
) -> Result<Option<Vec<Scalar>>, GroundError> {
    let dialect = ground.dialect();
    let table = dialect.table(&resolved.table.relation);
    let question = match walk {
        Walk::Partitions => return Ok(None),
        Walk::Pages => Fragment::text(format!(
            "SELECT (pg_relation_size('{}'::regclass) / current_setting('block_size')::int8)::text",
            table.replace('\'', "''")
        )),
        Walk::Key(_) => {
            let names = walk.names(resolved.table, dialect);
            let mut question = Fragment::text("SELECT ");
            question.append(Fragment::join(names.iter().map(|name| dialect.read(Fragment::text(name.clone()))), ", "));
            let backwards: Vec<String> = names.iter().map(|name| format!("{name} DESC")).collect();
            question.push(format!(" FROM {table} ORDER BY {} LIMIT 1", backwards.join(", ")));
            question
        }
        Walk::Age(_) => {
            let name = walk.names(resolved.table, dialect).join(", ");
            let mut question = Fragment::text("SELECT ");
            question.append(dialect.read(Fragment::text(name.clone())));
            question.push(format!(" FROM {table} WHERE ")).append(resolved.older.clone());
            question.push(format!(" ORDER BY {name} DESC LIMIT 1"));
            question
        }
    };
    Ok(ground.ask(&question.finish(dialect.placeholder())).await?.into_iter().next())
}
