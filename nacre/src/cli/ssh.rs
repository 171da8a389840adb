//! `nacre ssh`: the flags of ssh(1) and what they mean together.

use super::arg::{counted, flag, long_help, switch, value};
use super::destination::{Destination, check_stops, check_user, parse_port};
use super::explain::page_flags;
use super::getopt::{Operands, Opt, Spec, Words};
use super::setting::{Setting, Settings, client_lines, quoted};
use super::{Early, read};
use crate::failure::{Failure, SSH};
use clap::{Arg, ArgAction, Command, value_parser};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

pub use nacre_config::client::{Endpoint, ForwardKind};

/// What a call of `nacre ssh` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshArgs {
    /// What is to be done.
    pub action: SshAction,
    /// The host to reach; present for every action but `Version` and `Query`. Its user and port
    /// are in `settings` already.
    pub destination: Option<Destination>,
    /// The words after the host, as typed (any bytes). They are joined by single spaces for the
    /// far side; for `-s` the joined text is the subsystem's name.
    pub command: Vec<OsString>,
    /// Configuration given by flags; the first value of a keyword wins, and these come before any
    /// file.
    pub settings: Vec<Setting>,
    /// `-F`: the configuration file that replaces the user's and the machine's; `none` for no file.
    pub config_file: Option<PathBuf>,
    /// `-E`: the file that debug output is appended to.
    pub log_file: Option<PathBuf>,
    /// `-L`, `-R`, `-D`, in command-line order, as typed.
    pub forwards: Vec<Forward>,
    /// `-W`: the host and port, or the socket, that standard input and output are joined to.
    pub stdio_forward: Option<Endpoint>,
    /// `-w`: the tunnel devices `local[:remote]`, as typed.
    pub tunnel: Option<String>,
    /// `-y`: messages go to the system log.
    pub to_syslog: bool,
    /// `nacre chat join`: what nothing says otherwise is as a chat wants it.
    pub chat: bool,
    /// `--explain` and its kin.
    pub explain: ExplainWishes,
}

/// How the session is to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExplainWishes {
    /// `--explain`: as a story on standard error, at the end.
    pub story: bool,
    /// `--explain-html`: as a page.
    pub html: Option<PathBuf>,
    /// `--show-secrets`: keys, passwords and texts too.
    pub show_secrets: bool,
    /// `--force`: a file that is there is replaced.
    pub force: bool,
}

impl ExplainWishes {
    /// Whether there is anything to tell.
    pub const fn any(&self) -> bool {
        self.story || self.html.is_some()
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshAction {
    /// Connect.
    Connect,
    /// `-G`: print the effective configuration for the host.
    PrintConfig {
        /// `--why`: with the file and line that set each value.
        why: bool,
    },
    /// `-V`: print the version on standard error.
    Version,
    /// `-Q`: print the algorithms of one kind.
    Query(String),
    /// `-O`: send a command to a shared connection's master.
    Control(String),
}

/// One forwarding flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Which flag it was.
    pub kind: ForwardKind,
    /// Its argument as typed; it is known to parse.
    pub spec: String,
}

impl Forward {
    /// The line of configuration that asks for the same.
    fn option_line(&self) -> String {
        let keyword = match self.kind {
            ForwardKind::Local => "LocalForward",
            ForwardKind::Remote => "RemoteForward",
            ForwardKind::Dynamic => "DynamicForward",
        };
        let words = nacre_config::client::Forward::parse(&self.spec, self.kind).map(|forward| {
            let listen = quoted(&forward.listen.to_string());
            forward.connect.map_or(listen.clone(), |to| format!("{listen} {}", quoted(&to.to_string())))
        });
        // What does not parse was refused when the flag was read; the file's parser would say so too.
        format!("{keyword} {}", words.unwrap_or_else(|| quoted(&self.spec)))
    }
}

impl SshArgs {
    /// The remote command as it goes over the wire: the words joined by spaces; `None` when
    /// there are none.
    pub fn command_bytes(&self) -> Option<Vec<u8>> {
        let words: Vec<&[u8]> = self.command.iter().map(|word| word.as_bytes()).collect();
        (!words.is_empty()).then(|| words.join(&b' '))
    }

