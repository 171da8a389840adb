//! The long form of a file's attributes, as `ls -l` has it.

use super::session::{Trouble, refused};
use super::space::scaled;
use nacre_files::remote::{Remote, shown};
use nacre_sftp::Attributes;
use nacre_sftp::attributes::KIND_BITS;
use nacre_sftp::extended::MAX_IDS;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;

/// The longest name of a user or group that is shown, in bytes.
const MAX_OWNER: usize = 64;
/// A file is recent for half a year, in seconds: then its time is shown, else its year.
const RECENT: i64 = 365 * 24 * 60 * 60 / 2;

/// Names of users and groups, cleaned.
#[derive(Debug, Default)]
pub(super) struct Owners {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Owners {
    /// Asks the server for the names of all these users and groups.
    pub fn ask(remote: &mut Remote, owners: impl Iterator<Item = (u32, u32)>) -> Result<Self, Trouble> {
        let (users, groups): (BTreeSet<u32>, BTreeSet<u32>) = owners.unzip();
        let failed = |error| refused("names of users and groups", error);
        let mut known = Self::default();
        for ids in Vec::from_iter(users).chunks(MAX_IDS) {
            known.users.extend(named(ids, remote.users_groups(ids, &[]).map_err(failed)?.0));
        }
        for ids in Vec::from_iter(groups).chunks(MAX_IDS) {
            known.groups.extend(named(ids, remote.users_groups(&[], ids).map_err(failed)?.1));
        }
        Ok(known)
    }
}

fn named(ids: &[u32], names: Vec<Vec<u8>>) -> impl Iterator<Item = (u32, String)> {
    let clean = |name: Vec<u8>| nacre_wire::text::clean_line(&name, MAX_OWNER);
    ids.iter().copied().zip(names).filter(|(_, name)| !name.is_empty()).map(move |(id, name)| (id, clean(name)))
}

/// One line, harmless on a terminal, without its line feed.
pub(super) fn long_line(path: &[u8], attributes: &Attributes, owners: &Owners, human: bool) -> String {
    let mode = attributes.permissions.map_or_else(|| "?---------".to_owned(), mode_letters);
    let name_of = |names: &BTreeMap<u32, String>, id: u32| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let (user, group) = match attributes.owner {
        Some((user, group)) => (name_of(&owners.users, user), name_of(&owners.groups, group)),
        None => ("?".to_owned(), "?".to_owned()),
    };
    let size = match attributes.size {
        None => "?".to_owned(),
        Some(size) if human => scaled(size.into()),
        Some(size) => size.to_string(),
    };
    let time = attributes.times.map_or_else(|| "?".to_owned(), |(_, time)| time_words(time.into(), now()));
    // The protocol does not tell how many names a file has.
    format!("{mode}    ? {user:<8} {group:<8} {size:>8} {time:<12} {}", shown(path))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn time_words(time: i64, now: i64) -> String {
    let local = time.saturating_add(nacre_sys::clock::utc_offset(time));
    let Ok(local) = OffsetDateTime::from_unix_timestamp(local) else { return "?".to_owned() };
    let month: String = local.month().to_string().chars().take(3).collect();
    if time <= now && now - time < RECENT {
        format!("{month} {:>2} {:02}:{:02}", local.day(), local.hour(), local.minute())
    } else {
        format!("{month} {:>2}  {:>4}", local.day(), local.year())
    }
}

fn mode_letters(mode: u32) -> String {
    let kind = match mode & KIND_BITS {
        0o100_000 => '-',
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o140_000 => 's',
        0o010_000 => 'p',
        0o020_000 => 'c',
        0o060_000 => 'b',
        _ => '?',
    };
    let mut out = String::from(kind);
    for (shift, special, letters) in [(6, 0o4000, ['s', 'S']), (3, 0o2000, ['s', 'S']), (0, 0o1000, ['t', 'T'])] {
        let bits = mode >> shift;
        out.push(if bits & 4 != 0 { 'r' } else { '-' });
        out.push(if bits & 2 != 0 { 'w' } else { '-' });
        out.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => letters[0],
            (true, false) => letters[1],
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_as_ls_does() {
        for (mode, letters) in [
            (0o100_644, "-rw-r--r--"),
            (0o041_777, "drwxrwxrwt"),
            (0o120_777, "lrwxrwxrwx"),
            (0o104_755, "-rwsr-xr-x"),
            (0o106_644, "-rwSr-Sr--"),
            (0o041_770, "drwxrwx--T"),
            (0o140_000, "s---------"),
            (0, "?---------"),
        ] {
            assert_eq!(mode_letters(mode), letters);
        }
    }

    #[test]
    fn u02_a_line_holds_all_that_is_known_and_no_control_byte() {
        let told = Attributes {
            size: Some(4096),
            owner: Some((7, 8)),
            permissions: Some(0o100_600),
            times: Some((0, 0)),
            ..Attributes::default()
        };
        let owners = Owners { users: [(7, "me".to_owned())].into(), groups: BTreeMap::new() };
        let line = long_line(b"a\x1b[2J", &told, &owners, true);
        assert!(line.starts_with("-rw-------    ? me       8            4.0K "), "{line}");
        assert!(line.contains("1970 a\u{fffd}[2J") || line.contains("1969 a\u{fffd}[2J"), "{line}");
        let nothing = long_line(b"x", &Attributes::default(), &Owners::default(), false);
        assert_eq!(nothing, "?---------    ? ?        ?               ? ?            x");
        assert_eq!(
            named(&[1, 2], vec![b"a\x07".to_vec(), Vec::new()]).collect::<Vec<_>>(),
            [(1, "a\u{fffd}".to_owned())]
        );
    }

    #[test]
    fn recent_files_show_the_time_of_day() {
        let now = 1_800_000_000;
        assert!(time_words(now - 60, now).contains(':'));
        assert!(!time_words(now - RECENT - 1, now).contains(':'));
        assert!(!time_words(now + 100_000, now).contains(':'));
        assert_eq!(time_words(now - 60, now).len(), 12);
        assert_eq!(time_words(0, now).len(), 12);
    }
}
