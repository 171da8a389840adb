//! How long channels of each kind may carry nothing (sshd_config(5) and ssh_config(5), ChannelTimeout).

use crate::kind::Value;
use crate::{pattern, time};
use std::time::Duration;

/// What a wrong line is told.
const ALLOWED: &str = "none, or words such as session:command=5m, direct-tcpip=1h or session:*=30";

/// The limits, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelTimeouts {
    /// A pattern for kinds of channels, and how long those may carry nothing; zero is for ever.
    pub limits: Vec<(String, Duration)>,
}

impl ChannelTimeouts {
    /// The limits of a printed value.
    pub(crate) fn of_words(words: &[String]) -> Self {
        Self { limits: words.iter().filter_map(|word| limit(word)).collect() }
    }

    /// How long a channel of this kind may carry nothing: by the first pattern that it matches.
    pub fn of(&self, kind: &str) -> Option<Duration> {
        let first = self.limits.iter().find(|(kinds, _)| pattern::matches(kind, kinds));
        first.map(|(_, limit)| *limit).filter(|limit| !limit.is_zero())
    }
}

fn limit(word: &str) -> Option<(String, Duration)> {
    let (kinds, span) = word.split_once('=')?;
    let seconds = time::span(span).filter(|_| !kinds.is_empty())?;
    Some((kinds.to_owned(), Duration::from_secs(seconds)))
}

/// Reads `ChannelTimeout`, printed as written.
pub(crate) fn read(words: &[String]) -> Result<Value, &'static str> {
    let is_good = match words {
        [one] if one.eq_ignore_ascii_case("none") => return Ok(Value::List(vec!["none".to_owned()])),
        [] => false,
        all => all.iter().all(|word| limit(word).is_some()),
    };
    if is_good { Ok(Value::List(words.to_vec())) } else { Err(ALLOWED) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_pattern_decides() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let of = |text: &str, kind: &str| ChannelTimeouts::of_words(&words(text)).of(kind).map(|limit| limit.as_secs());
        assert_eq!(of("session:command=5m session:*=1", "session:command"), Some(300));
        assert_eq!(of("session:command=5m session:*=1", "session:shell"), Some(1));
        assert_eq!(of("session:command=0 *=1", "session:command"), None);
        assert_eq!(of("direct-*=1h30", "direct-streamlocal@openssh.com"), Some(3630));
        assert_eq!(of("direct-tcpip=7", "forwarded-tcpip"), None);
        for bad in ["", "none session:shell=1", "session:shell", "=5", "x=", "x=-1", "x=1y"] {
            assert!(read(&words(bad)).is_err(), "{bad}");
        }
        assert!(read(&words("none")).is_ok() && read(&[]).is_err());
    }
}