    /// All that the flags configure, forwardings included, as lines for
    /// `nacre_config::client::Invocation::options`.
    pub fn option_lines(&self) -> Vec<String> {
        let forwards = self.forwards.iter().map(Forward::option_line);
        client_lines(&self.settings).into_iter().chain(forwards).collect()
    }
}

const WHERE: &str = "Where to";
const WHO: &str = "Who you are";
const WHAT: &str = "What to run";
const HOW: &str = "Algorithms";
const OUTPUT: &str = "What is printed";
const STORY: &str = "The session as a story";

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("ssh")
        .about("Log in to another machine, or run a command there")
        .after_help(
            "Flags, configuration files and exit codes are those of OpenSSH: the exit code is the \
             remote command's, or 255 when nacre itself failed. Options may follow the \
             destination; from the command's first word on, every word belongs to the command.",
        )
        .disable_help_flag(true)
        .args(where_to().map(|arg| arg.help_heading(WHERE)))
        .args(who_you_are().map(|arg| arg.help_heading(WHO)))
        .args(what_to_run().map(|arg| arg.help_heading(WHAT)))
        .args([
            value('c', "ciphers", "LIST", "Ciphers to offer, best first").help_heading(HOW),
            value('m', "macs", "LIST", "Message authentication codes to offer").help_heading(HOW),
            value('Q', "query", "KIND", "List the algorithms known: cipher, kex, mac, key, sig; help lists all")
                .help_heading(HOW),
        ])
        .args(printed().map(|arg| arg.help_heading(OUTPUT)))
        .arg(switch("explain", "Tell every step on standard error at the end").help_heading(STORY))
        .args(page_flags("explain-html").map(|arg| arg.help_heading(STORY)))
        .arg(long_help())
        .args(quiet_flags())
        .args(quiet_values())
        .arg(
            Arg::new("destination")
                .value_name("DESTINATION")
                .value_parser(value_parser!(OsString))
                .required_unless_present_any(["version", "query"])
                .help("host, user@host or ssh://user@host:port"),
        )
        .arg(
            Arg::new("command")
                .value_name("COMMAND")
                .value_parser(value_parser!(OsString))
                .num_args(1..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .action(ArgAction::Append)
                .help("What to run there instead of a login shell"),
        )
}

fn where_to() -> [Arg; 6] {
    [
        value('p', "port", "PORT", "Port to connect to"),
        value('F', "config", "FILE", "Read this configuration file only; none reads no file"),
        value('o', "option", "WORD=VALUE", "Any word of the configuration file"),
        flag('4', "ipv4", "Use IPv4 only"),
        flag('6', "ipv6", "Use IPv6 only"),
        value('b', "bind", "ADDRESS", "Connect from this address of ours"),
    ]
}

fn who_you_are() -> [Arg; 2] {
    [
        value('l', "login", "USER", "User name on the other machine"),
        value('i', "identity", "FILE", "Private key to log in with (may be repeated)"),
    ]
}

fn what_to_run() -> [Arg; 7] {
    [
        counted('t', "tty", "Ask for a terminal even for a command (twice: even without one here)"),
        flag('T', "no-tty", "Never ask for a terminal"),
        flag('n', "no-stdin", "Read nothing from standard input"),
        flag('N', "no-command", "Run no command"),
        flag('f', "background", "Go to the background once logged in"),
        flag('s', "subsystem", "The command is the name of a subsystem, such as sftp"),
        value('e', "escape", "CHARACTER", "Escape character of a terminal session: ~, ^X or none"),
    ]
}

fn printed() -> [Arg; 6] {
    [
        flag('G', "print-config", "Print the configuration that would be used and stop"),
        switch("why", "With -G: also the file and line that set each value").requires("print-config"),
        counted('v', "verbose", "Say what is going on (-vv, -vvv: more)"),
        flag('q', "quiet", "Print errors only"),
        value('E', "log", "FILE", "Append messages to this file, not to standard error"),
        flag('V', "version", "Print the version and stop"),
    ]
}

/// Flags that are understood but not shown: obsolete ones that callers still pass, and those
/// whose work the client decides about.
fn quiet_flags() -> impl Iterator<Item = Arg> {
    const FLAGS: &[(char, &str)] = &[
        ('1', "protocol-1"),
        ('2', "protocol-2"),
        ('A', "forward-agent"),
        ('a', "no-forward-agent"),
        ('C', "compress"),
        ('g', "gateway-ports"),
        ('K', "gssapi"),
        ('k', "no-gssapi"),
        ('M', "control-master"),
        ('X', "x11"),
        ('x', "no-x11"),
        ('Y', "x11-trusted"),
        ('y', "syslog"),
    ];
    FLAGS.iter().map(|(letter, id)| counted(*letter, id, "").hide(true))
}

fn quiet_values() -> impl Iterator<Item = Arg> {
    const VALUES: &[(char, &str)] = &[
        ('B', "bind-interface"),
        ('D', "dynamic-forward"),
        ('I', "pkcs11"),
        ('J', "jump"),
        ('L', "local-forward"),
        ('O', "control-command"),
        ('P', "tag"),
        ('R', "remote-forward"),
        ('S', "control-path"),
        ('W', "stdio-forward"),
        ('w', "tunnel"),
    ];
    VALUES.iter().map(|(letter, id)| value(*letter, id, "VALUE", "").hide(true))
}

/// Takes a command line of any `ssh` apart, whatever is wrong with it, and gives what says the meaning of a flag.
pub(crate) fn words_of(words: impl IntoIterator<Item = OsString>) -> (Words, impl Fn(&str) -> Option<String>) {
    let command = command();
    let words = Spec::of(&command, Operands::ThenCommand).scan(words);
    let help = move |flag: &str| {
        let letter = flag.strip_prefix('-').and_then(|letters| letters.chars().next());
        let arg = command.get_arguments().find(|arg| arg.get_short().is_some() && arg.get_short() == letter)?;
        arg.get_help().map(ToString::to_string).filter(|help| !help.is_empty())
    };
    (words, help)
}

/// Reads the words after the program's or subcommand's name; `name` is what to call it in help
/// (`ssh` through a link, else `nacre ssh`).
pub(crate) fn parse(name: &str, words: Vec<OsString>) -> Result<SshArgs, Early> {
    let words = read(command(), name, Operands::ThenCommand, words).map_err(own_code)?;
    build(&words).map_err(|problem| Failure::with_code(SSH, format!("ssh: {problem}")).into())
}

/// The row of `nacre chat join`, which takes the same flags.
pub(crate) fn join_command() -> Command {
    command().name("join").about("Come into a chat").after_help(
        "As `nacre ssh` with all its flags, files and exit codes: on port 2223 unless something says otherwise, with a \
         terminal if there is one, and with a room (its `#` may be left out) in the place of a command.",
    )
}

/// Reads the words after `nacre chat join`.
pub(crate) fn parse_join(name: &str, words: Vec<OsString>) -> Result<SshArgs, Early> {
    let words = read(join_command(), name, Operands::ThenCommand, words).map_err(own_code)?;
    let mut args = build(&words).map_err(|problem| Failure::with_code(SSH, format!("chat join: {problem}")))?;
    args.chat = true;
    let subsystem = |setting: &Setting| matches!(setting, Setting::Value { keyword: "SessionType", argument, .. } if argument == "subsystem");
    if !args.settings.iter().any(subsystem) {
        args.command = args.command.iter().map(|room| as_room(room)).collect();
    }
    Ok(args)
}

/// `#` begins a comment for shells.
fn as_room(word: &OsStr) -> OsString {
    match word.as_bytes().first() {
        Some(b'#') => word.to_owned(),
        _ => [OsStr::new("#"), word].into_iter().collect(),
    }
}

/// ssh keeps codes below 255 for the remote command; asking for help is no error.
fn own_code(early: Early) -> Early {
    match early {
        Early::Usage(failure) => Early::Usage(failure.code(SSH)),
        help @ Early::Help(_) => help,
    }
}

fn build(words: &Words) -> Result<SshArgs, String> {
    let destination = match words.operands.first() {
        Some(word) => Some(Destination::parse(word.to_str().ok_or("the destination is not UTF-8")?)?),
        None => None,
    };
    let mut draft = Draft::default();
    for (place, option) in words.options.iter().enumerate() {
        if place == words.before_operand {
            draft.destination(destination.as_ref());
        }
        draft.option(option)?;
    }
    if words.options.len() == words.before_operand {
        draft.destination(destination.as_ref());
    }
    draft.finish(destination, words.operands.get(1..).unwrap_or_default().to_vec())
}

/// The answer while the options are gone through one by one.
#[derive(Default)]
struct Draft {
    settings: Settings,
    action: Option<SshAction>,
    print_config: bool,
    why: bool,
    verbosity: u8,
    config_file: Option<PathBuf>,
    log_file: Option<PathBuf>,
    forwards: Vec<Forward>,
    stdio_forward: Option<Endpoint>,
    tunnel: Option<String>,
    to_syslog: bool,
    explain: ExplainWishes,
}

impl Draft {
    fn destination(&mut self, destination: Option<&Destination>) {
        let Some(destination) = destination else { return };
        if let Some(user) = &destination.user {
            self.settings.value("user@", "User", user);
        }
        if let Some(port) = destination.port {
            self.settings.value("ssh://", "Port", port.to_string());
        }
    }

