//! Reading the client's configuration: command line first, then the user's file, then the machine's; the first value
//! wins. `Match final`, `Match canonical` and CanonicalizeHostname read the files a second time.

use std::sync::Arc;

use super::canonical::Canonicalize;
use super::{ClientOptions, Keyword, matching, names, options};
use crate::algorithms::AlgorithmSets;
use crate::error::{ConfigError, ErrorKind, Errors};
use crate::expand::{self, Tokens};
use crate::kind::{self, Keyword as _, Value};
use crate::origin::Origin;
use crate::pattern::{self, ListMatch};
use crate::settings::Settings;
use crate::token::{self, Line};
use crate::world::{Check, World, WorldError};

/// How deep files may include each other.
const MAX_DEPTH: u32 = 16;

/// A configuration file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Its path.
    pub path: String,
    /// Relative `Include` paths start here: `~/.ssh` for the user's file, `/etc/ssh` for the machine's.
    pub include_base: String,
    /// How carefully its owner and mode are looked at.
    pub check: Check,
    /// A missing file is an error (`-F`); otherwise it is as good as empty.
    pub required: bool,
}

/// What the client was called with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The host as typed, without user and port.
    pub host: String,
    /// Options from `-o` and from flags (through [`option_line`]), in the order given: they come first.
    pub options: Vec<String>,
    /// Options as in `options` that count where nothing else sets them: what a flag suggests (`-W`).
    pub fallbacks: Vec<String>,
    /// The command to run, as one text; empty for a shell.
    pub command: String,
    /// The files, in order.
    pub files: Vec<ConfigFile>,
    /// What `Match version` is compared with (`OpenSSH_10.5`).
    pub version: String,
}

/// An `-o` text that sets a keyword to a value whatever characters the value holds; for turning flags into options.
/// Keywords that take a command (RemoteCommand, ProxyCommand) take it as it is.
pub fn option_line(keyword: Keyword, value: &str) -> String {
    if matches!(keyword.row().kind, kind::Kind::Rest) {
        return format!("{} {value}", keyword.name());
    }
    format!("{} \"{}\"", keyword.name(), value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Reads everything and works out what holds for this host.
///
/// # Errors
/// Every bad line of the first reading; or what is asked for and would be wrong to skip.
pub fn resolve(world: &dyn World, sets: &AlgorithmSets, invocation: &Invocation) -> Result<ClientOptions, Errors> {
    let mut parser = Parser::new(world, sets, invocation);
    names::check_host(&invocation.host)?;
    parser.command_line(&invocation.options);
    parser.files();
    parser.check()?;
    let mut host = parser.host_name()?;
    // A name is compared in lower case from here on; an address is left as it is.
    if host.parse::<std::net::IpAddr>().is_err() {
        host.make_ascii_lowercase();
    }
    let canonical = Canonicalize { settings: &parser.settings, world }.name(&host)?;
    host = canonical.unwrap_or(host);
    if parser.want_final || parser.settings.text(Keyword::CanonicalizeHostname) != "false" {
        parser.final_pass = true;
        parser.host = host.clone();
        parser.final_host = Some(host.clone());
        parser.files();
        parser.check()?;
    }
    parser.command_line(&invocation.fallbacks);
    let (errors, warnings) = parser.settings.not_done_yet();
    parser.errors.extend(errors);
    parser.check()?;
    options::Builder { world, sets, invocation, settings: parser.settings, host, warnings }.build()
}

/// The state of one reading.
pub(super) struct Parser<'a> {
    pub world: &'a dyn World,
    sets: &'a AlgorithmSets,
    pub invocation: &'a Invocation,
    pub settings: Settings<Keyword>,
    errors: Vec<ConfigError>,
    /// The name that `Host` is compared with.
    pub host: String,
    /// Set in the second reading: the name to connect to.
    pub final_host: Option<String>,
    pub final_pass: bool,
    pub want_final: bool,
}

/// Where a line stands.
struct Scope<'f> {
    file: &'f ConfigFile,
    depth: u32,
    /// Inside a block that does not match: nothing in an included file can match either.
    never: bool,
}

impl<'a> Parser<'a> {
    fn new(world: &'a dyn World, sets: &'a AlgorithmSets, invocation: &'a Invocation) -> Self {
        Self {
            world,
            sets,
            invocation,
            settings: Settings::default(),
            errors: Vec::new(),
            host: invocation.host.clone(),
            final_host: None,
            final_pass: false,
            want_final: false,
        }
    }

    fn check(&mut self) -> Result<(), Errors> {
        if self.errors.is_empty() { Ok(()) } else { Err(Errors(std::mem::take(&mut self.errors))) }
    }

    fn command_line(&mut self, options: &[String]) {
        for text in options {
            let mut active = true;
            let file =
                ConfigFile { path: String::new(), include_base: String::new(), check: Check::None, required: true };
            let scope = Scope { file: &file, depth: 0, never: false };
            self.line(text.as_bytes(), &Origin::CommandLine, &mut active, &scope);
        }
    }

    fn files(&mut self) {
        let invocation = self.invocation;
        for file in &invocation.files {
            let mut active = true;
            let scope = Scope { file, depth: 0, never: false };
            self.file(&scope, &mut active, &Origin::CommandLine);
        }
    }

