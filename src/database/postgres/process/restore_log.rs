//! What pg_restore says, sorted: what harms the restored data, and what does not.

use super::stderr::{LineSink, Tail};

/// How many messages of each kind are kept.
const KEPT: usize = 200;

/// The messages of a pg_restore.
#[derive(Debug, Default)]
pub(super) struct RestoreLog {
    pub tail: Tail,
    pub errors: Vec<String>,
    pub errors_total: u64,
    pub warnings: Vec<String>,
    block: Option<Block>,
}

/// A message with the lines that follow it.
#[derive(Debug)]
struct Block {
    message: String,
    command: String,
    is_error: bool,
}

impl LineSink for RestoreLog {
    fn line(&mut self, line: &str) {
        self.tail.line(line);
        if let Some((_, message)) = line.split_once("pg_restore: error: ") {
            self.begin(message, true);
        } else if let Some((_, message)) = line.split_once("pg_restore: warning: ") {
            self.begin(message, false);
        } else if line.starts_with("pg_restore: ") {
            // `while PROCESSING TOC:`, `from TOC entry …`
            self.close();
        } else if let Some(block) = &mut self.block
            && !line.is_empty()
        {
            match line.strip_prefix("Command was: ") {
                Some(command) => block.command = command.to_owned(),
                None if block.command.is_empty() => {
                    block.message.push(' ');
                    block.message.push_str(line);
                }
                None => {}
            }
        }
    }
}

impl RestoreLog {
    fn begin(&mut self, message: &str, is_error: bool) {
        self.close();
        self.block = Some(Block { message: message.to_owned(), command: String::new(), is_error });
    }

    /// Sorts the message whose lines have all been read.
    pub fn close(&mut self) {
        let Some(block) = self.block.take() else { return };
        let message = block.message.strip_prefix("could not execute query: ").unwrap_or(&block.message);
        let text = if block.command.is_empty() { message.to_owned() } else { format!("{message} ({})", block.command) };
        if block.is_error && !is_benign(message, &block.command) {
            self.errors_total += 1;
            if self.errors.len() < KEPT {
                self.errors.push(text);
            }
        // It sums up what is listed one by one.
        } else if !message.starts_with("errors ignored on restore") && self.warnings.len() < KEPT {
            self.warnings.push(text);
        }
    }
}

/// Errors after which the data is nevertheless what was dumped: other owners and grants, a setting that only newer
/// servers know, things that every new database already has.
fn is_benign(message: &str, command: &str) -> bool {
    let about_rights = command.starts_with("GRANT ")
        || command.starts_with("REVOKE ")
        || command.starts_with("ALTER DEFAULT PRIVILEGES ")
        || (command.starts_with("ALTER ") && command.contains(" OWNER TO "));
    let missing_role = message.contains("role \"") && message.contains("\" does not exist");
    let role_not_ours = message.contains("must be member of role") || message.contains("must be able to SET ROLE");
    let unknown_setting = message.contains("unrecognized configuration parameter") && command.starts_with("SET ");
    let public_exists =
        message.contains("schema \"public\" already exists") && command.starts_with("CREATE SCHEMA public");
    let of_public = command.starts_with("COMMENT ON SCHEMA public ") && message.contains("must be owner of schema");
    let of_plpgsql = command.contains("EXTENSION plpgsql") || command.contains("EXTENSION IF NOT EXISTS plpgsql");
    (about_rights && (missing_role || role_not_ours))
        || unknown_setting
        || public_exists
        || of_public
        || (of_plpgsql && (message.contains("must be owner of extension") || message.contains("permission denied")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(text: &str) -> RestoreLog {
        let mut log = RestoreLog::default();
        text.lines().for_each(|line| log.line(line));
        log.close();
        log
    }

    #[test]
    fn missing_roles_and_newer_settings_do_not_matter_but_lost_rows_do() {
        let log = sort(
            "pg_restore: while INITIALIZING:
pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter \"transaction_timeout\"
Command was: SET transaction_timeout = 0;
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 215; 1259 16390 TABLE t bob
pg_restore: error: could not execute query: ERROR:  role \"bob\" does not exist
Command was: ALTER TABLE public.t OWNER TO bob;


pg_restore: from TOC entry 3321; 0 16390 TABLE DATA t bob
pg_restore: error: COPY failed for table \"t\": ERROR:  duplicate key value violates unique constraint \"t_pkey\"
DETAIL:  Key (id)=(1) already exists.
CONTEXT:  COPY t, line 1
pg_restore: error: could not execute query: ERROR:  role \"bob\" does not exist
Command was: CREATE POLICY p ON t TO bob;
pg_restore: warning: errors ignored on restore: 4",
        );
        assert_eq!(log.errors_total, 2);
        assert!(log.errors[0].contains("duplicate key") && log.errors[0].contains("Key (id)=(1)"));
        assert!(log.errors[1].contains("CREATE POLICY"));
        assert_eq!(log.warnings.len(), 2, "{:?}", log.warnings);
    }
}
