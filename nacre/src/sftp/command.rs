//! What a line of sftp asks for.

use super::words::{self, plain};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// A line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `-` before the command: its failure does not end a batch.
    pub may_fail: bool,
    /// `@` before the command: it is not echoed.
    pub silent: bool,
    /// The command; none on an empty line, or what is wrong with it.
    pub command: Result<Option<Command>, String>,
    /// Words behind the last that the command takes; OpenSSH's sftp passes over them without a word.
    pub ignored: Vec<Vec<u8>>,
}

/// A command. Paths are bytes as typed, relative to the working folder of their side; patterns may hold wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `bye`, `exit`, `quit`.
    Quit,
    /// `cd`; no path is the folder the session began in.
    ChangeFolder(Option<Vec<u8>>),
    /// `chmod`, `chown`, `chgrp`.
    Change { what: Changed, to: u32, no_follow: bool, pattern: Vec<u8> },
    /// `copy`, `cp`: on the server's side.
    Copy { from: Vec<u8>, to: Vec<u8> },
    /// `df`.
    Space { human: bool, inodes: bool, path: Option<Vec<u8>> },
    /// `get`, `mget`, `reget`.
    Get(Transfer),
    /// `put`, `mput`, `reput`.
    Put(Transfer),
    /// `help`, `?`.
    Help,
    /// `lcd`; no path is the home folder.
    ChangeLocalFolder(Option<Vec<u8>>),
    /// `lls` with the words behind it, for the shell.
    LocalList(OsString),
    /// `lmkdir`.
    MakeLocalFolder(Vec<u8>),
    /// `ln`, `symlink`.
    Link { symbolic: bool, from: Vec<u8>, to: Vec<u8> },
    /// `lpwd`.
    LocalFolder,
    /// `ls`.
    List { how: Listing, pattern: Option<Vec<u8>> },
    /// `lumask`.
    LocalUmask(u32),
    /// `mkdir`.
    MakeFolder(Vec<u8>),
    /// `progress`.
    Progress,
    /// `pwd`.
    Folder,
    /// `rename`; `legacy` by the draft's own request, which replaces nothing.
    Rename { legacy: bool, from: Vec<u8>, to: Vec<u8> },
    /// `rm`.
    Remove(Vec<u8>),
    /// `rmdir`.
    RemoveFolder(Vec<u8>),
    /// `verify on|off`; none toggles nothing and tells.
    Verify(Option<bool>),
    /// `version`.
    Version,
    /// `!` with a command line for the shell; empty for a shell.
    Shell(OsString),
}

/// Which attribute of a file is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Its permissions.
    Mode,
    /// The user it belongs to.
    Owner,
    /// The group it belongs to.
    Group,
}

/// What is to be moved, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transfer {
    /// `-a`: go on with what was cut.
    pub resume: bool,
    /// `-f`: have it written to the disk.
    pub fsync: bool,
    /// `-p`: times and modes too.
    pub preserve: bool,
    /// `-R`: folders with all that is in them.
    pub recursive: bool,
    /// What.
    pub pattern: Vec<u8>,
    /// Where to.
    pub target: Option<Vec<u8>>,
}

/// How `ls` shows files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listing {
    /// `-1`.
    pub one_column: bool,
    /// `-a`.
    pub all: bool,
    /// `-h`.
    pub human: bool,
    /// `-l`.
    pub long: bool,
    /// `-n`.
    pub numeric: bool,
    /// `-r`.
    pub reverse: bool,
    /// `-f`, `-S`, `-t`.
    pub order: Order,
}

/// What `ls` sorts by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Names.
    #[default]
    Name,
    /// Largest first.
    Size,
    /// Newest first.
    Time,
    /// As the server has them.
    None,
}

/// Reads a line.
pub fn read(line: &[u8]) -> Line {
    let line = line.trim_ascii_start();
    let prefix = line.iter().take_while(|byte| matches!(byte, b'-' | b'@')).count();
    let (prefix, rest) = line.split_at_checked(prefix).unwrap_or((b"", line));
    let rest = rest.trim_ascii_start();
    let mut ignored = Vec::new();
    let command = command(rest, &mut ignored);
    Line { may_fail: prefix.contains(&b'-'), silent: prefix.contains(&b'@'), command, ignored }
}

