//! The table of the agent's message numbers (RFC 9987 §8.1): what each is called and who sends it.

/// The agent refuses, or could not do what was asked.
pub const FAILURE: u8 = 5;
/// Done, with nothing to tell.
pub const SUCCESS: u8 = 6;
/// Asks for the list of keys.
pub const REQUEST_IDENTITIES: u8 = 11;
/// The list of keys.
pub const IDENTITIES_ANSWER: u8 = 12;
/// Asks for a signature.
pub const SIGN_REQUEST: u8 = 13;
/// The signature.
pub const SIGN_RESPONSE: u8 = 14;
/// Gives the agent a key.
pub const ADD_IDENTITY: u8 = 17;
/// Takes a key away.
pub const REMOVE_IDENTITY: u8 = 18;
/// Takes all keys away.
pub const REMOVE_ALL_IDENTITIES: u8 = 19;
/// Gives the agent the keys of a hardware token.
pub const ADD_SMARTCARD_KEY: u8 = 20;
/// Takes the keys of a hardware token away.
pub const REMOVE_SMARTCARD_KEY: u8 = 21;
/// Locks the agent with a passphrase.
pub const LOCK: u8 = 22;
/// Unlocks it.
pub const UNLOCK: u8 = 23;
/// [`ADD_IDENTITY`] with constraints on the key's use.
pub const ADD_ID_CONSTRAINED: u8 = 25;
/// [`ADD_SMARTCARD_KEY`] with constraints on the keys' use.
pub const ADD_SMARTCARD_KEY_CONSTRAINED: u8 = 26;
/// A request that is named rather than numbered.
pub const EXTENSION: u8 = 27;
/// The agent knows the extension but could not do what was asked.
pub const EXTENSION_FAILURE: u8 = 28;
/// What a named request brought, when that is more than success.
pub const EXTENSION_RESPONSE: u8 = 29;

/// Who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The one who wants something signed.
    Client,
    /// The one who holds the keys.
    Agent,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The number on the wire.
    pub number: u8,
    /// The name in the RFC.
    pub name: &'static str,
    /// Who sends it.
    pub sender: Sender,
}

const fn request(number: u8, name: &'static str) -> Row {
    Row { number, name, sender: Sender::Client }
}

const fn answer(number: u8, name: &'static str) -> Row {
    Row { number, name, sender: Sender::Agent }
}

/// Every message of version 2 keys, by number. The numbers left out are reserved for the protocol's
/// abandoned first version (RFC 9987 §8.1).
pub const ROWS: [Row; 18] = [
    answer(FAILURE, "SSH_AGENT_FAILURE"),
    answer(SUCCESS, "SSH_AGENT_SUCCESS"),
    request(REQUEST_IDENTITIES, "SSH_AGENTC_REQUEST_IDENTITIES"),
    answer(IDENTITIES_ANSWER, "SSH_AGENT_IDENTITIES_ANSWER"),
    request(SIGN_REQUEST, "SSH_AGENTC_SIGN_REQUEST"),
    answer(SIGN_RESPONSE, "SSH_AGENT_SIGN_RESPONSE"),
    request(ADD_IDENTITY, "SSH_AGENTC_ADD_IDENTITY"),
    request(REMOVE_IDENTITY, "SSH_AGENTC_REMOVE_IDENTITY"),
    request(REMOVE_ALL_IDENTITIES, "SSH_AGENTC_REMOVE_ALL_IDENTITIES"),
    request(ADD_SMARTCARD_KEY, "SSH_AGENTC_ADD_SMARTCARD_KEY"),
    request(REMOVE_SMARTCARD_KEY, "SSH_AGENTC_REMOVE_SMARTCARD_KEY"),
    request(LOCK, "SSH_AGENTC_LOCK"),
    request(UNLOCK, "SSH_AGENTC_UNLOCK"),
    request(ADD_ID_CONSTRAINED, "SSH_AGENTC_ADD_ID_CONSTRAINED"),
    request(ADD_SMARTCARD_KEY_CONSTRAINED, "SSH_AGENTC_ADD_SMARTCARD_KEY_CONSTRAINED"),
    request(EXTENSION, "SSH_AGENTC_EXTENSION"),
    answer(EXTENSION_FAILURE, "SSH_AGENT_EXTENSION_FAILURE"),
    answer(EXTENSION_RESPONSE, "SSH_AGENT_EXTENSION_RESPONSE"),
];

/// The row of a number, if the protocol knows it.
pub fn row(number: u8) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.number == number)
}

/// The name of a number, for messages to people.
pub fn name(number: u8) -> &'static str {
    row(number).map_or("unknown to RFC 9987", |row| row.name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn numbers_rise_and_names_say_who_sends() {
        assert!(ROWS.windows(2).all(|pair| pair[0].number < pair[1].number));
        for row in ROWS {
            assert_eq!(row.name.starts_with("SSH_AGENTC_"), row.sender == Sender::Client, "{}", row.name);
        }
        assert_eq!(name(14), "SSH_AGENT_SIGN_RESPONSE");
        assert!(row(24).is_none());
    }
}
