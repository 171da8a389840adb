//! The command lines of the foreign peers that are programs of this crate: `--name value` pairs, then words.

use std::collections::BTreeMap;

/// A command line, split.
#[derive(Debug, Default)]
pub struct Words {
    named: BTreeMap<String, Vec<String>>,
    /// The words after the pairs.
    pub rest: Vec<String>,
}

impl Words {
    /// Splits what follows the program's name. A pair's name begins with `--`; the first word that
    /// does not ends the pairs.
    pub fn read(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut read = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.strip_prefix("--") {
                Some(name) => {
                    let value = words.next().ok_or_else(|| format!("--{name} needs a value"))?;
                    read.named.entry(name.to_owned()).or_default().push(value);
                }
                None => {
                    read.rest.push(word);
                    read.rest.extend(words);
                    break;
                }
            }
        }
        Ok(read)
    }

    /// All values of `--name`, in order.
    pub fn all(&self, name: &str) -> &[String] {
        self.named.get(name).map_or(&[], Vec::as_slice)
    }

    /// The first value of `--name`.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    /// The first value of `--name`, which must be there and be readable as what is wanted.
    pub fn need<T: std::str::FromStr>(&self, name: &str) -> Result<T, String> {
        let value = self.first(name).ok_or_else(|| format!("--{name} is missing"))?;
        value.parse().map_err(|_| format!("--{name} {value}: not understood"))
    }
}
