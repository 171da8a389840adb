//! The lines of ssh-keyscan for a key.

use super::failure;
use super::scan::Problem;
use crate::cli::keyscan::KeyscanArgs;
use crate::failure::Failure;
use crate::keygen::sshfp_records;
use crate::output;
use nacre_config::known_hosts::{new_line, record_name};
use nacre_crypto::{PublicKey, base64_encode, hmac_sha1, random_bytes};
use nacre_proto::certificate::split;
use nacre_wire::text::clean_line;
use std::collections::HashSet;

/// The port whose hosts need no brackets.
const SSH_PORT: u16 = 22;

/// How many problems are remembered; those of one host come close to each other.
const MAX_TOLD: usize = 4096;

/// Makes lines, and says what went wrong once.
pub struct Lines<'a> {
    args: &'a KeyscanArgs,
    any: bool,
    told: HashSet<Problem>,
}

impl<'a> Lines<'a> {
    /// None yet.
    pub fn new(args: &'a KeyscanArgs) -> Self {
        Self { args, any: false, told: HashSet::new() }
    }

    /// Whether there was a key.
    pub fn any(&self) -> bool {
        self.any
    }

    /// The lines of a host's key or certificate.
    pub fn of(&mut self, names: &str, blob: &[u8]) -> Result<String, Failure> {
        self.any = true;
        if let Ok(head) = split(blob) {
            return Ok(format!("{} {}\n", head.key_type, base64_encode(blob)));
        }
        let names = clean_line(names.as_bytes(), 4096).to_ascii_lowercase();
        let key = PublicKey::from_blob(blob, "").map_err(|error| failure(&error.to_string()))?;
        // One line has all names, unless each name has to be written in another way.
        let together = !self.args.hashed && self.args.port == SSH_PORT;
        let names: Vec<&str> = if together { vec![&names] } else { names.split(',').collect() };
        names.into_iter().map(|name| self.line(name, &key)).collect()
    }

    fn line(&self, name: &str, key: &PublicKey) -> Result<String, Failure> {
        if self.args.sshfp {
            return Ok(sshfp_records(key, name, self.args.hash));
        }
        let name = record_name(name, self.args.port);
        let salt =
            self.args.hashed.then(random_bytes::<20>).transpose().map_err(|error| failure(&error.to_string()))?;
        let salt = salt.as_ref().map(|salt| (salt, hmac_sha1 as fn(&[u8], &[u8]) -> [u8; 20]));
        Ok(format!("{}\n", new_line(&[&name], key.key_type(), key.blob(), salt).trim_end()))
    }

    /// Says why there is no key: of a host that cannot be reached once, not once for each type.
    pub fn problem(&mut self, problem: &Problem) {
        let line = match problem {
            Problem::Line(line) => line,
            Problem::Lacks(line) if self.args.verbose => line,
            _ => return,
        };
        if self.told.len() == MAX_TOLD {
            self.told.clear();
        }
        if self.told.insert(problem.clone()) {
            output::complain(line);
        }
    }
}