    fn option(&mut self, option: &Opt) -> Result<(), String> {
        match &option.value {
            Some(value) => {
                let text = value.to_str().ok_or_else(|| format!("the value of {} is not UTF-8", option.flag))?;
                self.valued(&option.flag, text)
            }
            None => self.plain(&option.flag),
        }
    }

    fn plain(&mut self, flag: &str) -> Result<(), String> {
        let set = &mut self.settings;
        match flag {
            "-1" => return Err("SSH protocol version 1 is not supported".to_owned()),
            "-4" => set.overrule("-4", "AddressFamily", "inet"),
            "-6" => set.overrule("-6", "AddressFamily", "inet6"),
            "-A" => set.overrule("-A", "ForwardAgent", "yes"),
            "-a" => set.overrule("-a", "ForwardAgent", "no"),
            "-C" => set.overrule("-C", "Compression", "yes"),
            "-f" => {
                set.overrule("-f", "ForkAfterAuthentication", "yes");
                set.overrule("-f", "StdinNull", "yes");
            }
            "-G" => self.print_config = true,
            "-g" => set.overrule("-g", "GatewayPorts", "yes"),
            "-K" => {
                set.overrule("-K", "GSSAPIAuthentication", "yes");
                set.overrule("-K", "GSSAPIDelegateCredentials", "yes");
            }
            "-k" => set.overrule("-k", "GSSAPIDelegateCredentials", "no"),
            "-M" => {
                let again = set.overruled("ControlMaster").is_some();
                set.overrule("-M", "ControlMaster", if again { "ask" } else { "yes" });
            }
            "-N" => self.session_type("-N", "none")?,
            "-n" => set.overrule("-n", "StdinNull", "yes"),
            "-q" => set.overrule("-q", "LogLevel", "QUIET"),
            "-s" => self.session_type("-s", "subsystem")?,
            "-T" => set.overrule("-T", "RequestTTY", "no"),
            "-t" => {
                let again = matches!(set.overruled("RequestTTY"), Some("yes" | "force"));
                set.overrule("-t", "RequestTTY", if again { "force" } else { "yes" });
            }
            "-V" => self.action = Some(SshAction::Version),
            "-v" => {
                self.verbosity = (self.verbosity + 1).min(3);
                set.overrule("-v", "LogLevel", format!("DEBUG{}", self.verbosity));
            }
            "-X" => set.overrule("-X", "ForwardX11", "yes"),
            "-x" => set.overrule("-x", "ForwardX11", "no"),
            "-Y" => {
                set.overrule("-Y", "ForwardX11", "yes");
                set.overrule("-Y", "ForwardX11Trusted", "yes");
            }
            "-y" => self.to_syslog = true,
            "--why" => self.why = true,
            "--explain" => self.explain.story = true,
            "--show-secrets" => self.explain.show_secrets = true,
            "--force" => self.explain.force = true,
            // -2 has been the only protocol for long; clap has refused everything unknown.
            _ => {}
        }
        Ok(())
    }

