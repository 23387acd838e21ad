//! The `caretaker` binary: hands over to [`caretaker::cli`] and maps what comes back to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    caretaker::cli::main()
}
