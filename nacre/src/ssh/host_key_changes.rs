//! What a host's announcement changes in the user's record files: which of its keys are new, which on
//! record it holds no longer, and whether the record is one that may be touched at all. The rules are
//! OpenSSH's; texts in, texts out.

use nacre_config::known_hosts::{Entry, Hosts, Marker};
use nacre_config::origin::Origin;
use nacre_crypto::{PublicKey, hmac_sha1};

/// The names that the host is recorded under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The host's, as recorded.
    pub host: String,
    /// The address's, where CheckHostIP wants it on record too.
    pub address: Option<String>,
}

impl Names {
    /// All of them.
    pub fn all(&self) -> Vec<String> {
        [Some(self.host.clone()), self.address.clone()].into_iter().flatten().collect()
    }

    /// Whether a line speaks of the host, and of the address.
    fn found_in(&self, hosts: &Hosts) -> (bool, bool) {
        let by_address = self.address.as_ref().is_some_and(|name| hosts.matches(name, hmac_sha1));
        (hosts.matches(&self.host, hmac_sha1), by_address)
    }

    /// Whether a line that speaks of the host is for more than this host: then it is not ours to change.
    fn is_complex(&self, entry: &Entry, found: (bool, bool)) -> bool {
        let Hosts::Plain(list) = &entry.hosts else { return entry.marker != Marker::None };
        let names = list.split(',').count();
        let halved = self.address.is_some() && names > 1 && found != (true, true);
        entry.marker != Marker::None || list.contains(['*', '?', '!']) || names > 2 || halved
    }
}

/// What is to change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Places in the announcement of keys that are not on record.
    pub new: Vec<usize>,
    /// Blobs on record that were not announced, each once.
    pub old: Vec<Vec<u8>>,
}

impl Changes {
    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.old.is_empty()
    }
}

/// The lines that could be read, among all with their bytes.
fn lines(content: &[u8]) -> impl Iterator<Item = (&[u8], Option<Entry>)> {
    content.split_inclusive(|byte| *byte == b'\n').map(|bytes| {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        (bytes, Entry::parse(line, Origin::Default).ok().flatten())
    })
}

/// Compares an announcement with the user's files.
///
/// # Errors
/// Why the record stays as it is.
pub fn survey(files: &[Vec<u8>], names: &Names, keys: &[PublicKey]) -> Result<Changes, &'static str> {
    let mut seen = vec![false; keys.len()];
    let mut old: Vec<Vec<u8>> = Vec::new();
    let (mut is_complex, mut elsewhere) = (false, Vec::new());
    for entry in files.iter().flat_map(|content| lines(content)).filter_map(|(_, entry)| entry) {
        let found = names.found_in(&entry.hosts);
        if found == (false, false) {
            elsewhere.push(entry.blob);
        } else if names.is_complex(&entry, found) {
            is_complex = true;
        } else if let Some(place) = keys.iter().position(|key| key.blob() == entry.blob) {
            seen.iter_mut().skip(place).take(1).for_each(|seen| *seen = true);
        } else if !old.contains(&entry.blob) {
            old.push(entry.blob);
        }
    }
    let new: Vec<usize> = seen.iter().enumerate().filter(|(_, seen)| !**seen).map(|(place, _)| place).collect();
    let changes = Changes { new, old };
    if changes.is_empty() {
        return Ok(changes);
    }
    if !seen.contains(&true) {
        return Err("none of the keys that the host tells of is on record for it");
    }
    if is_complex {
        return Err("the record of the host has a marker, a wildcard or a list of names");
    }
    let is_elsewhere = |blob: &[u8]| elsewhere.iter().any(|other| other == blob);
    if keys.iter().any(|key| is_elsewhere(key.blob())) || changes.old.iter().any(|blob| is_elsewhere(blob)) {
        return Err("a key of the host is on record under other names too");
    }
    Ok(changes)
}

/// A file's content without the lines of retired keys; every other byte stays.
pub fn without(content: &[u8], names: &Names, old: &[Vec<u8>]) -> Vec<u8> {
    let stays = |entry: &Option<Entry>| {
        let Some(entry) = entry else { return true };
        let found = names.found_in(&entry.hosts);
        found == (false, false) || names.is_complex(entry, found) || !old.contains(&entry.blob)
    };
    lines(content).filter(|(_, entry)| stays(entry)).flat_map(|(bytes, _)| bytes).copied().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use nacre_config::known_hosts::new_line;
    use nacre_crypto::{KeyKind, PrivateKey};

    fn keys() -> [PublicKey; 3] {
        std::array::from_fn(|_| PrivateKey::generate(KeyKind::Ed25519, None).unwrap().public_key())
    }

    fn line(names: &str, key: &PublicKey) -> String {
        new_line(&[names], key.key_type(), key.blob(), None)
    }

    fn hashed(name: &str, key: &PublicKey) -> String {
        new_line(&[name], key.key_type(), key.blob(), Some((&[7; 20], hmac_sha1)))
    }

    fn names(address: Option<&str>) -> Names {
        Names { host: "h".to_owned(), address: address.map(str::to_owned) }
    }

    #[test]
    fn h06_new_keys_come_and_retired_ones_go() {
        let [known, retired, fresh] = keys();
        let other = keys()[0].clone();
        for of in [line, hashed] {
            let kept = format!("# a comment\n{}not a line\n\n{}", of("h", &known), line("x", &other));
            let content = format!("{kept}{}{}tail without end", of("h", &retired), line("# h", &retired));
            let changes = survey(&[content.clone().into()], &names(None), &[known.clone(), fresh.clone()]).unwrap();
            assert_eq!(changes, Changes { new: vec![1], old: vec![retired.blob().to_vec()] });
            let left = without(content.as_bytes(), &names(None), &changes.old);
            let expected = format!("{kept}{}tail without end", line("# h", &retired));
            assert_eq!(String::from_utf8(left).unwrap(), expected);
        }
    }

    #[test]
    fn h06_a_record_that_is_not_this_hosts_alone_stays() {
        let [known, retired, fresh] = keys();
        let announced = [known.clone(), fresh];
        let refused = |content: String, names: &Names| survey(&[content.into()], names, &announced).is_err();
        let plain = line("h", &known);
        for more in [
            line("h*", &retired),
            line("h,a,b", &retired),
            line("!x,h", &retired),
            format!("@cert-authority {}", line("h", &retired)),
            format!("@revoked {}", line("h", &retired)),
            line("other", &known),
            format!("{}{}", line("h", &retired), line("other", &retired)),
        ] {
            assert!(refused(format!("{plain}{more}"), &names(None)), "{more}");
        }
        assert!(refused(line("h", &retired), &names(None)), "no announced key is known");
        assert!(!refused(format!("{plain}{}", line("h", &retired)), &names(None)));
        // With CheckHostIP a line of two names must be the host's and the address's.
        let address = names(Some("1.2.3.4"));
        assert!(refused(format!("{plain}{}", line("h,9.9.9.9", &retired)), &address));
        assert!(!refused(format!("{plain}{}", line("h,1.2.3.4", &retired)), &address));
    }

    #[test]
    fn h06_nothing_to_do_is_no_refusal() {
        let [known, ..] = keys();
        let content = format!("{}{}", line("h", &known), line("h*", &known));
        assert!(survey(&[content.into()], &names(None), &[known]).unwrap().is_empty());
    }
}
