//! The tests of Debian's package `openssh-tests`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the package puts them.
pub const FOLDER: &str = "/usr/lib/openssh/regress";

/// A small choice that tells much: every program, most features, in minutes.
const QUICK: &[&str] = &[
    "connect",
    "proxy-connect",
    "connect-privsep",
    "proto-version",
    "exit-status-signal",
    "envpass",
    "transfer",
    "banner",
    "stderr-data",
    "yes-head",
    "key-options",
    "scp-uri",
    "sftp-cmds",
    "sftp-glob",
    "reexec",
    "brokenkeys",
    "sshcfgparse",
    "cfgparse",
    "cfgmatch",
    "addrmatch",
    "forcecommand",
    "portnum",
    "keys-command",
    "multipubkey",
    "servcfginclude",
    "allow-deny-users",
    "authinfo",
    "knownhosts",
    "keygen-change",
    "principals-command",
];

/// One test: a script, or a target of the Makefile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub script: String,
    /// Whether the Makefile's own lines are the test (`t1` and on).
    pub in_makefile: bool,
}

/// The tests, in the package's order; `only` names some, `quick` takes the small choice.
pub fn tests(only: &[String], quick: bool) -> Result<Vec<Test>, String> {
    let makefile = Path::new(FOLDER).join("Makefile");
    let text = fs::read_to_string(&makefile).map_err(|error| format!("{}: {error}", makefile.display()))?;
    let mut tests = Vec::new();
    for name in names(&text, "REGRESS_TARGETS") {
        // They try `ssh-keygen` and say so by its variable.
        tests.push(Test { name, script: String::new(), in_makefile: true });
    }
    for name in ["LTESTS", "INTEROP_TESTS", "EXTRA_TESTS"].iter().flat_map(|list| names(&text, list)) {
        let file = script(&name);
        let script = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        tests.push(Test { name, script, in_makefile: false });
    }
    if let Some(name) = only.iter().find(|name| tests.iter().all(|test| test.name != **name)) {
        return Err(format!("--only {name}: {FOLDER} has no such test"));
    }
    tests.retain(|test| only.is_empty() || only.contains(&test.name));
    tests.retain(|test| !quick || QUICK.contains(&test.name.as_str()));
    Ok(tests)
}

/// A test's script.
pub fn script(name: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{name}.sh"))
}

/// The words of the Makefile's list `list`, which goes on over lines that end with a backslash.
fn names(makefile: &str, list: &str) -> Vec<String> {
    let joined = makefile.replace("\\\n", " ");
    let line = joined.lines().find_map(|line| line.strip_prefix(list)?.trim_start().strip_prefix('='));
    line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// A scratch folder's own copy: the tests write beside their scripts.
pub fn copy_to(folder: &Path) -> Result<(), String> {
    let entries = fs::read_dir(FOLDER).map_err(|error| format!("{FOLDER}: {error}"))?;
    // The unit tests are large, and none of the scripts needs them.
    let files = entries.flatten().map(|entry| entry.path()).filter(|path| !path.ends_with("unittests"));
    let status = Command::new("cp").arg("-a").args(files).arg(folder).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cp of {FOLDER} to {}: {status}", folder.display())),
        Err(error) => Err(format!("cp could not be started: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_go_on_over_lines() {
        let makefile = "X=\nLTESTS= \tconnect \\\n\t\tproxy-connect \\\n\t\tbanner\n\nINTEROP_TESTS=\tputty-kex\n#EXTRA_TESTS=\tno\n";
        assert_eq!(names(makefile, "LTESTS"), ["connect", "proxy-connect", "banner"]);
        assert_eq!(names(makefile, "INTEROP_TESTS"), ["putty-kex"]);
        assert!(names(makefile, "EXTRA_TESTS").is_empty());
    }
}
