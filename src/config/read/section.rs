//! One table of the configuration. Every setting is asked for by name; what nobody asked for is unknown.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use ::config::{Map, Value, ValueKind};

use super::super::layers::{Origin, element};
use super::super::suggest;
use super::spot::kind_name;
use super::{Problem, Reader, Spot};

/// A table being read.
pub(super) struct Section<'a> {
    pub reader: &'a Reader<'a>,
    path: Vec<String>,
    table: Map<String, Value>,
    asked: RefCell<BTreeSet<&'static str>>,
    missing: RefCell<Vec<(&'static str, String)>>,
    /// Whether something in it was wrong.
    is_faulty: Cell<bool>,
}

impl<'a> Section<'a> {
    /// The whole configuration.
    pub fn root(reader: &'a Reader<'a>) -> Self {
        Self::new(reader, Vec::new(), reader.layers.root.clone())
    }

    fn new(reader: &'a Reader<'a>, path: Vec<String>, table: Map<String, Value>) -> Self {
        let (asked, missing) = (RefCell::default(), RefCell::default());
        Self { reader, path, table, asked, missing, is_faulty: Cell::new(false) }
    }

    /// The table below this one; an empty one if there is none.
    pub fn table(&self, key: &'static str) -> Section<'a> {
        self.asked.borrow_mut().insert(key);
        self.below(key)
    }

    /// The tables in the table below this one: `[databases.*]` with their names, in the order of the names.
    pub fn tables(&self, key: &'static str) -> Vec<(String, Section<'a>)> {
        let group = self.table(key);
        let mut names: Vec<&String> = group.table.keys().collect();
        names.sort();
        names.into_iter().map(|name| (name.clone(), group.below(name))).collect()
    }

    /// The tables of the list below this one: `[[alerts.routes]]`; none if it is not there.
    pub fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        self.asked.borrow_mut().insert(key);
        let Some(value) = self.table.get(key) else { return Vec::new() };
        let path = self.path_of(key);
        let wrong = |value: &Value| {
            self.is_faulty.set(true);
            let problem = Problem::new(format!("expected a list of tables, found {}", kind_name(&value.kind)));
            self.reader.error(&Origin::of(value), problem.help(format!("write each as `[[{}]]`", path.join("."))));
        };
        let ValueKind::Array(items) = &value.kind else {
            wrong(value);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (at, item) in items.iter().enumerate() {
            match &item.kind {
                ValueKind::Table(table) => {
                    let path = path.iter().cloned().chain([element(at)]).collect();
                    sections.push(Self::new(self.reader, path, table.clone()));
                }
                _ => wrong(item),
            }
        }
        sections
    }

    /// The settings of the table below this one, whatever their names, in the order of the names.
    pub fn entries(&self, key: &'static str) -> Vec<(String, Spot<'a>)> {
        let group = self.table(key);
        let mut names: Vec<&String> = group.table.keys().collect();
        names.sort();
        if group.is_faulty() {
            self.is_wrong();
        }
        let spot = |name: &String| (name.clone(), Spot::new(self.reader, group.table[name].clone()));
        names.into_iter().map(spot).collect()
    }

    fn below(&self, key: &str) -> Section<'a> {
        let path = self.path_of(key);
        let table = match self.table.get(key) {
            None => Map::new(),
            Some(value) => match &value.kind {
                ValueKind::Table(table) => table.clone(),
                ValueKind::Nil => Map::new(),
                other => {
                    let header = match path.as_slice() {
                        [group] if group != "daemon" => format!("{group}.NAME"),
                        _ => path.join("."),
                    };
                    let problem = Problem::new(format!("expected a table, found {}", kind_name(other)));
                    let problem = problem.help(format!("write a table: `[{header}]`"));
                    self.reader.error(&Origin::of(value), problem);
                    let section = Self::new(self.reader, path, Map::new());
                    section.is_faulty.set(true);
                    return section;
                }
            },
        };
        Self::new(self.reader, path, table)
    }

    fn path_of(&self, key: &str) -> Vec<String> {
        self.path.iter().cloned().chain([key.to_owned()]).collect()
    }

    /// Where the table begins.
    pub fn origin(&self) -> Origin {
        self.reader.layers.table(&self.path)
    }

    /// Where the name of the table stands.
    pub fn name_origin(&self) -> Origin {
        self.reader.layers.key(&self.path)
    }

    /// Records that the table as a whole is wrong.
    pub fn error(&self, problem: Problem) {
        self.is_faulty.set(true);
        self.reader.error(&self.origin(), problem);
    }

    /// Records that the table as a whole is doubtful.
    pub fn warning(&self, problem: Problem) {
        self.reader.warning(&self.origin(), problem);
    }

    /// Records that a setting is required and not there. Reported at the end, unless a misspelt one explains it.
    pub fn is_missing(&self, key: &'static str) {
        self.is_missing_as(key, format!("`{key}`"));
    }

