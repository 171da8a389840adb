//! Names from the command line that end up in commands and paths (threat A15).

use crate::error::{ConfigError, ErrorKind};
use crate::origin::Origin;

fn refuse(origin: &Origin, keyword: &str, value: &str, allowed: &str) -> ConfigError {
    let kind =
        ErrorKind::BadValue { keyword: keyword.to_owned(), value: value.to_owned(), allowed: allowed.to_owned() };
    ConfigError::new(origin, kind)
}

/// Refuses a host name that an option parser or a shell would read as something else.
pub(super) fn check_host(host: &str) -> Result<(), ConfigError> {
    let harmless = |c: char| !c.is_whitespace() && !c.is_control() && !"'`\"$\\;&<>|(){}".contains(c);
    let good = !host.is_empty() && !host.starts_with('-') && host.len() <= 1024 && host.chars().all(harmless);
    let allowed = "a host name without blanks, quotes and shell characters that does not begin with -";
    if good { Ok(()) } else { Err(refuse(&Origin::CommandLine, "Host", host, allowed)) }
}

/// Refuses a user name from the command line that a shell or an option parser would read as something else. A name
/// from a file is the file owner's own business, but for control characters.
pub(super) fn check_user(user: &str, origin: &Origin) -> Result<(), ConfigError> {
    let typed = *origin == Origin::CommandLine;
    let shell = |c: char| "'`\";&<>|(){}".contains(c);
    let dash_after_blank = user.split_inclusive(char::is_whitespace).skip(1).any(|part| part.starts_with('-'));
    let sly = user.starts_with('-') || user.ends_with('\\') || user.contains(shell) || dash_after_blank;
    if user.is_empty() || user.len() > 1024 || user.contains(char::is_control) || (typed && sly) {
        return Err(refuse(origin, "User", user, "a user name without shell characters that does not begin with -"));
    }
    Ok(())
}
