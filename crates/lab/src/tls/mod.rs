//! TLS 1.3 (RFC 8446) as somebody hears it who listens and has the keys: message by message, in the rows of SSH.
//!
//! Nothing here speaks TLS. What was said comes in as bytes, the keys as the lines that programs write for listeners
//! (`SSLKEYLOGFILE`), whoever the two ends were.

mod cursor;
mod hello;
mod names;
mod record;

use crate::step::Row::{End, KeyExchange, ServerProof, Session, UserProof, Versions};
use crate::{Fault, Field, Row, Step, Who};
use cursor::Cursor;
use data_encoding::HEXLOWER;
use hello::{ClientHello, ServerHello};
use nacre_wire::Role;
use record::{Keys, Suite};

/// The label of the value that a step of TLS decided.
pub const CHOSEN: &str = "chosen";

/// The label that the first step of each of the handshake's messages has: its number and its length.
pub const MESSAGE: &str = "message";

/// Bytes of a message's kind and length.
const HEAD: usize = 4;
/// The longest message that is put together; programs have chains of certificates well below it.
const MOST: usize = 256 * 1024;

/// What was said on a connection, in order: who spoke, and bytes as they passed.
///
/// # Errors
/// It is no TLS 1.3, or the key log does not open it.
pub fn overheard(spoken: &[(Role, Vec<u8>)], key_log: &str) -> Result<Vec<Step>, Fault> {
    let mut listener =
        Listener { key_log, random: Vec::new(), suite: None, ways: Default::default(), steps: Vec::new() };
    listener.step((Row::Connect, 1), Role::Client, "tcp", "connects; nothing says who answers");
    for (by, bytes) in spoken {
        listener.hear(*by, bytes)?;
    }
    Ok(listener.steps)
}

/// One direction.
#[derive(Default)]
struct Way {
    /// The beginning of a record.
    stream: Vec<u8>,
    /// The beginning of a message.
    message: Vec<u8>,
    keys: Option<Keys>,
}

struct Listener<'a> {
    key_log: &'a str,
    /// The client's random value, by which the key log knows the connection.
    random: Vec<u8>,
    suite: Option<Suite>,
    /// The client's, the server's.
    ways: (Way, Way),
    steps: Vec<Step>,
}