fn command(line: &[u8], ignored: &mut Vec<Vec<u8>>) -> Result<Option<Command>, String> {
    if let Some(shell) = line.strip_prefix(b"!") {
        return Ok(Some(Command::Shell(OsString::from_vec(shell.trim_ascii().to_vec()))));
    }
    let mut words = words::split(line).map_err(|_| "Unterminated quoted argument".to_owned())?.into_iter();
    let Some(name) = words.next() else { return Ok(None) };
    let name = String::from_utf8_lossy(&name).to_ascii_lowercase();
    if name == "lls" {
        let rest = line.get(name.len()..).unwrap_or_default();
        return Ok(Some(Command::LocalList(OsString::from_vec(rest.trim_ascii().to_vec()))));
    }
    let mut arguments = Arguments { name: &name, words, flags: String::new() };
    let command = arguments.command()?;
    ignored.extend(arguments.words);
    Ok(Some(command))
}

struct Arguments<'a> {
    name: &'a str,
    words: std::vec::IntoIter<Vec<u8>>,
    /// The letters of its flags.
    flags: String,
}

/// The flags that a command takes; none for a word that is no command.
fn flags_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "ls" | "dir" => "1Safhlnrt",
        "get" | "mget" | "reget" | "put" | "mput" | "reput" => "afpPrR",
        "chmod" | "chown" | "chgrp" => "h",
        "df" => "hi",
        "ln" => "s",
        "rename" => "l",
        "bye" | "exit" | "quit" | "cd" | "chdir" | "lcd" | "lchdir" | "pwd" | "lpwd" | "progress" | "version"
        | "copy" | "cp" | "symlink" | "lumask" | "lmkdir" | "mkdir" | "rmdir" | "rm" | "verify" => "",
        _ => return None,
    })
}

