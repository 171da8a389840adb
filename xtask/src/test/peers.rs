//! The foreign programs that the tests talk to: found, or installed where we may.

use std::path::Path;
use std::process::{Command, Stdio};

/// A program, the Debian package it comes in, and the peer whose tests need it.
struct Program {
    name: &'static str,
    package: &'static str,
    /// The word in the names of the tests that cannot run without it.
    peer: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program { name: "sshd", package: "openssh-server", peer: "openssh" },
    Program { name: "ssh", package: "openssh-client", peer: "openssh" },
    Program { name: "ssh-keygen", package: "openssh-client", peer: "openssh" },
    Program { name: "sftp", package: "openssh-client", peer: "openssh" },
    Program { name: "sshpass", package: "sshpass", peer: "openssh" },
    Program { name: "openssl", package: "openssl", peer: "openssh" },
    Program { name: "git", package: "git", peer: "openssh" },
    Program { name: "kill", package: "procps", peer: "openssh" },
    Program { name: "setsid", package: "util-linux", peer: "openssh" },
    Program { name: "unshare", package: "util-linux", peer: "openssh" },
    Program { name: "strace", package: "strace", peer: "strace" },
    Program { name: "sshfs", package: "sshfs", peer: "sshfs" },
    Program { name: "lftp", package: "lftp", peer: "lftp" },
    Program { name: "curl", package: "curl", peer: "curl" },
    Program { name: "rsync", package: "rsync", peer: "rsync" },
    Program { name: "ansible", package: "ansible-core", peer: "ansible" },
    Program { name: "tmux", package: "tmux", peer: "tmux" },
    Program { name: "ip", package: "iproute2", peer: "openssh" },
    Program { name: "make", package: "make", peer: "openssh" },
    Program { name: "tshark", package: "tshark", peer: "tshark" },
    Program { name: "chromium", package: "chromium", peer: "chromium" },
    Program { name: "pdftotext", package: "poppler-utils", peer: "chromium" },
    Program { name: "basenc", package: "coreutils", peer: "openssh" },
    // Libraries of Python, for peers of the laboratory's protocols.
    Program { name: "python3", package: "python3", peer: "python" },
    Program {
        name: "/usr/lib/python3/dist-packages/cryptography/__init__.py",
        package: "python3-cryptography",
        peer: "python",
    },
    Program {
        name: "/usr/lib/python3/dist-packages/Cryptodome/__init__.py",
        package: "python3-pycryptodome",
        peer: "python",
    },
    Program { name: "/usr/lib/python3/dist-packages/pip/__init__.py", package: "python3-pip", peer: "chromium" },
    Program { name: "nats-server", package: "nats-server", peer: "nats" },
    Program { name: "dropbear", package: "dropbear-bin", peer: "dropbear" },
    Program { name: "dbclient", package: "dropbear-bin", peer: "dropbear" },
    Program { name: "dropbearkey", package: "dropbear-bin", peer: "dropbear" },
    Program { name: "dropbearconvert", package: "dropbear-bin", peer: "dropbear" },
];

/// axe-core, which says what keeps people from using a page, in the package for Python that carries it: Debian has none.
const AXE: &str = "/usr/local/lib/nacre-tests/axe_playwright_python/axe.min.js";
const AXE_FOLDER: &str = "/usr/local/lib/nacre-tests";
const AXE_PACKAGE: &str = "axe-playwright-python==0.1.8";

/// Where programs are, beyond `PATH`: servers are not on a user's.
const MORE_FOLDERS: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Which peers there are.
pub struct Peers {
    /// Peers that cannot be had, by the word in their tests' names.
    pub missing: Vec<&'static str>,
}

/// Makes the peers ready. One that cannot be had is an error, unless the caller goes on without.
pub fn ready(without: bool) -> Result<Peers, String> {
    let mut absent = absent();
    let packages = packages(&absent);
    if !packages.is_empty() {
        println!("missing: {}", packages.join(" "));
        let problem = install(&packages).err();
        absent = self::absent();
        if !absent.is_empty() {
            let names: Vec<&str> = absent.iter().map(|program| program.name).collect();
            let problem = problem.unwrap_or_else(|| "apt-get brought none".to_owned());
            let message = format!(
                "the tests talk to {}, which cannot be had: {problem}\n  as root: apt-get install {}\n  \
                 or, to go on without: cargo xtask test --without-peers",
                names.join(", "),
                self::packages(&absent).join(" "),
            );
            if !without {
                return Err(message);
            }
            println!("{message}");
        }
    }
    let mut missing: Vec<&str> = absent.iter().map(|program| program.peer).collect();
    if let Err(problem) = bring_axe() {
        let message = format!("the tests look at pages with axe-core, which cannot be had: {problem}");
        if !without {
            return Err(format!("{message}\n  or, to go on without: cargo xtask test --without-peers"));
        }
        println!("{message}");
        missing.push("chromium");
    }
    missing.dedup();
    Ok(Peers { missing })
}

/// Whether a program can be started that sees other lists of accounts than the machine's.
pub fn can_replace_accounts() -> bool {
    let probe = Command::new("unshare").args(["--mount", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}

fn absent() -> Vec<&'static Program> {
    PROGRAMS.iter().filter(|program| !found(program.name)).collect()
}

fn packages(programs: &[&'static Program]) -> Vec<&'static str> {
    let mut packages: Vec<&str> = programs.iter().map(|program| program.package).collect();
    packages.dedup();
    packages
}

fn found(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = MORE_FOLDERS.iter().map(|folder| Path::new(folder).to_path_buf());
    std::env::split_paths(&path).chain(more).any(|folder| folder.join(name).is_file())
}

/// Installs Debian packages; only root can.
pub fn install(packages: &[&str]) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root can install packages".to_owned());
    }
    apt(&["update"])?;
    apt(&[&["install", "--yes", "--no-install-recommends"], packages].concat())
}

/// Brings axe-core where the tests look for it.
fn bring_axe() -> Result<(), String> {
    if Path::new(AXE).is_file() {
        return Ok(());
    }
    let mut pip = Command::new("/usr/bin/python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--target", AXE_FOLDER, AXE_PACKAGE]);
    let status = pip.stdin(Stdio::null()).status().map_err(|error| format!("pip could not be started: {error}"))?;
    match status.success() && Path::new(AXE).is_file() {
        true => Ok(()),
        false => Err(format!("pip install {AXE_PACKAGE}: {status}")),
    }
}

fn apt(arguments: &[&str]) -> Result<(), String> {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // A package's service must not be started: the tests start their own.
        .env("RUNLEVEL", "1")
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("apt-get could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("apt-get {}: {status}", arguments.join(" "))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn programs_are_found_by_name() {
        assert!(found("sh"));
        assert!(!found("a-program-that-nobody-has"));
    }

    #[test]
    fn packages_are_named_once() {
        let all: Vec<&Program> = PROGRAMS.iter().collect();
        let named = packages(&all);
        let once: BTreeSet<&str> = named.iter().copied().collect();
        assert_eq!(named.len(), once.len(), "{named:?}");
        assert!(once.contains("openssh-server") && once.contains("dropbear-bin"));
    }
}
