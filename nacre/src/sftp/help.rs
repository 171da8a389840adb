//! The commands of a session, for people and for completion.

/// What a command's words stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing that could be completed.
    Nothing,
    /// Names there.
    Remote,
    /// Names here.
    Local,
    /// First names there, then names here.
    RemoteLocal,
    /// First names here, then names there.
    LocalRemote,
}

/// Name, the words behind it, what it does, and what its words stand for.
type Row = (&'static str, &'static str, &'static str, Takes);

/// All commands but the two that begin with a mark.
pub(super) const COMMANDS: &[Row] = &[
    ("bye", "", "Quit sftp", Takes::Nothing),
    ("cd", "path", "Change remote directory to 'path'", Takes::Remote),
    ("chgrp", "[-h] grp path", "Change group of file 'path' to 'grp'", Takes::Remote),
    ("chmod", "[-h] mode path", "Change permissions of file 'path' to 'mode'", Takes::Remote),
    ("chown", "[-h] own path", "Change owner of file 'path' to 'own'", Takes::Remote),
    ("copy", "oldpath newpath", "Copy remote file", Takes::Remote),
    ("cp", "oldpath newpath", "Copy remote file", Takes::Remote),
    ("df", "[-hi] [path]", "Display statistics for current directory or filesystem containing 'path'", Takes::Remote),
    ("exit", "", "Quit sftp", Takes::Nothing),
    ("get", "[-afpR] remote [local]", "Download file", Takes::RemoteLocal),
    ("help", "", "Display this help text", Takes::Nothing),
    ("lcd", "path", "Change local directory to 'path'", Takes::Local),
    ("lls", "[ls-options [path]]", "Display local directory listing", Takes::Local),
    ("lmkdir", "path", "Create local directory", Takes::Local),
    ("ln", "[-s] oldpath newpath", "Link remote file (-s for symlink)", Takes::Remote),
    ("lpwd", "", "Print local working directory", Takes::Nothing),
    ("ls", "[-1afhlnrSt] [path]", "Display remote directory listing", Takes::Remote),
    ("lumask", "umask", "Set local umask to 'umask'", Takes::Nothing),
    ("mget", "[-afpR] remote [local]", "Download files", Takes::RemoteLocal),
    ("mkdir", "path", "Create remote directory", Takes::Remote),
    ("mput", "[-afpR] local [remote]", "Upload files", Takes::LocalRemote),
    ("progress", "", "Toggle display of progress meter", Takes::Nothing),
    ("put", "[-afpR] local [remote]", "Upload file", Takes::LocalRemote),
    ("pwd", "", "Display remote working directory", Takes::Nothing),
    ("quit", "", "Quit sftp", Takes::Nothing),
    ("reget", "[-fpR] remote [local]", "Resume download file", Takes::RemoteLocal),
    ("rename", "[-l] oldpath newpath", "Rename remote file (-l never replaces one)", Takes::Remote),
    ("reput", "[-fpR] local [remote]", "Resume upload file", Takes::LocalRemote),
    ("rm", "path", "Delete remote file", Takes::Remote),
    ("rmdir", "path", "Remove remote directory", Takes::Remote),
    ("symlink", "oldpath newpath", "Symlink remote file", Takes::Remote),
    ("verify", "[on|off]", "Compare both ends of each transfer by hash", Takes::Nothing),
    ("version", "", "Show SFTP version", Takes::Nothing),
];

const MARKS: [(&str, &str); 3] =
    [("!command", "Execute 'command' in local shell"), ("!", "Escape to local shell"), ("?", "Synonym for help")];

const ENDING: &str = "
A path may hold * ? [a-z]; a backslash or quotes make them plain.
Flags of get and put: -a go on with a transfer that was cut, -f write to the
disk at once, -p keep times and modes, -R (or -r) directories with all in them.
A file appears under its name when it is complete. Until then it is
.NAME.nacre-part beside it: reget, reput and -a go on with that, after checking
that it matches. In a batch, - before a command lets it fail, @ hides it.
";

/// Columns of what is typed, and of the whole.
const TYPED: usize = 35;
const WIDTH: usize = 80;

/// The text of `help`.
pub(super) fn text() -> String {
    let mut out = "Available commands:\n".to_owned();
    let rows = COMMANDS.iter().map(|(name, words, what, _)| (format!("{name} {words}"), *what));
    for (typed, what) in rows.chain(MARKS.map(|(typed, what)| (typed.to_owned(), what))) {
        let mut lead = format!("{:<TYPED$}", typed.trim_end());
        let mut room = WIDTH - TYPED;
        for word in what.split(' ') {
            if word.len() + 1 > room {
                out.push_str(lead.trim_end());
                out.push('\n');
                (lead, room) = (" ".repeat(TYPED), WIDTH - TYPED);
            }
            lead.push_str(word);
            lead.push(' ');
            room = room.saturating_sub(word.len() + 1);
        }
        out.push_str(lead.trim_end());
        out.push('\n');
    }
    out.push_str(ENDING);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sftp::command;

    #[test]
    fn every_row_is_a_command_and_fits() {
        for (name, words, ..) in COMMANDS {
            let complaint = command::read(name.as_bytes()).command.err().unwrap_or_default();
            assert_ne!(complaint, "Invalid command.", "{name} {words}");
        }
        let text = text();
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.contains("\ndf [-hi] [path]                    Display statistics for current directory or\n"));
        assert!(text.contains("\n?                                  Synonym for help\n"));
    }
}