    fn valued(&mut self, flag: &str, text: &str) -> Result<(), String> {
        let set = &mut self.settings;
        match flag {
            "-B" => set.value("-B", "BindInterface", text),
            "-b" => set.value("-b", "BindAddress", text),
            "-c" => set.overrule("-c", "Ciphers", text),
            "-D" => self.forward(ForwardKind::Dynamic, text)?,
            "-E" => self.log_file = Some(text.into()),
            "-e" => set.overrule("-e", "EscapeChar", escape_character(text)?),
            "-F" => self.config_file = Some(text.into()),
            "-I" => set.overrule("-I", "PKCS11Provider", text),
            "-i" => set.value("-i", "IdentityFile", text),
            "-J" => {
                check_stops(text)?;
                set.value("-J", "ProxyJump", text);
            }
            "-L" => self.forward(ForwardKind::Local, text)?,
            "-l" => {
                check_user(text)?;
                set.value("-l", "User", text);
            }
            "-m" => set.overrule("-m", "MACs", text),
            "-O" => self.action = Some(SshAction::Control(text.to_owned())),
            "-o" => set.line(text),
            "-P" => set.value("-P", "Tag", text),
            "-p" => {
                let port = parse_port(text).ok_or_else(|| format!("bad port '{}'", super::printable(text)))?;
                set.value("-p", "Port", port.to_string());
            }
            "-Q" => self.action = Some(SshAction::Query(text.to_owned())),
            "-R" => self.forward(ForwardKind::Remote, text)?,
            "-S" => set.overrule("-S", "ControlPath", text),
            "-W" if self.stdio_forward.is_some() => return Err("-W may be given once only".to_owned()),
            "-W" => {
                let to = Endpoint::parse_target(text);
                let to =
                    to.ok_or_else(|| format!("bad stdio forwarding specification '{}'", super::printable(text)))?;
                self.stdio_forward = Some(to);
                set.overrule("-W", "RequestTTY", "no");
                set.overrule("-W", "SessionType", "none");
            }
            "-w" => self.tunnel = Some(text.to_owned()),
            "--explain-html" => self.explain.html = Some(text.into()),
            _ => {}
        }
        Ok(())
    }

