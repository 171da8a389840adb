//! Filling in `%h`, `${NAME}` and `~` (ssh_config(5), TOKENS and ENVIRONMENT VARIABLES). Every expansion is one pass:
//! what was filled in is never looked at again.

use crate::world::World;

/// What each token letter stands for.
#[derive(Debug, Clone, Default)]
pub struct Tokens(Vec<(char, String)>);

impl Tokens {
    /// No token but `%%`.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more token.
    #[must_use]
    pub fn with(mut self, letter: char, value: impl Into<String>) -> Self {
        self.0.push((letter, value.into()));
        self
    }

    /// Only the named letters.
    #[must_use]
    pub fn only(&self, letters: &str) -> Self {
        Self(self.0.iter().filter(|(letter, _)| letters.contains(*letter)).cloned().collect())
    }

    fn get(&self, letter: char) -> Option<&str> {
        self.0.iter().find(|(l, _)| *l == letter).map(|(_, value)| value.as_str())
    }
}

/// Fills in %-tokens and, when a world is given, `${NAME}`.
///
/// # Errors
/// A token is not allowed here, a variable is not set, or `${` is never closed. The text says which.
pub fn expand(text: &str, tokens: &Tokens, world: Option<&dyn World>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['%', '$']) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let mut chars = from.chars();
        let sign = chars.next();
        match (sign, chars.next()) {
            (Some('%'), Some('%')) => out.push('%'),
            (Some('%'), Some(letter)) => match tokens.get(letter) {
                Some(value) => out.push_str(value),
                None => return Err(format!("unknown key %{letter}")),
            },
            (Some('%'), None) => return Err("a lone % at the end: write %% for a percent sign".to_owned()),
            (Some('$'), Some('{')) if world.is_some() => {
                let (name, after) = chars.as_str().split_once('}').ok_or("${ is never closed")?;
                let value = world.and_then(|w| w.env(name));
                out.push_str(&value.ok_or_else(|| format!("environment variable {name} is not set"))?);
                rest = after;
                continue;
            }
            _ => {
                out.push('$');
                rest = from.strip_prefix('$').unwrap_or_default();
                continue;
            }
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    Ok(out)
}

/// Fills in a leading `~` or `~name`.
///
/// # Errors
/// There is no such account.
pub fn tilde(text: &str, world: &dyn World) -> Result<String, String> {
    let Some(rest) = text.strip_prefix('~') else { return Ok(text.to_owned()) };
    let (user, path) = rest.split_once('/').map_or((rest, None), |(user, path)| (user, Some(path)));
    let home = match user {
        "" => world.account().home,
        user => world.home_of(user).ok_or_else(|| format!("no such user {user}"))?,
    };
    Ok(match path {
        Some(path) => format!("{}/{}", home.trim_end_matches('/'), path.trim_start_matches('/')),
        // As OpenSSH prints it.
        None => format!("{}/", home.trim_end_matches('/')),
    })
}
