//! What the session is to be: shell, command, subsystem or nothing, with a terminal or without, and
//! in the front or in the background. The rules are those of ssh(1).

use crate::cli::ssh::SshArgs;
use nacre_config::client::{ClientOptions, Endpoint, RequestTty, SessionType};
use nacre_config::pattern;
use nacre_wire::session::SessionRequest;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// What the session is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What to start; `None` for a connection without a session (`-N`).
    pub start: Option<SessionRequest>,
    /// Ask for a terminal.
    pub terminal: bool,
    /// Read nothing from standard input.
    pub stdin_null: bool,
    /// Go to the background once logged in.
    pub background: bool,
    /// `-W`: where standard input and output lead.
    pub stdio_forward: Option<Endpoint>,
    /// What to tell the person about it.
    pub notice: Option<&'static str>,
}

impl Plan {
    /// Works the plan out.
    ///
    /// # Errors
    /// The line to show when the wishes do not go together.
    pub fn new(options: &ClientOptions, args: &SshArgs, stdin_is_terminal: bool) -> Result<Self, &'static str> {
        let start = start(options, args.command_bytes())?;
        let background = options.fork_after_authentication;
        let stdin_null = options.stdin_null || background;
        if background && matches!(start, Some(SessionRequest::Shell)) {
            return Err("Cannot fork into background without a command to execute.");
        }
        let wished = match (options.request_tty, &start) {
            (RequestTty::No, _) | (_, None) => false,
            (RequestTty::Yes | RequestTty::Force, _) => true,
            (RequestTty::Auto, start) => matches!(start, Some(SessionRequest::Shell)),
        };
        let possible = (stdin_is_terminal && !stdin_null) || options.request_tty == RequestTty::Force;
        let notice =
            (wished && !possible).then_some("Pseudo-terminal will not be allocated because stdin is not a terminal.");
        let stdio_forward = args.stdio_forward.clone();
        Ok(Self { start, terminal: wished && possible, stdin_null, background, stdio_forward, notice })
    }
}

fn start(options: &ClientOptions, typed: Option<Vec<u8>>) -> Result<Option<SessionRequest>, &'static str> {
    let configured = options.remote_command.clone().map(String::into_bytes);
    if typed.is_some() && configured.is_some() && options.session_type == SessionType::Default {
        return Err("Cannot execute command-line and remote command.");
    }
    let command = typed.or(configured);
    match (options.session_type, command) {
        (SessionType::None, _) => Ok(None),
        (SessionType::Subsystem, Some(name)) => {
            let name = String::from_utf8(name).map_err(|_| "The subsystem's name is not UTF-8.")?;
            Ok(Some(SessionRequest::Subsystem { name }))
        }
        (SessionType::Subsystem, None) => Err("You must specify a subsystem to invoke."),
        (SessionType::Default, Some(command)) => Ok(Some(SessionRequest::Exec { command })),
        (SessionType::Default, None) => Ok(Some(SessionRequest::Shell)),
    }
}

/// The variables to send: those of `environment` that SendEnv picks, then SetEnv's.
pub fn environment(
    options: &ClientOptions,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<SessionRequest> {
    let picked = environment.filter(|(name, _)| {
        let name = name.to_str();
        name.is_some_and(|name| options.send_env.iter().any(|wish| pattern::matches(name, wish)))
    });
    let picked = picked.map(|(name, value)| SessionRequest::Env { name: name.into_vec(), value: value.into_vec() });
    let set = options.set_env.iter().map(|(name, value)| SessionRequest::Env {
        name: name.clone().into_bytes(),
        value: value.clone().into_bytes(),
    });
    picked.chain(set).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::cli::{self, Invocation};

    fn plan(words: &str, stdin_is_terminal: bool) -> Result<Plan, &'static str> {
        let argv = ["nacre", "ssh", "-F", "none"].into_iter().chain(words.split(' ')).map(OsString::from).collect();
        let Invocation::Ssh(args) = cli::parse(argv).unwrap() else { panic!("not ssh") };
        Plan::new(&super::super::options::effective(&args).unwrap(), &args, stdin_is_terminal)
    }

    fn terminal(words: &str, stdin_is_terminal: bool) -> bool {
        plan(words, stdin_is_terminal).unwrap().terminal
    }

    #[test]
    fn who_gets_a_terminal() {
        for (words, with_one_here, without) in [
            ("h", true, false),
            ("h ls", false, false),
            ("-t h ls", true, false),
            ("-tt h ls", true, true),
            ("-tt h", true, true),
            ("-T h", false, false),
            ("-n h", false, false),
            ("-n -tt h", true, true),
            ("-N h", false, false),
            ("-s h sftp", false, false),
            ("-t -s h sftp", true, false),
            ("-o RemoteCommand=top h", false, false),
            ("-t -o RemoteCommand=top h", true, false),
        ] {
            assert_eq!(terminal(words, true), with_one_here, "{words} with a terminal here");
            assert_eq!(terminal(words, false), without, "{words} without a terminal here");
        }
        assert!(plan("h", false).unwrap().notice.is_some());
        assert!(plan("h ls", false).unwrap().notice.is_none());
    }

    #[test]
    fn what_is_started() {
        let start = |words: &str| plan(words, true).unwrap().start;
        assert_eq!(start("h"), Some(SessionRequest::Shell));
        assert_eq!(start("h a b"), Some(SessionRequest::Exec { command: b"a b".to_vec() }));
        assert_eq!(start("-s h sftp"), Some(SessionRequest::Subsystem { name: "sftp".to_owned() }));
        assert_eq!(start("-N h"), None);
        assert_eq!(start("-o RemoteCommand=top h"), Some(SessionRequest::Exec { command: b"top".to_vec() }));
        assert!(plan("-o RemoteCommand=top h ls", true).is_err());
        assert!(plan("-f h", true).is_err());
        let background = plan("-f h ls", true).unwrap();
        assert!(background.background && background.stdin_null);
        assert!(plan("-f -N h", true).unwrap().background);
    }

    #[test]
    fn variables() {
        let words = "-o SendEnv=LC_* -o SetEnv=A=1 h";
        let argv = ["nacre", "ssh", "-F", "none"].into_iter().chain(words.split(' ')).map(OsString::from).collect();
        let Invocation::Ssh(args) = cli::parse(argv).unwrap() else { panic!("not ssh") };
        let options = super::super::options::effective(&args).unwrap();
        let here = [("LC_ALL", "C"), ("HOME", "/h"), ("XLC_A", "x")];
        let here = here.into_iter().map(|(name, value)| (name.into(), value.into()));
        let env = |name: &[u8], value: &[u8]| SessionRequest::Env { name: name.to_vec(), value: value.to_vec() };
        assert_eq!(environment(&options, here), [env(b"LC_ALL", b"C"), env(b"A", b"1")]);
    }
}