    /// Reads one file. `from` is the line that asked for it.
    fn file(&mut self, scope: &Scope<'_>, active: &mut bool, from: &Origin) {
        // One chain that is too deep is enough: a file that includes itself twice has 2^16 of them.
        if self.errors.iter().any(|error| error.kind == ErrorKind::TooDeep) {
            return;
        }
        if scope.depth > MAX_DEPTH {
            self.errors.push(ConfigError::new(from, ErrorKind::TooDeep));
            return;
        }
        let content = match self.world.read(&scope.file.path, scope.file.check) {
            Ok(content) => content,
            Err(WorldError::NotFound) if !scope.file.required => return,
            Err(error) => {
                let kind = ErrorKind::Unreadable { path: scope.file.path.clone(), reason: error.to_string() };
                self.errors.push(ConfigError::new(from, kind));
                return;
            }
        };
        let name: Arc<str> = Arc::from(scope.file.path.as_str());
        for (line, number) in content.split(|b| *b == b'\n').zip(1..) {
            let origin = Origin::File { file: Arc::clone(&name), line: number };
            self.line(line, &origin, active, scope);
        }
    }

    fn line(&mut self, bytes: &[u8], origin: &Origin, active: &mut bool, scope: &Scope<'_>) {
        if let Err(kind) = self.try_line(bytes, origin, active, scope) {
            self.errors.push(ConfigError::new(origin, kind));
        }
    }

    fn try_line(
        &mut self,
        bytes: &[u8],
        origin: &Origin,
        active: &mut bool,
        scope: &Scope<'_>,
    ) -> Result<(), ErrorKind> {
        let line = match token::line(bytes) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(ErrorKind::MissingArgument { keyword }) if self.keyword(&keyword)?.is_none() => return Ok(()),
            Err(kind) => return Err(kind),
        };
        let Some(keyword) = self.keyword(&line.keyword)? else { return Ok(()) };
        match keyword {
            Keyword::Host => *active = self.host_matches(&line)? && !scope.never,
            Keyword::Match => *active = matching::matches(self, &line, scope.never)? && !scope.never,
            Keyword::Include => self.include(&line, origin, *active, scope)?,
            _ => {
                let value = kind::read(keyword.name(), keyword.row(), &line, self.sets)?;
                if *active {
                    self.set(keyword, value, origin);
                }
            }
        }
        Ok(())
    }

    /// The keyword with this name; `None` when it is unknown and IgnoreUnknown covers it.
    fn keyword(&self, word: &str) -> Result<Option<Keyword>, ErrorKind> {
        if let Some(keyword) = Keyword::find(word) {
            return Ok(Some(keyword));
        }
        let ignored = self.settings.text(Keyword::IgnoreUnknown);
        if pattern::matches_list(&word.to_ascii_lowercase(), &ignored, true) == ListMatch::Yes {
            return Ok(None);
        }
        Err(ErrorKind::UnknownKeyword { word: word.to_ascii_lowercase(), nearest: Keyword::nearest(word) })
    }

    fn set(&mut self, keyword: Keyword, value: Value, origin: &Origin) {
        match keyword {
            // The first of the two wins, whichever it is.
            Keyword::ProxyCommand if self.settings.is_set(Keyword::ProxyJump) => return,
            Keyword::ProxyJump if self.settings.is_set(Keyword::ProxyCommand) => return,
            _ => {}
        }
        if !self.settings.all(keyword).iter().any(|setting| setting.value == value) {
            self.settings.add(keyword, value, origin);
        }
    }

    fn host_matches(&self, line: &Line) -> Result<bool, ErrorKind> {
        let mut found = false;
        for word in &line.words {
            let (negated, pattern) = word.strip_prefix('!').map_or((false, word.as_str()), |p| (true, p));
            if pattern.is_empty() {
                let allowed = "patterns that are not empty".to_owned();
                return Err(ErrorKind::BadValue { keyword: "Host".to_owned(), value: line.rest.clone(), allowed });
            }
            if pattern::matches(&self.host, pattern) {
                if negated {
                    return Ok(false);
                }
                found = true;
            }
        }
        Ok(found)
    }

    fn include(&mut self, line: &Line, origin: &Origin, active: bool, scope: &Scope<'_>) -> Result<(), ErrorKind> {
        for word in &line.words {
            let bad = |reason| ErrorKind::BadExpansion { keyword: "Include", reason };
            let tokens = matching::tokens(self).map_err(bad)?;
            let path = expand::expand(word, &tokens, Some(self.world)).map_err(bad)?;
            let path = expand::tilde(&path, self.world).map_err(bad)?;
            let absolute = path.starts_with('/') || scope.file.include_base.is_empty();
            let pattern = if absolute { path } else { format!("{}/{path}", scope.file.include_base) };
            for path in self.world.glob(&pattern) {
                let file = ConfigFile { path, required: true, ..scope.file.clone() };
                let inner = Scope { file: &file, depth: scope.depth + 1, never: scope.never || !active };
                // A block that an included file opens ends with it.
                self.file(&inner, &mut active.clone(), origin);
            }
        }
        Ok(())
    }

    /// The name to connect to: HostName filled in, or the host as typed.
    pub fn host_name(&self) -> Result<String, ConfigError> {
        if let Some(host) = &self.final_host {
            return Ok(host.clone());
        }
        let Some(setting) = self.settings.first(Keyword::HostName) else { return Ok(self.host.clone()) };
        expand::expand(&setting.value.text(), &Tokens::new().with('h', self.host.as_str()), None).map_err(|reason| {
            ConfigError::new(&setting.origin, ErrorKind::BadExpansion { keyword: "HostName", reason })
        })
    }
}