    /// The same, saying in other words what is needed.
    pub fn is_missing_as(&self, key: &'static str, what: String) {
        self.missing.borrow_mut().push((key, what));
    }

    /// Counts a setting among the known ones, whether it is there or not.
    pub fn know(&self, key: &'static str) {
        self.asked.borrow_mut().insert(key);
    }

    /// Notes that something below it was wrong, which was reported.
    pub fn is_wrong(&self) {
        self.is_faulty.set(true);
    }

    /// Whether something in the table was wrong.
    pub fn is_faulty(&self) -> bool {
        self.is_faulty.get()
    }

    /// Whether the setting is there.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The setting at its place.
    pub fn spot(&self, key: &'static str) -> Option<Spot<'a>> {
        self.asked.borrow_mut().insert(key);
        let value = self.table.get(key)?;
        let mut spot = Spot::new(self.reader, value.clone());
        if matches!(value.kind, ValueKind::Table(_)) {
            spot.origin = self.reader.layers.table(&self.path_of(key));
        }
        if spot.is_reported() {
            self.is_faulty.set(true);
            return None;
        }
        Some(spot)
    }

    /// Adds a setting to what `config show` shows.
    pub fn show(&self, key: &str, value: impl Into<serde_json::Value>, origin: &Origin) {
        self.reader.show(self.path_of(key), value.into(), origin);
    }

    /// A setting that may be left out.
    pub fn optional<T>(&self, key: &'static str, parse: impl FnOnce(&Spot<'a>) -> Result<T, Problem>) -> Option<T> {
        let spot = self.spot(key)?;
        let result = parse(&spot);
        self.show(key, spot.to_json(), &spot.origin);
        self.taken(&spot, result)
    }

    /// A setting that must be there.
    pub fn required<T>(&self, key: &'static str, parse: impl FnOnce(&Spot<'a>) -> Result<T, Problem>) -> Option<T> {
        if !self.has(key) {
            self.is_missing(key);
        }
        self.optional(key, parse)
    }

    /// A setting with a default, which is read as if it stood in the file. `None`: what stands there is wrong.
    pub fn or<T>(
        &self,
        key: &'static str,
        default: impl Into<ValueKind>,
        parse: impl FnOnce(&Spot<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        if self.has(key) {
            return self.optional(key, parse);
        }
        self.asked.borrow_mut().insert(key);
        let spot = Spot::new(self.reader, Value::new(None, default));
        self.show(key, spot.to_json(), &spot.origin);
        self.taken(&spot, parse(&spot))
    }

    /// A list, each element at its own place. `None`: it is not there, or wrong.
    pub fn list<T>(&self, key: &'static str, parse: impl Fn(&Spot<'a>) -> Result<T, Problem>) -> Option<Vec<T>> {
        let spot = self.spot(key)?;
        let items = self.taken(&spot, spot.list())?;
        let shown: Vec<serde_json::Value> = items.iter().map(Spot::to_json).collect();
        self.show(key, shown, &spot.origin);
        let parsed: Vec<Option<T>> = items.iter().map(|item| self.taken(item, parse(item))).collect();
        parsed.into_iter().collect()
    }

    /// The result of reading a value, or its problem recorded.
    pub fn taken<T>(&self, spot: &Spot<'_>, result: Result<T, Problem>) -> Option<T> {
        result
            .map_err(|problem| {
                self.is_faulty.set(true);
                spot.error(problem);
            })
            .ok()
    }

    /// Reports what was not asked for and what is missing.
    pub fn finish(&self) {
        let asked = self.asked.borrow();
        let mut explained = BTreeSet::new();
        let mut unknown: Vec<&String> = self.table.keys().filter(|key| !asked.contains(key.as_str())).collect();
        unknown.sort();
        for key in unknown {
            self.is_faulty.set(true);
            let free = asked.iter().copied().filter(|known| !self.has(known));
            let near = suggest(key, free).or_else(|| suggest(key, asked.iter().copied()));
            let problem = match near {
                Some(near) => {
                    explained.insert(near);
                    Problem::new(format!("unknown key `{key}`; did you mean `{near}`?"))
                }
                None => {
                    let known: Vec<String> = asked.iter().map(|known| format!("`{known}`")).collect();
                    let what = if self.path.is_empty() { "the tables are" } else { "the keys here are" };
                    Problem::new(format!("unknown key `{key}`")).help(format!("{what} {}", known.join(", ")))
                }
            };
            self.reader.error(&self.reader.layers.key(&self.path_of(key)), problem);
        }
        if self.reader.layers.is_incomplete {
            return;
        }
        let table = self.path.join(".");
        for (_, what) in self.missing.borrow().iter().filter(|(key, _)| !explained.contains(key)) {
            self.error(Problem::new(format!("[{table}] needs {what}")));
        }
    }
}
