//! The layers of the configuration, each value with the place it comes from.
//!
//! The `config` crate merges the layers. It would also read files and the environment, but then coerces `"yes"` to
//! true, knows no lines, and lower-cases names; so both come through [`Source`]s of our own, which say in each value's
//! origin where it stands.

mod environment;
mod file;
mod origin;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::config as layering;
use layering::{Map, Source, Value};

use super::Diagnostic;
pub(super) use file::{SourceFile, element};
pub(super) use origin::Origin;

/// The prefix of the variables that are settings.
pub(super) const PREFIX: &str = "CARETAKER__";

/// All layers, merged.
pub(super) struct Layers {
    /// The files, in order.
    pub files: Vec<SourceFile>,
    /// The environment, all of it.
    pub env: BTreeMap<String, String>,
    /// The merged settings.
    pub root: Map<String, Value>,
    /// Settings made by variables, by path.
    variables: BTreeMap<Vec<String>, String>,
    /// Whether a file could not be read whole, so that what is missing may not really be.
    pub is_incomplete: bool,
}

/// One layer's settings, as the layering crate wants them.
#[derive(Debug, Clone)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, layering::ConfigError> {
        Ok(self.0.clone())
    }
}

impl Layers {
    /// Reads the texts of the files, lowest layer first, and lays the environment over them.
    pub fn new(
        texts: Vec<(PathBuf, String)>,
        env: BTreeMap<String, String>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut files = Vec::new();
        let mut layers = Vec::new();
        let mut is_incomplete = false;
        for (number, (path, text)) in texts.into_iter().enumerate() {
            let (file, table, problems) = SourceFile::parse(number, path, text);
            is_incomplete |= !problems.is_empty();
            diagnostics.extend(problems);
            files.push(file);
            layers.push(Layer(table));
        }
        let from_files = merge(layers.clone());
        let (table, variables) = environment::read(&env, &from_files);
        layers.push(Layer(table));
        Self { files, env, root: merge(layers), variables, is_incomplete }
    }

    /// Where the name of a setting stands: in the last layer that has it.
    pub fn key(&self, path: &[String]) -> Origin {
        if let Some(name) = self.variables.get(path) {
            return Origin::VariableName(name.clone());
        }
        let in_files = self.files.iter().enumerate().rev();
        in_files
            .filter_map(|(file, source)| Some(Origin::File { file, span: *source.keys.get(path)? }))
            .next()
            .unwrap_or(Origin::Default)
    }

    /// Where a table begins: in the first layer that has it, or the variable that made it.
    pub fn table(&self, path: &[String]) -> Origin {
        for (file, source) in self.files.iter().enumerate() {
            if let Some(span) = source.tables.get(path) {
                return Origin::File { file, span: *span };
            }
        }
        let below = self.variables.iter().find(|(setting, _)| setting.starts_with(path));
        below.map_or(Origin::Default, |(_, name)| Origin::VariableName(name.clone()))
    }

    /// The folder that relative paths in a value of this origin are relative to; `None`: the working directory.
    pub fn folder(&self, origin: &Origin) -> Option<&Path> {
        match origin {
            Origin::File { file, .. } => self.files.get(*file)?.path.parent(),
            _ => None,
        }
    }
}

fn merge(layers: Vec<Layer>) -> Map<String, Value> {
    let builder = layers.into_iter().fold(layering::Config::builder(), |builder, layer| builder.add_source(layer));
    let merged = builder.build().and_then(|merged| layering::Source::collect(&merged));
    merged.expect("layers held in memory cannot fail to be collected")
}
