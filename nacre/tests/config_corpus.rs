//! `ssh -G` of ours beside OpenSSH's: every keyword that a file sets, for files as people have them; and the defaults, which differ only
//! where docs/CONFORMANCE.md says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Values by keyword, in order.
type Dump = BTreeMap<String, Vec<String>>;

/// Every keyword that drop-in use needs stands in some file.
const TIER_1: &str = "HostName User Port IdentityFile IdentitiesOnly IdentityAgent CertificateFile AddKeysToAgent ForwardAgent ProxyJump \
    ProxyCommand StrictHostKeyChecking UserKnownHostsFile GlobalKnownHostsFile HostKeyAlias HashKnownHosts CheckHostIP UpdateHostKeys \
    HostKeyAlgorithms PubkeyAcceptedAlgorithms KexAlgorithms Ciphers MACs RekeyLimit PreferredAuthentications PubkeyAuthentication \
    PasswordAuthentication KbdInteractiveAuthentication BatchMode NumberOfPasswordPrompts ConnectTimeout ConnectionAttempts \
    AddressFamily BindAddress TCPKeepAlive ServerAliveInterval ServerAliveCountMax LocalForward RemoteForward DynamicForward \
    GatewayPorts ExitOnForwardFailure ClearAllForwardings ControlMaster ControlPath ControlPersist RequestTTY RemoteCommand SessionType \
    StdinNull ForkAfterAuthentication SendEnv SetEnv Compression LogLevel EscapeChar LocalCommand PermitLocalCommand IgnoreUnknown Tag \
    Host Match Include";

/// Lists that `+`, `-` and `^` change start from defaults that differ.
const ALGORITHMS: [&str; 6] =
    ["ciphers", "kexalgorithms", "macs", "hostkeyalgorithms", "pubkeyacceptedalgorithms", "casignaturealgorithms"];

/// What OpenSSH 9.2 and Debian print beyond what was asked for; docs/CONFORMANCE.md says what.
const QUIRKS: [(&str, &str); 3] = [
    ("05-socket-forwards.conf", "dynamicforward"),
    ("25-tokens.conf", "dynamicforward"),
    ("08-auth.conf", "serveraliveinterval"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/config")
}

fn is_there() -> bool {
    let there = Command::new("ssh").arg("-V").output().is_ok();
    if !there {
        eprintln!("NOT RUN: there is no OpenSSH to compare with");
    }
    there
}

fn dump(words: &[&str], file: &Path, host: &str) -> Dump {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg("-G").arg("-F").arg(file).arg(host).env("CORPUS_DIR", "/corpus");
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?} {} {host}: {told}", file.display());
    let mut dump = Dump::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        dump.entry(keyword.to_ascii_lowercase()).or_default().push(value.to_owned());
    }
    dump
}

fn theirs(file: &Path, host: &str) -> Dump {
    dump(&["ssh"], file, host)
}

fn ours(file: &Path, host: &str) -> Dump {
    dump(&[env!("CARGO_BIN_EXE_nacre"), "ssh"], file, host)
}

/// Keywords for which some line holds, as `--why` has it.
fn set(file: &Path, host: &str) -> BTreeSet<String> {
    let why = dump(&[env!("CARGO_BIN_EXE_nacre"), "ssh", "--why"], file, host);
    let from_a_file = |lines: &Vec<String>| lines.iter().any(|line| line.contains(" # ") && line.contains(".conf:"));
    why.into_iter().filter(|(_, lines)| from_a_file(lines)).map(|(keyword, _)| keyword).collect()
}

fn files() -> Vec<(PathBuf, String)> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "conf"));
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

fn hosts(text: &str) -> Vec<&str> {
    text.lines().next().unwrap().strip_prefix("# hosts: ").unwrap().split_whitespace().collect()
}

