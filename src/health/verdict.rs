//! What a check says.

use crate::database::postgres::Identifier;
use crate::state::Status;

/// What a check found, or why it could not see.
pub type Seen = Result<Verdict, Unseen>;

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// OK, WARNING or CRITICAL. What could not be seen is an [`Unseen`].
    pub status: Status,
    /// One line for people: `92 of 97 connections are used`.
    pub summary: String,
    /// The figure that was compared, in the unit's base.
    pub figure: Option<f64>,
    /// What was seen, line by line; shown with `--detailed`, and the first lines in a mail. Names and figures; never the
    /// literals of a query.
    pub evidence: Vec<String>,
    /// What to do about it, where it is not OK.
    pub advice: Option<String>,
}

impl Verdict {
    /// A verdict without evidence and advice.
    pub fn new(status: Status, summary: impl Into<String>) -> Self {
        Self { status, summary: summary.into(), figure: None, evidence: Vec::new(), advice: None }
    }

    /// With the figure that was compared.
    pub fn figure(mut self, figure: f64) -> Self {
        self.figure = Some(figure);
        self
    }

    /// With what was seen.
    pub fn evidence(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(lines);
        self
    }

    /// With what to do about it.
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// Why a check has no verdict. Never taken for OK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// There is nothing to look at; counts for nothing.
    NotApplicable {
        /// Why.
        why: String,
        /// What was seen all the same, line by line.
        evidence: Vec<String>,
    },
    /// It could not be seen: no permission, no answer in time, NULL where a figure should be.
    Unknown {
        /// Why.
        why: String,
        /// What would cure it: the exact GRANT or setting.
        cure: Option<String>,
    },
}

impl Unseen {
    /// Nothing to look at.
    pub fn not_applicable(why: impl Into<String>) -> Self {
        Self::NotApplicable { why: why.into(), evidence: Vec::new() }
    }

    /// Could not be seen.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into(), cure: None }
    }

    /// Names the role that lacks a privilege, in place of `CURRENT_USER`: who grants it is another one.
    pub(super) fn for_role(self, role: &str) -> Self {
        match (self, Identifier::new(role)) {
            (Self::Unknown { why, cure: Some(cure) }, Ok(role)) => {
                Self::Unknown { why, cure: Some(cure.replace("CURRENT_USER", &role.to_string())) }
            }
            (other, _) => other,
        }
    }

    /// With what was seen although there is nothing to judge yet.
    pub fn evidence(self, lines: Vec<String>) -> Self {
        match self {
            Self::NotApplicable { why, .. } => Self::NotApplicable { why, evidence: lines },
            other @ Self::Unknown { .. } => other,
        }
    }

    /// With what would cure it.
    pub fn cure(self, cure: impl Into<String>) -> Self {
        match self {
            Self::Unknown { why, .. } => Self::Unknown { why, cure: Some(cure.into()) },
            other @ Self::NotApplicable { .. } => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Unseen;

    #[test]
    fn a_grant_names_the_role() {
        let unseen = Unseen::unknown("hidden").cure("GRANT pg_monitor TO CURRENT_USER");
        let cure = "GRANT pg_monitor TO \"odd \"\"one\"".to_owned();
        assert_eq!(unseen.for_role("odd \"one"), Unseen::Unknown { why: "hidden".to_owned(), cure: Some(cure) });
    }
}
