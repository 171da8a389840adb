//! Reading `sshd_config`: the global section and the blocks below `Match`, once; `-o` options come first.

use std::sync::Arc;

use super::matching::{self, Criterion};
use super::{Keyword, ServerOptions};
use crate::algorithms::AlgorithmSets;
use crate::error::{ConfigError, ErrorKind, Errors};
use crate::kind::{self, Keyword as _};
use crate::origin::Origin;
use crate::settings::Settings;
use crate::token;
use crate::world::{Check, World, WorldError};

/// How deep files may include each other.
const MAX_DEPTH: u32 = 16;

/// The configuration file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Its path.
    pub path: String,
    /// Relative `Include` paths start here (`/etc/ssh`).
    pub include_base: String,
    /// A missing file is an error; otherwise it is as good as empty.
    pub required: bool,
}

/// What the server was called with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The file, if there is one.
    pub file: Option<ConfigFile>,
    /// `-o` options and flags as lines, in the order given.
    pub options: Vec<String>,
    /// What `Match version` is compared with (`OpenSSH_10.5`).
    pub version: String,
}

/// The lines of one place in the file: below the same `Match`, in the same file.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    /// All must hold: the block's own `Match`, and those around the `Include` that led here.
    pub criteria: Vec<Criterion>,
    pub settings: Settings<Keyword>,
}

impl Block {
    fn is_unconditional(&self) -> bool {
        self.criteria.iter().all(|criterion| *criterion == Criterion::All)
    }
}

/// What the reading found.
#[derive(Debug, Clone, Default)]
pub(super) struct Parsed {
    pub global: Settings<Keyword>,
    pub blocks: Vec<Block>,
}

/// Reads the configuration.
///
/// # Errors
/// Every bad line; or what is asked for and would be wrong to skip.
pub fn parse(world: &dyn World, sets: &AlgorithmSets, invocation: &Invocation) -> Result<ServerOptions, Errors> {
    let mut parser = Parser { world, sets, parsed: Parsed::default(), errors: Vec::new() };
    for text in &invocation.options {
        let mut at = None;
        let scope = Scope { include_base: "/etc/ssh", depth: 0, outer: &[] };
        parser.line(text.as_bytes(), &Origin::CommandLine, &mut at, &scope);
    }
    if let Some(file) = &invocation.file {
        let scope = Scope { include_base: &file.include_base, depth: 0, outer: &[] };
        parser.file(&file.path, file.required, &mut None, &scope, &Origin::CommandLine);
    }
    let Parser { parsed, mut errors, .. } = parser;
    errors.extend(super::keys_command::check(&parsed));
    let mut warnings = Vec::new();
    for settings in std::iter::once(&parsed.global).chain(parsed.blocks.iter().map(|block| &block.settings)) {
        let (more_errors, more_warnings) = settings.not_done_yet();
        errors.extend(more_errors.into_iter().filter(|error| !errors.contains(error)).collect::<Vec<_>>());
        warnings.extend(more_warnings.into_iter().filter(|w| !warnings.contains(w)).collect::<Vec<_>>());
    }
    if !errors.is_empty() {
        return Err(Errors(errors));
    }
    Ok(ServerOptions::new(parsed, sets.clone(), invocation.version.clone(), warnings))
}

struct Parser<'a> {
    world: &'a dyn World,
    sets: &'a AlgorithmSets,
    parsed: Parsed,
    errors: Vec<ConfigError>,
}

/// Where a line stands.
struct Scope<'s> {
    include_base: &'s str,
    depth: u32,
    /// The conditions around the `Include` that led to this file.
    outer: &'s [Criterion],
}