    fn session_type(&mut self, flag: &'static str, kind: &'static str) -> Result<(), String> {
        if self.settings.overruled("SessionType").is_some_and(|earlier| earlier != kind) {
            return Err("-N and -s cannot be used together".to_owned());
        }
        self.settings.overrule(flag, "SessionType", kind);
        Ok(())
    }

    fn forward(&mut self, kind: ForwardKind, spec: &str) -> Result<(), String> {
        if nacre_config::client::Forward::parse(spec, kind).is_none() {
            let kind = match kind {
                ForwardKind::Local => "local",
                ForwardKind::Remote => "remote",
                ForwardKind::Dynamic => "dynamic",
            };
            return Err(format!("bad {kind} forwarding specification '{}'", super::printable(spec)));
        }
        self.forwards.push(Forward { kind, spec: spec.to_owned() });
        Ok(())
    }

    fn finish(self, destination: Option<Destination>, command: Vec<OsString>) -> Result<SshArgs, String> {
        let action = match self.action {
            Some(action) => action,
            None if self.print_config => SshAction::PrintConfig { why: self.why },
            None => SshAction::Connect,
        };
        if action == SshAction::Connect
            && command.is_empty()
            && self.settings.overruled("SessionType") == Some("subsystem")
        {
            return Err("-s needs the name of a subsystem after the host".to_owned());
        }
        Ok(SshArgs {
            action,
            destination,
            command,
            settings: self.settings.finish(),
            config_file: self.config_file,
            log_file: self.log_file,
            forwards: self.forwards,
            stdio_forward: self.stdio_forward,
            tunnel: self.tunnel,
            to_syslog: self.to_syslog,
            explain: self.explain,
            chat: false,
        })
    }
}

/// Checks the argument of `-e`: one character, `^` and a letter, or `none`.
fn escape_character(text: &str) -> Result<&str, String> {
    let mut bytes = text.bytes();
    let good = text == "none"
        || match (bytes.next(), bytes.next(), bytes.next()) {
            (Some(_), None, None) => true,
            (Some(b'^'), Some(control), None) => (64..128).contains(&control),
            _ => false,
        };
    if good { Ok(text) } else { Err(format!("bad escape character '{}'", super::printable(text))) }
}
