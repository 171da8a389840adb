//! Which method to try next: the order of RFC 4252's methods, as a machine without input or output.

use nacre_config::client::ClientOptions;

/// The methods in the order in which they are tried unless PreferredAuthentications says otherwise.
const USUAL: [&str; 3] = ["publickey", "keyboard-interactive", "password"];

/// A method that can be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// RFC 4252 §7.
    PublicKey,
    /// RFC 4256.
    KeyboardInteractive,
    /// RFC 4252 §8.
    Password,
}

impl Method {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "publickey" => Some(Self::PublicKey),
            "keyboard-interactive" => Some(Self::KeyboardInteractive),
            "password" => Some(Self::Password),
            _ => None,
        }
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PublicKey => "publickey",
            Self::KeyboardInteractive => "keyboard-interactive",
            Self::Password => "password",
        }
    }
}

/// What has been tried so far.
#[derive(Debug)]
pub struct Order {
    preferred: Vec<Method>,
    prompts: u32,
    passwords: u32,
    interactive: u32,
    /// The server asked something in the present round of keyboard-interactive.
    was_asked: bool,
}

impl Order {
    /// The methods that the options allow. `distrusted` hosts are shown keys only: whatever a person
    /// types could be used elsewhere.
    pub fn new(options: &ClientOptions, distrusted: bool) -> Self {
        let names = options.preferred_authentications.clone();
        let names = names.unwrap_or_else(|| USUAL.iter().map(|name| (*name).to_owned()).collect());
        let may_ask = !options.batch_mode && !distrusted;
        let allowed = |method: &Method| match method {
            Method::PublicKey => options.pubkey_authentication,
            Method::KeyboardInteractive => options.kbd_interactive_authentication && may_ask,
            Method::Password => options.password_authentication && may_ask,
        };
        let preferred = names.iter().filter_map(|name| Method::from_name(name)).filter(allowed).collect();
        let prompts = options.number_of_password_prompts;
        Self { preferred, prompts, passwords: 0, interactive: 0, was_asked: true }
    }

    /// The next method to try, of those the server offers. `keys_left` says whether there is a key
    /// that was not shown yet.
    pub fn next(&mut self, offered: &[String], keys_left: bool) -> Option<Method> {
        let place = self.preferred.iter().position(|method| {
            let left = match method {
                Method::PublicKey => keys_left,
                Method::KeyboardInteractive => self.interactive < self.prompts && self.was_asked,
                Method::Password => self.passwords < self.prompts,
            };
            left && offered.iter().any(|name| name == method.name())
        })?;
        let method = *self.preferred.get(place)?;
        match method {
            Method::PublicKey => {}
            Method::KeyboardInteractive => {
                self.interactive += 1;
                self.was_asked = false;
            }
            Method::Password => self.passwords += 1,
        }
        Some(method)
    }

    /// The server asked something by keyboard-interactive. One that refuses without a question has
    /// nothing to ask, and would refuse again.
    pub fn was_asked(&mut self) {
        self.was_asked = true;
    }

    /// The person does not want to go on with a method.
    pub fn give_up_on(&mut self, method: Method) {
        self.preferred.retain(|other| *other != method);
    }

    /// How often a password was tried before the present time.
    pub fn earlier_passwords(&self) -> u32 {
        self.passwords.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ssh::offer::client_sets;
    use crate::world::Machine;
    use nacre_config::client::{Invocation, resolve};

    fn order(options: &[&str], distrusted: bool) -> Order {
        let options = options.iter().map(|line| (*line).to_owned()).collect();
        let invocation = Invocation { host: "h".to_owned(), options, ..Invocation::default() };
        Order::new(&resolve(&Machine, &client_sets(), &invocation).unwrap(), distrusted)
    }

    fn all(mut order: Order, offered: &[&str], mut keys: u32) -> Vec<&'static str> {
        let offered: Vec<String> = offered.iter().map(|name| (*name).to_owned()).collect();
        let mut tried = Vec::new();
        while let Some(method) = order.next(&offered, keys > 0) {
            tried.push(method.name());
            keys = keys.saturating_sub(u32::from(method == Method::PublicKey));
            if method == Method::KeyboardInteractive {
                order.was_asked();
            }
        }
        tried
    }

    #[test]
    fn keys_then_questions_then_passwords() {
        let offered = ["password", "publickey", "keyboard-interactive", "hostbased"];
        let tried = all(order(&["NumberOfPasswordPrompts 2"], false), &offered, 2);
        let (key, ask, password) = ("publickey", "keyboard-interactive", "password");
        assert_eq!(tried, [key, key, ask, ask, password, password]);
        let tried = all(order(&["PreferredAuthentications password,publickey"], false), &offered, 1);
        assert_eq!(tried, [password, password, password, key]);
    }

    #[test]
    fn only_what_is_offered_and_allowed() {
        let offered = ["password", "publickey", "keyboard-interactive"];
        assert_eq!(all(order(&["BatchMode yes"], false), &offered, 1), ["publickey"]);
        assert_eq!(all(order(&["PubkeyAuthentication no", "BatchMode yes"], false), &offered, 1), [""; 0]);
        assert_eq!(all(order(&["NumberOfPasswordPrompts 0"], false), &offered, 0), [""; 0]);
        assert_eq!(all(order(&[], false), &["publickey"], 3).len(), 3);
        assert_eq!(all(order(&[], false), &["hostbased"], 3), [""; 0]);
    }

    #[test]
    fn h01_a_host_that_is_not_trusted_gets_nothing_a_person_types() {
        let offered = ["password", "publickey", "keyboard-interactive"];
        assert_eq!(all(order(&[], true), &offered, 1), ["publickey"]);
    }

    #[test]
    fn questions_that_never_come_are_not_waited_for() {
        let mut order = order(&["PasswordAuthentication no"], false);
        let offered = ["keyboard-interactive".to_owned()];
        assert_eq!(order.next(&offered, false), Some(Method::KeyboardInteractive));
        assert_eq!(order.next(&offered, false), None);
    }
}
