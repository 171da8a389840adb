//! The programs of OpenSSH that a run of its tests can exchange for ours.

use std::path::{Path, PathBuf};

/// One program that the tests call by the value of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its name in tables and after `--swap`.
    pub name: &'static str,
    /// The variable that names its file to `test-exec.sh`.
    pub variable: &'static str,
    /// OpenSSH's own, where Debian puts it.
    theirs: &'static str,
    /// The name that our program answers to.
    link: &'static str,
    /// Words in a test's script that say that it calls the program; none if every test does.
    words: &'static [&'static str],
}

const fn program(
    name: &'static str,
    variable: &'static str,
    theirs: &'static str,
    link: &'static str,
    words: &'static [&'static str],
) -> Program {
    Program { name, variable, theirs, link, words }
}

/// All of them, in the order of the table's columns.
pub const PROGRAMS: &[Program] = &[
    program("ssh", "TEST_SSH_SSH", "/usr/bin/ssh", "ssh", &[]),
    program("sshd", "TEST_SSH_SSHD", "/usr/sbin/sshd", "sshd", &[]),
    program("scp", "TEST_SSH_SCP", "/usr/bin/scp", "scp", &["SCP"]),
    program("sftp", "TEST_SSH_SFTP", "/usr/bin/sftp", "sftp", &["SFTP"]),
    program("sftp-server", "TEST_SSH_SFTPSERVER", "/usr/lib/openssh/sftp-server", "sftp-server", &["SFTP", "SCP"]),
    program("keygen", "TEST_SSH_SSHKEYGEN", "/usr/bin/ssh-keygen", "ssh-keygen", &[]),
    program("agent", "TEST_SSH_SSHAGENT", "/usr/bin/ssh-agent", "ssh-agent", &["SSHAGENT"]),
    program("add", "TEST_SSH_SSHADD", "/usr/bin/ssh-add", "ssh-add", &["SSHADD"]),
    program("keyscan", "TEST_SSH_SSHKEYSCAN", "/usr/bin/ssh-keyscan", "ssh-keyscan", &["SSHKEYSCAN"]),
];

impl Program {
    /// Where the program is: ours in the folder of links, if it answers to the name, or OpenSSH's.
    pub fn file(&self, ours: Option<&Path>) -> PathBuf {
        match ours.map(|links| links.join(self.link)) {
            Some(link) if link.exists() => link,
            _ => PathBuf::from(self.theirs),
        }
    }

    /// Whether the test with this script has to do with the program.
    fn concerns(&self, script: &str) -> bool {
        self.words.is_empty()
            || self
                .words
                .iter()
                .any(|word| script.contains(&format!("{{{word}}}")) || script.contains(&format!("${word}")))
    }
}

/// A column of the table: which programs are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name: a program's, or `all`.
    pub name: &'static str,
    /// The programs that are ours; none for the baseline.
    pub ours: Vec<&'static Program>,
}

impl Column {
    /// OpenSSH's programs alone.
    pub fn baseline() -> Self {
        Self { name: "openssh", ours: Vec::new() }
    }

    /// Those that a person names, or every one.
    pub fn chosen(names: &[String]) -> Result<Vec<Self>, String> {
        let each = PROGRAMS.iter().map(|program| Self { name: program.name, ours: vec![program] });
        let all = Self { name: "all", ours: PROGRAMS.iter().collect() };
        let known: Vec<Self> = each.chain([all]).collect();
        if let Some(name) = names.iter().find(|name| known.iter().all(|column| column.name != **name)) {
            let names: Vec<&str> = known.iter().map(|column| column.name).collect();
            return Err(format!("--swap {name}: there are {}", names.join(", ")));
        }
        Ok(known
            .into_iter()
            .filter(|column| names.is_empty() || names.iter().any(|name| name == column.name))
            .collect())
    }

    /// Whether our program of this name is among them.
    pub fn has(&self, name: &str) -> bool {
        self.ours.iter().any(|program| program.name == name)
    }

    /// Whether programs of both makes run.
    pub fn is_mixed(&self) -> bool {
        !self.ours.is_empty() && self.ours.len() < PROGRAMS.len()
    }

    /// Whether exchanging these programs changes anything for the test with this script.
    pub fn concerns(&self, script: &str) -> bool {
        self.ours.iter().any(|program| program.concerns(script))
    }

    /// The variables that tell `test-exec.sh` of every program.
    pub fn variables(&self, links: &Path) -> Vec<(&'static str, PathBuf)> {
        let file = |program: &Program| program.file(self.ours.contains(&program).then_some(links));
        PROGRAMS.iter().map(|program| (program.variable, file(program))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let columns = Column::chosen(&["sshd".to_owned(), "all".to_owned()]).unwrap();
        assert_eq!(columns.iter().map(|column| column.name).collect::<Vec<_>>(), ["sshd", "all"]);
        assert_eq!(Column::chosen(&[]).unwrap().len(), PROGRAMS.len() + 1);
        assert!(Column::chosen(&["telnet".to_owned()]).unwrap_err().contains("keyscan, all"));
    }

    #[test]
    fn a_test_concerns_the_programs_it_calls() {
        let [keyscan, sshd] = ["keyscan", "sshd"].map(|name| Column::chosen(&[name.to_owned()]).unwrap().remove(0));
        assert!(keyscan.concerns("${SSHKEYSCAN} -t x") && keyscan.concerns("$SSHKEYSCAN"));
        assert!(!keyscan.concerns("${SSHKEYGEN}"));
        assert!(sshd.concerns(""));
        assert!(!Column::baseline().concerns("${SSH}"));
    }
}
