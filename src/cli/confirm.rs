//! Asking before something is destroyed or replaced.

use std::io::{IsTerminal, Write};

use super::exit::CliError;

/// Asks on a terminal; without one, refuses unless `--yes` was given.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(CliError::refused(format!("{question}: not confirmed")).hint("without a terminal, add --yes"));
    }
    let mut terminal = std::io::stderr();
    let mut answer = String::new();
    let asked = write!(terminal, "{question}? [y/N] ").and_then(|()| terminal.flush());
    let read = asked.and_then(|()| std::io::stdin().read_line(&mut answer));
    match read {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes" | "Yes") => Ok(()),
        _ => Err(CliError::refused("not confirmed")),
    }
}
