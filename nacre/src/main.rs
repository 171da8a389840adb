use std::process::ExitCode;

fn main() -> ExitCode {
    nacre::run(std::env::args_os().collect())
}
