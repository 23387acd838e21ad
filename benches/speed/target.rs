//! What is to be reached, and whether it is.

/// A figure with its bound.
pub struct Target {
    what: String,
    found: f64,
    bound: Bound,
}

/// Which side of a figure is the good one.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// The targets looked at so far.
#[derive(Default)]
pub struct Targets(Vec<Target>);

impl Targets {
    /// Adds a figure; one that was not measured is left out.
    pub fn add(&mut self, what: &str, found: Option<f64>, bound: Bound) {
        self.0.extend(found.map(|found| Target { what: what.to_owned(), found, bound }));
    }

    /// One line for each.
    pub fn print(&self) {
        println!("\n{:<64}{:>9}{:>11}", "", "found", "target");
        for Target { what, found, bound } in &self.0 {
            let (sign, bound, reached) = match *bound {
                Bound::AtLeast(bound) => ("≥", bound, *found >= bound),
                Bound::AtMost(bound) => ("≤", bound, *found <= bound),
            };
            let verdict = if reached { "reached" } else { "NOT REACHED" };
            println!("{what:<64}{found:>9.3}{:>11}  {verdict}", format!("{sign} {bound}"));
        }
    }
}