impl Parser<'_> {
    /// Reads a file. `at` is the index of the block that is open, or none in the global section.
    fn file(&mut self, path: &str, required: bool, at: &mut Option<usize>, scope: &Scope<'_>, from: &Origin) {
        // One chain that is too deep is enough: a file that includes itself twice has 2^16 of them.
        if self.errors.iter().any(|error| error.kind == ErrorKind::TooDeep) {
            return;
        }
        if scope.depth > MAX_DEPTH {
            self.errors.push(ConfigError::new(from, ErrorKind::TooDeep));
            return;
        }
        let content = match self.world.read(path, Check::None) {
            Ok(content) => content,
            Err(WorldError::NotFound) if !required => return,
            Err(error) => {
                let kind = ErrorKind::Unreadable { path: path.to_owned(), reason: error.to_string() };
                self.errors.push(ConfigError::new(from, kind));
                return;
            }
        };
        let name: Arc<str> = Arc::from(path);
        for (line, number) in content.split(|b| *b == b'\n').zip(1..) {
            let origin = Origin::File { file: Arc::clone(&name), line: number };
            self.line(line, &origin, at, scope);
        }
    }

    fn line(&mut self, bytes: &[u8], origin: &Origin, at: &mut Option<usize>, scope: &Scope<'_>) {
        if let Err(kind) = self.try_line(bytes, origin, at, scope) {
            self.errors.push(ConfigError::new(origin, kind));
        }
    }

    fn try_line(
        &mut self,
        bytes: &[u8],
        origin: &Origin,
        at: &mut Option<usize>,
        scope: &Scope<'_>,
    ) -> Result<(), ErrorKind> {
        let unknown = |word: &str| ErrorKind::UnknownKeyword { word: word.to_owned(), nearest: Keyword::nearest(word) };
        let line = match token::line(bytes) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(ErrorKind::MissingArgument { keyword }) if Keyword::find(&keyword).is_none() => {
                return Err(unknown(&keyword));
            }
            Err(kind) => return Err(kind),
        };
        let keyword = Keyword::find(&line.keyword).ok_or_else(|| unknown(&line.keyword))?;
        match keyword {
            Keyword::Match => {
                let criteria = [scope.outer, &matching::parse(&line)?].concat();
                *at = Some(self.parsed.blocks.len());
                self.parsed.blocks.push(Block { criteria, settings: Settings::default() });
                Ok(())
            }
            Keyword::Include => {
                self.include(&line, origin, *at, scope);
                // What follows comes after the included blocks, so it goes on in a block of its own.
                if let Some(block) = at.and_then(|index| self.parsed.blocks.get(index)) {
                    let criteria = block.criteria.clone();
                    *at = Some(self.parsed.blocks.len());
                    self.parsed.blocks.push(Block { criteria, settings: Settings::default() });
                }
                Ok(())
            }
            _ => {
                let value = kind::read(keyword.name(), keyword.row(), &line, self.sets)?;
                self.set(keyword, value, origin, *at)
            }
        }
    }

    fn set(
        &mut self,
        keyword: Keyword,
        value: kind::Value,
        origin: &Origin,
        at: Option<usize>,
    ) -> Result<(), ErrorKind> {
        let block = at.and_then(|index| self.parsed.blocks.get_mut(index));
        // `Match all` is how people end a block: what follows is as good as global.
        let global = block.as_ref().is_none_or(|block| block.is_unconditional());
        if !global && !keyword.row().in_match {
            return Err(ErrorKind::NotInMatch { keyword: keyword.name() });
        }
        if let Some(block) = block.filter(|_| keyword.row().in_match) {
            block.settings.add(keyword, value.clone(), origin);
        }
        if global {
            self.parsed.global.add(keyword, value, origin);
        }
        Ok(())
    }

    fn include(&mut self, line: &token::Line, origin: &Origin, at: Option<usize>, scope: &Scope<'_>) {
        let around = at.and_then(|index| self.parsed.blocks.get(index)).map(|block| block.criteria.clone());
        let outer = around.unwrap_or_default();
        for word in &line.words {
            let pattern = if word.starts_with('/') { word.clone() } else { format!("{}/{word}", scope.include_base) };
            for path in self.world.glob(&pattern) {
                let inner = Scope { include_base: scope.include_base, depth: scope.depth + 1, outer: &outer };
                // A block that an included file opens ends with it.
                self.file(&path, true, &mut at.clone(), &inner, origin);
            }
        }
    }
}