impl Listener<'_> {
    fn way(&mut self, by: Role) -> &mut Way {
        match by {
            Role::Client => &mut self.ways.0,
            Role::Server => &mut self.ways.1,
        }
    }

    fn step(&mut self, (row, step): (Row, u8), who: impl Into<Who>, name: &'static str, text: &str) {
        self.steps.push(Step::new(row, step, who, name, text));
    }

    /// A step that decided something.
    fn chose(&mut self, place: (Row, u8), who: impl Into<Who>, name: &'static str, text: &str, chosen: String) {
        self.steps.push(Step::new(place.0, place.1, who, name, text).public(CHOSEN, chosen));
    }

    fn hear(&mut self, by: Role, bytes: &[u8]) -> Result<(), Fault> {
        self.way(by).stream.extend_from_slice(bytes);
        while let Some((header, content)) = record::next(&mut self.way(by).stream)? {
            let [kind, ..] = header;
            match (kind, &mut self.way(by).keys) {
                (record::APPLICATION_DATA, Some(keys)) => {
                    let (kind, content) = keys.open(header, content)?;
                    self.content(by, kind, &content)?;
                }
                (record::APPLICATION_DATA, None) => return Err(Fault::OutOfTurn),
                _ => self.content(by, kind, &content)?,
            }
        }
        Ok(())
    }

    /// What is in a record.
    fn content(&mut self, by: Role, kind: u8, content: &[u8]) -> Result<(), Fault> {
        match kind {
            record::HANDSHAKE => return self.messages(by, content),
            record::APPLICATION_DATA => self.step((Session, 8), by, "application_data", "sends data"),
            record::CHANGE_CIPHER_SPEC => {
                let text = "means nothing any more: it is there for machines on the way that know older versions";
                self.step((KeyExchange, 4), by, "change_cipher_spec", text);
            }
            record::ALERT => match content {
                [_, 0] => self.step((End, 9), by, "close_notify", "says that nothing follows: a cut would be seen"),
                [_, why] => self.chose((End, 9), by, "alert", "ends the connection", why.to_string()),
                _ => return Err(Fault::NotAsStated("an alert of TLS")),
            },
            _ => return Err(Fault::NotAsStated("a record of TLS")),
        }
        Ok(())
    }

    /// Messages of the handshake, which know nothing of records.
    fn messages(&mut self, by: Role, content: &[u8]) -> Result<(), Fault> {
        self.way(by).message.extend_from_slice(content);
        loop {
            let pending = &mut self.way(by).message;
            let mut cursor = Cursor(pending);
            let (Ok(kind), Ok(length)) = (cursor.number::<1>(), cursor.number::<3>()) else { return Ok(()) };
            if length > MOST {
                return Err(Fault::TooLong { announced: u64::try_from(length).unwrap_or(u64::MAX), most: MOST });
            }
            let Ok(body) = cursor.take(length) else { return Ok(()) };
            let body = body.to_vec();
            pending.drain(..HEAD + length);
            let before = self.steps.len();
            self.message(by, kind, &body)?;
            if let Some(step) = self.steps.get_mut(before) {
                let value = format!("number {kind}, {} bytes", HEAD + length);
                step.fields.push(Field { label: MESSAGE, value, secret: false });
            }
        }
    }

    fn message(&mut self, by: Role, kind: usize, body: &[u8]) -> Result<(), Fault> {
        let proof = if by == Role::Server { (ServerProof, 5) } else { (UserProof, 6) };
        match (kind, by) {
            (1, Role::Client) => return self.client_hello(body),
            (2, Role::Server) => return self.server_hello(body),
            (4, Role::Server) => {
                self.step(
                    (Session, 7),
                    by,
                    "new_session_ticket",
                    "gives a ticket, with which the next handshake is short",
                );
            }
            (8, Role::Server) => {
                let text = "says what else it takes of the offers; from here on everything is encrypted";
                self.step((KeyExchange, 4), by, "encrypted_extensions", text);
            }
            (11, _) => self.step(proof, by, "certificate", "shows a certificate: who it is, said by somebody else"),
            (13, Role::Server) => {
                self.step((UserProof, 6), by, "certificate_request", "wants a certificate of the client")
            }
            (15, _) => {
                let scheme = names::signature(Cursor(body).two()?);
                let text = "signs everything that both said so far with the certificate's key";
                self.chose(proof, by, "certificate_verify", text, scheme);
            }
            (20, _) => return self.finished(by),
            _ => return Err(Fault::NotAsStated("a message of TLS's handshake")),
        }
        Ok(())
    }

    fn client_hello(&mut self, body: &[u8]) -> Result<(), Fault> {
        let hello = ClientHello::read(body)?;
        self.random = hello.random.to_vec();
        let by = Role::Client;
        let suites: Vec<String> = hello.suites.iter().map(|number| suite_name(*number)).collect();
        let offers = [
            (
                (Versions, 2),
                "client_hello",
                "says which versions it speaks",
                names::all(&hello.versions, names::version),
            ),
            ((KeyExchange, 3), "cipher_suites", "says how records can be sealed", suites.join(", ")),
            ((KeyExchange, 4), "key_shares", "sends its halves at once", names::all(&hello.shares, names::group)),
        ];
        for ((row, step), name, text, offered) in offers {
            self.steps.push(Step::new(row, step, by, name, text).public("offered", offered));
        }
        Ok(())
    }

    fn server_hello(&mut self, body: &[u8]) -> Result<(), Fault> {
        let hello = ServerHello::read(body)?;
        let by = Role::Server;
        let group = hello.share.map_or_else(|| "none".to_owned(), names::group);
        if hello.retry {
            self.chose((KeyExchange, 3), by, "hello_retry_request", "wants another half", group);
            return Ok(());
        }
        let version = hello.version.filter(|version| *version == 0x0304);
        let version = version.ok_or(Fault::NotAsStated("the version, which should be TLS 1.3,"))?;
        let suite = Suite::from_number(hello.suite).ok_or(Fault::NotAsStated("the cipher suite"))?;
        self.chose((Versions, 2), by, "server_hello", "says which version it is", names::version(version));
        self.chose((KeyExchange, 3), by, "cipher_suite", "takes one of the offers", suite.name.to_owned());
        self.chose((KeyExchange, 4), by, "key_share", "sends its half; both have the secret", group);
        self.suite = Some(suite);
        self.switch(Role::Client, "CLIENT_HANDSHAKE_TRAFFIC_SECRET")?;
        self.switch(Role::Server, "SERVER_HANDSHAKE_TRAFFIC_SECRET")
    }

    fn finished(&mut self, by: Role) -> Result<(), Fault> {
        self.step((KeyExchange, 4), by, "finished", "seals the whole handshake with a MAC: both heard the same");
        match by {
            Role::Client => self.switch(by, "CLIENT_TRAFFIC_SECRET_0"),
            Role::Server => self.switch(by, "SERVER_TRAFFIC_SECRET_0"),
        }
    }

    /// From here on the records of a direction are sealed with the secret that the key log has under this label.
    fn switch(&mut self, by: Role, label: &str) -> Result<(), Fault> {
        let suite = self.suite.ok_or(Fault::OutOfTurn)?;
        let random = HEXLOWER.encode(&self.random);
        let secret = self.key_log.lines().find_map(|line| match *line.split(' ').collect::<Vec<_>>() {
            [name, of, secret] if name == label && of.eq_ignore_ascii_case(&random) => Some(secret),
            _ => None,
        });
        let secret = secret.and_then(|digits| data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok());
        let secret = secret.ok_or(Fault::NotAsStated("the key log"))?;
        self.way(by).keys = Some(Keys::new(suite, &secret)?);
        Ok(())
    }
}

fn suite_name(number: u16) -> String {
    Suite::from_number(number).map_or_else(|| format!("0x{number:04x}"), |suite| suite.name.to_owned())
}
