//! Seeds the corpora of the laboratory's protocols with conversations: `cargo run --no-default-features --example
//! seed-lab`.

use nacre_fuzz::lab::{dh_chat_session, randomness, rsa_chat_session};
use nacre_lab::{Moment, Repairs, dh_chat, mini_ssh, rsa_chat, toy_socket};
use nacre_testkit::Pair;
use nacre_wire::number::Role;
use std::fs;
use std::path::Path;

/// What each end heard.
#[derive(Default)]
struct Heard {
    server: Vec<u8>,
    client: Vec<u8>,
}

/// Writes what both ends heard, whole, cut short and with a byte changed, for several ways of cutting.
fn put(target: &str, name: &str, heard: &Heard) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).expect("a folder");
    for (end, how, bytes) in [("server", 0u8, &heard.server), ("client", 1, &heard.client)] {
        let write = |kind: &str, how: u8, bytes: &[u8]| {
            let file = [&[how], bytes].concat();
            fs::write(folder.join(format!("{name}-{end}-{kind}")), file).expect("a file");
        };
        write("whole", how | 7 << 2, bytes);
        write("cut", how | 1 << 2, &bytes[..bytes.len() * 2 / 3]);
        let mut changed = bytes.clone();
        let place = bytes.len() - bytes.len() / 8 - 1;
        changed[place] ^= 1;
        write("changed", how | 63 << 2, &changed);
    }
}

macro_rules! carry {
    ($server:expr, $client:expr, $heard:expr, $poll:expr) => {
        loop {
            let (to_client, to_server) = ($server.take_output(), $client.take_output());
            if to_client.is_empty() && to_server.is_empty() {
                break;
            }
            $heard.client.extend_from_slice(&to_client);
            $heard.server.extend_from_slice(&to_server);
            $client.receive(&to_client);
            $server.receive(&to_server);
            $poll(&mut $server, &mut $client);
        }
    };
}

/// A connection of SSH up to a session, and for the long line with some data.
fn ssh(line: &str) -> Heard {
    let mut pair = Pair::default();
    pair.to_client.recorded = Some(Vec::new());
    pair.to_server.recorded = Some(Vec::new());
    pair.log_in();
    let (channel, _) = pair.open_session();
    if let Some(mut channel) = pair.client.connection.channel(channel) {
        channel.write(nacre_proto::Stream::Main, line.as_bytes());
    }
    pair.drive();
    Heard { server: pair.to_server.recorded.unwrap_or_default(), client: pair.to_client.recorded.unwrap_or_default() }
}

const LINES: [(&str, &str); 2] = [("short", "hi"), ("long", "/pm Bob a message of more than one block, äöü")];

fn main() {
    for (name, line) in LINES {
        let mut heard = Heard::default();
        let (mut server, mut client) = (dh_chat_session(Role::Server, true), dh_chat_session(Role::Client, true));
        let quiet = |_: &mut dh_chat::Session, _: &mut dh_chat::Session| {};
        carry!(server, client, heard, quiet);
        server.say(line);
        client.say(line);
        carry!(server, client, heard, quiet);
        client.leave();
        carry!(server, client, heard, quiet);
        put("lab_dh_chat", name, &heard);

        let mut heard = Heard::default();
        let (mut server, mut client) = (rsa_chat_session(Role::Server), rsa_chat_session(Role::Client));
        let accept = |server: &mut rsa_chat::Session, _: &mut rsa_chat::Session| {
            while let Some(event) = server.poll_event() {
                if matches!(event, rsa_chat::Event::Name(_)) {
                    server.accept();
                }
            }
        };
        carry!(server, client, heard, accept);
        client.say("Alice");
        carry!(server, client, heard, accept);
        client.say(line);
        server.say(line);
        carry!(server, client, heard, accept);
        put("lab_rsa_chat", name, &heard);

        let mut heard = Heard::default();
        let session = |role| mini_ssh::Session::new(role, &Repairs::NONE, randomness(role)).expect("a session");
        let (mut server, mut client) = (session(Role::Server), session(Role::Client));
        let drain = |server: &mut mini_ssh::Session, client: &mut mini_ssh::Session| {
            while server.poll_event().is_some() || client.poll_event().is_some() {}
        };
        carry!(server, client, heard, drain);
        for text in ["user", "pass123", line] {
            server.say(Moment::FIXED, b"Username: ");
            client.say(Moment::FIXED, text.as_bytes());
        }
        carry!(server, client, heard, drain);
        put("lab_mini_ssh", name, &heard);

        let mut heard = Heard::default();
        let session = |role| {
            toy_socket::Session::new(role, toy_socket::BITS, &Repairs::NONE, randomness(role)).expect("a session")
        };
        let (mut server, mut client) = (session(Role::Server), session(Role::Client));
        let quiet = |_: &mut toy_socket::Session, _: &mut toy_socket::Session| {};
        carry!(server, client, heard, quiet);
        client.say(line.as_bytes());
        server.say(line.as_bytes());
        carry!(server, client, heard, quiet);
        client.leave();
        carry!(server, client, heard, quiet);
        put("lab_toy_socket", name, &heard);
        put("lab_terrapin", name, &ssh(line));
    }
}
