//! `ls`: which files, in which order.

use super::columns;
use super::command::{Listing, Order};
use super::long::{Owners, long_line};
use super::session::{Session, Trouble, joined, quoted, refused};
use crate::output;
use nacre_files::remote::{Error, Remote, shown};
use nacre_sftp::attributes::Kind;
use nacre_sftp::{Attributes, Code, extended};

/// One line, or one cell, of a list.
#[derive(Debug, Clone, Default)]
struct Entry {
    /// The path as it is shown.
    path: Vec<u8>,
    attributes: Attributes,
    /// The server's own line for it; empty when there is none.
    long: Vec<u8>,
}

impl Session<'_> {
    /// `ls`.
    pub fn list(&self, how: Listing, pattern: Option<&[u8]>) -> Result<(), Trouble> {
        let mut remote = self.far.remote();
        let entries = match pattern {
            None => {
                let folder = self.folder();
                of_folder(&mut remote, &folder, b"", how)?
            }
            Some(pattern) => {
                let absolute = self.absolute_pattern(pattern);
                let strip = if pattern.first() == Some(&b'/') { Vec::new() } else { joined(&self.folder(), b"") };
                of_pattern(&mut remote, &absolute, &strip, how)?
            }
        };
        let text = if how.long { long(&mut remote, &entries, how)? } else { short(&entries, how) };
        drop(remote);
        Ok(output::print(&text)?)
    }
}

/// The files that a pattern matches, or what is in the one folder that it matches.
fn of_pattern(remote: &mut Remote, pattern: &[u8], strip: &[u8], how: Listing) -> Result<Vec<Entry>, Trouble> {
    let paths = remote.glob(pattern).map_err(|error| refused("glob", error))?;
    let told = remote.lstat_all(&paths).map_err(Trouble::Gone)?;
    if let ([path], [Err(error)]) = (paths.as_slice(), told.as_slice()) {
        return Err(Trouble::Say(match error.code() {
            Some(Code::NoSuchFile) | None => format!("Can't ls: {} not found", quoted(path)),
            Some(code) => format!("Can't ls: {}: {code}", quoted(path)),
        }));
    }
    if let [path] = paths.as_slice()
        && remote.stat(path).is_ok_and(|told| told.kind() == Some(Kind::Directory))
    {
        let prefix = path.strip_prefix(strip).unwrap_or(path).to_vec();
        return of_folder(remote, path, &prefix, how);
    }
    let mut entries: Vec<Entry> = Vec::with_capacity(paths.len());
    for (path, told) in paths.iter().zip(told) {
        let mut path = path.strip_prefix(strip).unwrap_or(path).to_vec();
        // It may have gone since it was found; its name is shown all the same.
        let attributes = told.unwrap_or_default();
        if attributes.kind() == Some(Kind::Directory) && path.last() != Some(&b'/') {
            path.push(b'/');
        }
        entries.push(Entry { path, attributes, long: Vec::new() });
    }
    sort(&mut entries, how);
    Ok(entries)
}

/// What is in a folder, `prefix` before each name.
fn of_folder(remote: &mut Remote, folder: &[u8], prefix: &[u8], how: Listing) -> Result<Vec<Entry>, Trouble> {
    let failed = |error: Error| refused(&format!("remote readdir {}", quoted(folder)), error);
    let mut names = remote.list(folder).map_err(failed)?;
    if how.all {
        for dots in [b".".as_slice(), b".."] {
            if let Ok(attributes) = remote.lstat(&joined(folder, dots)) {
                names.push(nacre_sftp::Name { name: dots.to_vec(), long: Vec::new(), attributes });
            }
        }
    } else {
        names.retain(|name| name.name.first() != Some(&b'.'));
    }
    let mut entries: Vec<Entry> = names
        .into_iter()
        .map(|name| Entry { path: joined(prefix, &name.name), attributes: name.attributes, long: name.long })
        .collect();
    sort(&mut entries, how);
    Ok(entries)
}

fn sort(entries: &mut [Entry], how: Listing) {
    match how.order {
        Order::None => return,
        Order::Name => entries.sort_by(|a, b| a.path.cmp(&b.path)),
        Order::Size => entries.sort_by_key(|entry| std::cmp::Reverse(entry.attributes.size)),
        Order::Time => entries.sort_by_key(|entry| std::cmp::Reverse(entry.attributes.times.map(|(_, time)| time))),
    }
    if how.reverse {
        entries.reverse();
    }
}

fn short(entries: &[Entry], how: Listing) -> String {
    let names: Vec<String> = entries.iter().map(|entry| shown(&entry.path)).collect();
    if how.one_column { columns::one(&names) } else { columns::many(&names, columns::width()) }
}

fn long(remote: &mut Remote, entries: &[Entry], how: Listing) -> Result<String, Trouble> {
    let names_known = remote.extensions().has(extended::USERS_GROUPS);
    // The server's own lines know names of users; where it tells them apart, ours do as well.
    let servers_own = !how.numeric && !how.human && !names_known;
    let owners = if how.numeric || !names_known {
        Owners::default()
    } else {
        Owners::ask(remote, entries.iter().filter_map(|entry| entry.attributes.owner))?
    };
    let mut text = String::new();
    for entry in entries {
        if servers_own && !entry.long.is_empty() {
            text.push_str(&shown(&entry.long));
        } else {
            text.push_str(&long_line(&entry.path, &entry.attributes, &owners, how.human));
        }
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_as_asked() {
        let entry = |path: &str, size, time| Entry {
            path: path.into(),
            attributes: Attributes { size: Some(size), times: Some((0, time)), ..Attributes::default() },
            long: Vec::new(),
        };
        let order = |order, reverse| {
            let mut entries = [entry("b", 1, 3), entry("a", 2, 1), entry("c", 3, 2)];
            sort(&mut entries, Listing { order, reverse, ..Listing::default() });
            String::from_utf8(entries.map(|entry| entry.path).concat()).unwrap_or_default()
        };
        assert_eq!(order(Order::Name, false), "abc");
        assert_eq!(order(Order::Name, true), "cba");
        assert_eq!(order(Order::Size, false), "cab");
        assert_eq!(order(Order::Time, false), "bca");
        assert_eq!(order(Order::None, true), "bac");
    }

    #[test]
    fn u02_evil_names_are_shown_harmlessly() {
        let evil = Entry { path: b"a\x1b]0;x\x07\nb\x9b".to_vec(), ..Entry::default() };
        for one_column in [false, true] {
            let text = short(std::slice::from_ref(&evil), Listing { one_column, ..Listing::default() });
            assert!(!text.trim_end().contains(|c: char| c.is_control()), "{text:?}");
        }
    }
}