impl Arguments<'_> {
    fn command(&mut self) -> Result<Command, String> {
        if matches!(self.name, "help" | "?") {
            // OpenSSH's takes any words and tells everything; so does this.
            self.words.by_ref().for_each(drop);
            return Ok(Command::Help);
        }
        let invalid = || "Invalid command.".to_owned();
        self.take_flags(flags_of(self.name).ok_or_else(invalid)?)?;
        Ok(match self.name {
            "bye" | "exit" | "quit" => Command::Quit,
            "cd" | "chdir" => Command::ChangeFolder(self.folder()),
            "lcd" | "lchdir" => Command::ChangeLocalFolder(self.folder()),
            "pwd" => Command::Folder,
            "lpwd" => Command::LocalFolder,
            "progress" => Command::Progress,
            "version" => Command::Version,
            "chmod" => self.change(Changed::Mode)?,
            "chown" => self.change(Changed::Owner)?,
            "chgrp" => self.change(Changed::Group)?,
            "copy" | "cp" => self.two().map(|(from, to)| Command::Copy { from, to })?,
            "rename" => self.two().map(|(from, to)| Command::Rename { legacy: self.has('l'), from, to })?,
            "symlink" => self.two().map(|(from, to)| Command::Link { symbolic: true, from, to })?,
            "ln" => self.two().map(|(from, to)| Command::Link { symbolic: self.has('s'), from, to })?,
            "get" | "mget" => Command::Get(self.transfer(false)?),
            "reget" => Command::Get(self.transfer(true)?),
            "put" | "mput" => Command::Put(self.transfer(false)?),
            "reput" => Command::Put(self.transfer(true)?),
            "df" => {
                let path = self.words.next().map(|word| plain(&word));
                Command::Space { human: self.has('h'), inodes: self.has('i'), path }
            }
            "ls" | "dir" => self.list()?,
            "lumask" => {
                Command::LocalUmask(self.number(8).filter(|mask| *mask <= 0o777).ok_or_else(|| self.no_number())?)
            }
            "lmkdir" => Command::MakeLocalFolder(plain(&self.path()?)),
            "mkdir" => Command::MakeFolder(plain(&self.path()?)),
            "rmdir" => Command::RemoveFolder(plain(&self.path()?)),
            "rm" => Command::Remove(self.path()?),
            "verify" => Command::Verify(self.on_or_off()?),
            _ => return Err(invalid()),
        })
    }

    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    /// Takes the letters before the first word that is no flag, each of them one of `known`.
    fn take_flags(&mut self, known: &str) -> Result<(), String> {
        while let Some(letters) = self.words.as_slice().first().and_then(|word| word.strip_prefix(b"-")) {
            if letters.is_empty() {
                break;
            }
            let text = String::from_utf8_lossy(letters).into_owned();
            self.words.next();
            if text == "-" {
                break;
            }
            if let Some(odd) = text.chars().find(|letter| !known.contains(*letter)) {
                let odd = nacre_wire::text::clean_line(odd.to_string().as_bytes(), 8);
                return Err(format!("{}: Invalid flag -{odd}", self.name));
            }
            self.flags.push_str(&text);
        }
        Ok(())
    }

    fn folder(&mut self) -> Option<Vec<u8>> {
        self.words.next().map(|word| plain(&word)).filter(|path| !path.is_empty())
    }

    fn path(&mut self) -> Result<Vec<u8>, String> {
        self.words.next().ok_or_else(|| format!("You must specify a path after a {} command.", self.name))
    }

    fn two(&mut self) -> Result<(Vec<u8>, Vec<u8>), String> {
        match (self.words.next(), self.words.next()) {
            (Some(from), Some(to)) => Ok((plain(&from), plain(&to))),
            _ => Err(format!("You must specify two paths after a {} command.", self.name)),
        }
    }

    fn transfer(&mut self, resume: bool) -> Result<Transfer, String> {
        let missing = || format!("You must specify at least one path after a {} command.", self.name);
        let pattern = self.words.next().ok_or_else(missing)?;
        Ok(Transfer {
            resume: resume || self.has('a'),
            fsync: self.has('f'),
            preserve: self.has('p') || self.has('P'),
            recursive: self.has('r') || self.has('R'),
            pattern,
            target: self.words.next().map(|word| plain(&word)),
        })
    }

    fn list(&mut self) -> Result<Command, String> {
        let mut how = Listing::default();
        for flag in self.flags.chars() {
            match flag {
                '1' => (how.one_column, how.long, how.numeric) = (true, false, false),
                'l' => (how.one_column, how.long) = (false, true),
                'n' => (how.one_column, how.long, how.numeric) = (false, true, true),
                'a' => how.all = true,
                'h' => how.human = true,
                'r' => how.reverse = true,
                'S' => how.order = Order::Size,
                't' => how.order = Order::Time,
                _ => how.order = Order::None,
            }
        }
        Ok(Command::List { how, pattern: self.words.next() })
    }

    fn change(&mut self, what: Changed) -> Result<Command, String> {
        let number = match what {
            Changed::Mode => self.number(8).filter(|mode| *mode <= 0o7777),
            Changed::Owner | Changed::Group => self.number(10),
        };
        let to = number.ok_or_else(|| self.no_number())?;
        Ok(Command::Change { what, to, no_follow: self.has('h'), pattern: self.path()? })
    }

    fn number(&mut self, base: u32) -> Option<u32> {
        let word = self.words.next()?;
        let text = std::str::from_utf8(&word).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        u32::from_str_radix(text, base).ok()
    }

    fn no_number(&self) -> String {
        format!("You must supply a numeric argument to the {} command.", self.name)
    }

    fn on_or_off(&mut self) -> Result<Option<bool>, String> {
        match self.words.next().as_deref() {
            None => Ok(None),
            Some(b"on") => Ok(Some(true)),
            Some(b"off") => Ok(Some(false)),
            Some(_) => Err("verify takes on or off.".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn one(line: &str) -> Command {
        let line = read(line.as_bytes());
        assert!(line.ignored.is_empty(), "{line:?}");
        line.command.unwrap().unwrap()
    }

    fn wrong(line: &str) -> String {
        read(line.as_bytes()).command.unwrap_err()
    }

    #[test]
    fn every_command_is_read() {
        let path = || b"a b".to_vec();
        let two = || (b"a".to_vec(), b"b".to_vec());
        assert_eq!(one("BYE"), Command::Quit);
        assert_eq!(one("cd 'a b'"), Command::ChangeFolder(Some(path())));
        assert_eq!(one("cd"), Command::ChangeFolder(None));
        assert_eq!(one("lcd \"\""), Command::ChangeLocalFolder(None));
        let change = |what, to, no_follow| Command::Change { what, to, no_follow, pattern: b"*.c".to_vec() };
        assert_eq!(one("chmod -h 0755 *.c"), change(Changed::Mode, 0o755, true));
        assert_eq!(one("chown 1000 *.c"), change(Changed::Owner, 1000, false));
        assert_eq!(one("chgrp 4294967295 *.c"), change(Changed::Group, u32::MAX, false));
        let (from, to) = two();
        assert_eq!(one("cp a b"), Command::Copy { from, to });
        let (from, to) = two();
        assert_eq!(one("rename a b"), Command::Rename { legacy: false, from, to });
        let (from, to) = two();
        assert_eq!(one("rename -l a b"), Command::Rename { legacy: true, from, to });
        let (from, to) = two();
        assert_eq!(one("ln -s a b"), Command::Link { symbolic: true, from, to });
        let (from, to) = two();
        assert_eq!(one("ln a b"), Command::Link { symbolic: false, from, to });
        assert_eq!(one("df -hi"), Command::Space { human: true, inodes: true, path: None });
        assert_eq!(one("rm \\*"), Command::Remove(b"\\*".to_vec()));
        assert_eq!(one("mkdir \\*"), Command::MakeFolder(b"*".to_vec()));
        assert_eq!(one("lumask 27"), Command::LocalUmask(0o27));
        assert_eq!(one("verify on"), Command::Verify(Some(true)));
        assert_eq!(one("lls -l  'x y' | wc"), Command::LocalList("-l  'x y' | wc".into()));
        assert_eq!(one("!echo it's"), Command::Shell("echo it's".into()));
        assert_eq!(one("!"), Command::Shell(OsString::new()));
    }

    #[test]
    fn flags_of_transfers_and_lists_are_read() {
        let Command::Get(get) = one("reget -fPr -p -- -a b") else { unreachable!() };
        assert!(get.resume && get.fsync && get.preserve && get.recursive);
        assert_eq!((get.pattern, get.target), (b"-a".to_vec(), Some(b"b".to_vec())));
        let Command::Put(put) = one("put -a *") else { unreachable!() };
        assert!(put.resume && !put.recursive && put.target.is_none());
        let Command::List { how, pattern } = one("ls -lahrS x*") else { unreachable!() };
        let expected = Listing { all: true, human: true, long: true, reverse: true, order: Order::Size, ..how };
        assert_eq!((how, pattern), (expected, Some(b"x*".to_vec())));
        let Command::List { how, .. } = one("ls -ln1") else { unreachable!() };
        assert!(how.one_column && !how.long);
    }

    #[test]
    fn prefixes_may_stand_in_any_order() {
        for (line, may_fail, silent) in
            [("-rm x", true, false), (" @ pwd", false, true), ("-@pwd", true, true), ("@-pwd", true, true)]
        {
            let read = read(line.as_bytes());
            assert_eq!((read.may_fail, read.silent), (may_fail, silent), "{line}");
            assert!(read.command.unwrap().is_some());
        }
        for empty in ["", "  ", "# rm x", "-", "@ # x"] {
            assert_eq!(read(empty.as_bytes()).command, Ok(None), "{empty}");
        }
    }

    #[test]
    fn mistakes_are_told_in_openssh_s_words() {
        for (line, words) in [
            ("foo", "Invalid command."),
            ("get", "You must specify at least one path after a get command."),
            ("rm", "You must specify a path after a rm command."),
            ("cp a", "You must specify two paths after a cp command."),
            ("chmod x a", "You must supply a numeric argument to the chmod command."),
            ("chmod 8 a", "You must supply a numeric argument to the chmod command."),
            ("chmod +7 a", "You must supply a numeric argument to the chmod command."),
            ("chown -1 a", "chown: Invalid flag -1"),
            ("rename -s a b", "rename: Invalid flag -s"),
            ("rm -f x", "rm: Invalid flag -f"),
            ("mkdir -p x", "mkdir: Invalid flag -p"),
            ("lmkdir -p x", "lmkdir: Invalid flag -p"),
            ("cd -P x", "cd: Invalid flag -P"),
            ("cp -l a b", "cp: Invalid flag -l"),
            ("nonsense -x", "Invalid command."),
            ("mkdir --", "You must specify a path after a mkdir command."),
            ("chmod 644", "You must specify a path after a chmod command."),
            ("lumask 1000", "You must supply a numeric argument to the lumask command."),
            ("ls -z", "ls: Invalid flag -z"),
            ("ls 'a", "Unterminated quoted argument"),
            ("verify maybe", "verify takes on or off."),
        ] {
            assert_eq!(wrong(line), words, "{line}");
        }
        assert_eq!(read(b"rm a b c").ignored, [b"b", b"c"]);
    }
}
