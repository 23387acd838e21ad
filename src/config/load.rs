//! Finds the files of the configuration and reads them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::layers::{Layers, SourceFile};
use super::{Config, Diagnostic, Place, Severity, View, audit, read};

/// Where the configuration is when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/caretaker/caretaker.toml";

/// What to load.
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// The main file; default [`DEFAULT_PATH`].
    pub path: Option<PathBuf>,
    /// The environment: settings in `CARETAKER__…`, what `url_env` names, `STATE_DIRECTORY`, `USER`.
    pub env: BTreeMap<String, String>,
}

impl LoadOptions {
    /// With this process's environment. Variables that are not UTF-8 are left out.
    pub fn from_process(path: Option<PathBuf>) -> Self {
        let variables = std::env::vars_os();
        let env = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { path, env: env.collect() }
    }
}

/// Without the environment, which may hold secrets.
impl fmt::Debug for LoadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadOptions").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A configuration without errors.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is doubtful in it.
    pub warnings: Vec<Diagnostic>,
    /// The files it was read from, in order.
    pub sources: Vec<PathBuf>,
    /// What `config show` shows.
    pub view: View,
}

impl Loaded {
    /// The effective configuration, with the origin of each value and without secrets.
    pub fn show(&self) -> &View {
        &self.view
    }
}

/// Loads the configuration: the main file, then `conf.d/*.toml` beside it, then the environment. Blocks on small files.
///
/// # Errors
///
/// Everything that is wrong with it, and the warnings, in the order of the sources; at least one is an error.
pub fn load(options: &LoadOptions) -> Result<Loaded, Vec<Diagnostic>> {
    let path = options.path.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_PATH));
    let mut diagnostics = Vec::new();
    let mut texts = Vec::new();
    let folder = path.parent().unwrap_or(Path::new("")).join("conf.d");
    let additions = match toml_files(&folder) {
        Ok(files) => files,
        Err(error) => {
            diagnostics.push(unreadable(&folder, &error));
            Vec::new()
        }
    };
    for file in std::iter::once(path).chain(additions) {
        match std::fs::read(&file).map(String::from_utf8) {
            Ok(Ok(text)) => texts.push((file, text)),
            Ok(Err(error)) => diagnostics.push(not_text(&file, &error)),
            Err(error) => diagnostics.push(unreadable(&file, &error)),
        }
    }
    // With a file missing, most of what could be said about the rest would be wrong.
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let mut loaded = load_texts(texts, options.env.clone())?;
    loaded.warnings.extend(audit::files(&loaded.config));
    Ok(loaded)
}

/// The same with the files' texts as an argument: pure, but for `url_file`.
pub(super) fn load_texts(
    texts: Vec<(PathBuf, String)>,
    env: BTreeMap<String, String>,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let sources: Vec<PathBuf> = texts.iter().map(|(path, _)| path.clone()).collect();
    let layers = Layers::new(texts, env, &mut diagnostics);
    let outcome = read::read(&layers);
    // What is said about a line that is not TOML follows from that.
    let broken: Vec<_> = diagnostics.iter().filter_map(line).collect();
    diagnostics
        .extend(outcome.diagnostics.into_iter().filter(|found| line(found).is_none_or(|at| !broken.contains(&at))));
    diagnostics.sort_by_key(|diagnostic| match &diagnostic.place {
        Some(Place::Text { path, line, column, .. }) => {
            (sources.iter().position(|source| source == path).unwrap_or(0), *line, *column)
        }
        _ => (sources.len(), 0, 0),
    });
    let is_usable = diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning);
    match outcome.config {
        Some(config) if is_usable => {
            diagnostics.extend(audit::config(&config));
            Ok(Loaded { config, warnings: diagnostics, sources, view: outcome.view })
        }
        _ => Err(diagnostics),
    }
}

fn line(diagnostic: &Diagnostic) -> Option<(PathBuf, usize)> {
    match &diagnostic.place {
        Some(Place::Text { path, line, .. }) => Some((path.clone(), *line)),
        _ => None,
    }
}

/// `*.toml` in a folder, by name; none if there is no such folder.
fn toml_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let help = match error.kind() {
        ErrorKind::NotFound => Some("`caretaker init DIR` writes one; `--config PATH` names another"),
        ErrorKind::PermissionDenied => Some("run it as root or as the user of the service"),
        _ => None,
    };
    Diagnostic {
        severity: Severity::Error,
        message: format!("cannot read the configuration: {error}"),
        place: Some(Place::File { path: path.to_owned() }),
        help: help.map(str::to_owned),
    }
}

/// A file that is not UTF-8, with the place of the first byte that is not.
fn not_text(path: &Path, error: &std::string::FromUtf8Error) -> Diagnostic {
    let at = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let source = SourceFile::plain(path.to_owned(), text);
    source.diagnostic("this is not UTF-8".to_owned(), Some("save the file as UTF-8".to_owned()), (at..at + 1).into())
}