#[test]
fn every_keyword_that_a_file_sets_is_as_openssh_has_it() {
    if !is_there() {
        return;
    }
    let nothing = theirs(Path::new("none"), "h");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (file, text) in files() {
        for host in hosts(&text) {
            let (theirs, ours) = (theirs(&file, host), ours(&file, host));
            let mut keywords = set(&file, host);
            let changed = theirs.iter().filter(|(keyword, value)| nothing.get(*keyword) != Some(value));
            keywords.extend(changed.map(|(keyword, _)| keyword.clone()));
            let name = file.file_name().unwrap().to_str().unwrap();
            for keyword in keywords.iter().filter(|keyword| !QUIRKS.contains(&(name, keyword))) {
                compared += 1;
                if !agrees(keyword, &text, theirs.get(keyword), ours.get(keyword), nothing.contains_key(keyword)) {
                    wrong.push(format!(
                        "{name} for {host}: {keyword}\n  OpenSSH {:?}\n  Nacre   {:?}",
                        theirs.get(keyword),
                        ours.get(keyword)
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files().len() >= 40 && compared > 300, "{} files, {compared} values", files().len());
}

fn agrees(
    keyword: &str,
    text: &str,
    theirs: Option<&Vec<String>>,
    ours: Option<&Vec<String>>,
    is_default: bool,
) -> bool {
    if theirs == ours {
        return true;
    }
    // A word that this OpenSSH does not know: IgnoreUnknown keeps it from complaining.
    if theirs.is_none() && !is_default && text.lines().any(|line| is_ignored(line, keyword)) {
        return true;
    }
    ALGORITHMS.contains(&keyword) && changes_the_default(keyword, text, ours)
}

fn is_ignored(line: &str, keyword: &str) -> bool {
    let mut words = line.trim().split([' ', ',']);
    words.next() == Some("IgnoreUnknown") && words.any(|word| word.eq_ignore_ascii_case(keyword))
}

/// Whether what the file's line asks for has become of our own default.
fn changes_the_default(keyword: &str, text: &str, ours: Option<&Vec<String>>) -> bool {
    let Some(list) = ours.map(|lines| lines.join(",")) else { return false };
    let names: Vec<&str> = list.split(',').collect();
    let lines = text.lines().filter_map(|line| line.trim().split_once(' '));
    let mut specs = lines.filter(|(word, _)| word.eq_ignore_ascii_case(keyword)).map(|(_, spec)| spec.trim());
    // No line of this block: the defaults, which the other test holds.
    let untouched = || dump(&[env!("CARGO_BIN_EXE_nacre"), "ssh"], Path::new("none"), "h")[keyword] == [list.clone()];
    specs.any(|spec| match spec.split_at(1) {
        ("+", name) => names.last() == Some(&name) || names.contains(&name),
        ("^", name) => names.first() == Some(&name),
        ("-", pattern) => names.iter().all(|name| !name.starts_with(pattern.trim_end_matches('*'))),
        _ => false,
    }) || untouched()
}

#[test]
fn every_keyword_of_daily_use_stands_in_some_file() {
    let mut there = BTreeSet::new();
    for (_, text) in files() {
        for line in text.lines() {
            there.extend(line.trim().split([' ', '\t', '=']).next().map(str::to_ascii_lowercase));
        }
    }
    let missing: Vec<&str> =
        TIER_1.split_whitespace().filter(|word| !there.contains(&word.to_ascii_lowercase())).collect();
    assert!(missing.is_empty(), "{missing:?} stand in no file");
}

/// The table of docs/CONFORMANCE.md: keyword, OpenSSH's default, ours.
fn differing() -> BTreeMap<String, (String, String)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/CONFORMANCE.md")).unwrap();
    let head = "| keyword | OpenSSH 9.2 | Nacre | why |";
    let rows = text.lines().skip_while(|line| *line != head).skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        assert!(cells.len() == 4 && !cells[3].is_empty(), "no row of four cells: {row}");
        (cells[0].to_owned(), (cells[1].to_owned(), cells[2].to_owned()))
    })
    .collect()
}

#[test]
fn defaults_differ_where_the_table_says_so_and_nowhere_else() {
    let version = Command::new("ssh").arg("-V").output().map(|output| output.stderr).unwrap_or_default();
    if !version.starts_with(b"OpenSSH_9.2p1 Debian") {
        eprintln!("NOT RUN: the table is about OpenSSH 9.2 of Debian");
        return;
    }
    let (theirs, ours) = (theirs(Path::new("none"), "h"), ours(Path::new("none"), "h"));
    let said = |dump: &Dump, keyword: &str| dump.get(keyword).map_or("-".to_owned(), |lines| lines.join(" "));
    let keywords: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let mut found = BTreeMap::new();
    for keyword in keywords {
        let (theirs, ours) = (said(&theirs, keyword), said(&ours, keyword));
        if theirs != ours {
            found.insert(keyword.clone(), (theirs, ours));
        }
    }
    let rows: String = found.iter().map(|(keyword, (a, b))| format!("| {keyword} | `{a}` | `{b}` |  |\n")).collect();
    assert_eq!(differing(), found, "the rows would be\n{rows}");
}
