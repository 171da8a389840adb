//! The program `nacre`: one binary whose subcommands also answer to their OpenSSH names.
//!
//! It is a library with a three-line `main` so that integration tests and `xtask` can reach the
//! command table ([`cli`]) and the password file ([`passwd::store`]) without starting a process.
//! Nothing here starts an async runtime before a subcommand asks for one: `nacre ssh host true`
//! has to be quick.
#![deny(missing_docs, clippy::print_stdout, clippy::print_stderr)]

pub mod add;
pub mod agent;
pub mod algorithms;
pub mod atomic;
pub mod audit;
pub mod chat;
pub mod cli;
pub mod completions;
pub mod explain;
pub mod failure;
pub mod keyfile;
pub mod keygen;
pub mod keyscan;
pub mod lab;
pub mod links;
pub mod man;
pub mod output;
pub mod passwd;
pub mod prompt;
pub mod query;
pub mod revocations;
pub mod scp;
pub mod serve;
pub mod sftp;
pub mod sftp_server;
pub mod signal;
pub mod ssh;
pub mod ssh_child;
pub mod state;
pub mod trial;
pub mod version;
pub mod world;

use cli::Invocation;
use failure::Failure;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command line `argv` (with the program's name first) and says how the process ends.
pub fn run(argv: Vec<OsString>) -> ExitCode {
    nacre_sys::memory::let_large_pieces_go();
    if let Some(code) = serve::privsep::run_role(&argv) {
        return code;
    }
    match cli::parse(argv).and_then(dispatch) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn dispatch(invocation: Invocation) -> Result<ExitCode, Failure> {
    match invocation {
        Invocation::Help(help) => help.print().map_err(|_| Failure::closed_pipe())?,
        Invocation::Text(text) => output::print(&text)?,
        Invocation::Ssh(args) => return ssh::run(&args),
        Invocation::Scp(args) => return scp::run(&args),
        Invocation::Sftp(args) => return sftp::run(&args),
        Invocation::SftpServer(args) => return sftp_server::run(*args),
        Invocation::Serve(args) => return serve(*args),
        Invocation::Explain(args) => return explain::run(&args),
        Invocation::Audit(args) => return audit::run(&args),
        Invocation::ChatAdmin(args) => return chat::admin::run(&args),
        Invocation::Lab(args) => return lab::run(&args),
        Invocation::Try(args) => return trial::run(args),
        Invocation::Keygen(args) => keygen::run(&args)?,
        Invocation::Keyscan(args) => return keyscan::run(&args),
        Invocation::Agent(args) => return agent::run(&args),
        Invocation::Add(args) => return add::run(&args),
        Invocation::Passwd(args) => passwd::run(&args)?,
        Invocation::Links { directory } => links::run(&directory)?,
        Invocation::Man(request) => man::run(&request)?,
        Invocation::Completions(shell) => completions::run(shell)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(args: cli::serve::ServeArgs) -> Result<ExitCode, Failure> {
    match args.action {
        cli::serve::ServeAction::Version => output::complain(&version::compatible()),
        _ => return serve::run(&args),
    }
    Ok(ExitCode::SUCCESS)
}
