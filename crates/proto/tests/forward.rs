//! Forwarding over whole connections in memory: RFC 4254 §7 in both roles.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use nacre_proto::{Role, Stream};
use nacre_testkit::Pair;
use nacre_testkit::pair::Setup;
use nacre_wire::forward::{ForwardOpen, ForwardRequest, Originator};

fn originator() -> Originator {
    Originator { address: "192.0.2.7".into(), port: 40_000 }
}

fn direct() -> [ForwardOpen; 2] {
    [
        ForwardOpen::DirectTcpip { host: "web".into(), port: 80, originator: originator() },
        ForwardOpen::DirectStreamlocal { path: b"/run/socket".to_vec() },
    ]
}

fn forwarded() -> [ForwardOpen; 2] {
    [
        ForwardOpen::ForwardedTcpip { address: "localhost".into(), port: 80, originator: originator() },
        ForwardOpen::ForwardedStreamlocal { path: b"/run/socket".to_vec() },
    ]
}

/// Has one role open a channel and says what both ends tell of it.
fn open(by: Role, open: &ForwardOpen) -> (Pair, Vec<String>, Vec<String>) {
    let mut pair = Pair::logged_in(Setup::default());
    let (client, server) = (pair.client.log.len(), pair.server.log.len());
    let opener = if by == Role::Client { &mut pair.client } else { &mut pair.server };
    opener.connection.open_forward(pair.now, open).unwrap();
    pair.drive();
    let logs = (pair.client.log[client..].to_vec(), pair.server.log[server..].to_vec());
    (pair, logs.0, logs.1)
}

#[test]
fn each_role_opens_its_kinds_and_they_carry_data_both_ways() {
    let cases = direct().map(|o| (Role::Client, o)).into_iter().chain(forwarded().map(|o| (Role::Server, o)));
    for (by, kind) in cases {
        let (mut pair, client, server) = open(by, &kind);
        let (opener, answerer) = if by == Role::Client { (&client, &server) } else { (&server, &client) };
        assert_eq!(answerer, &[format!("open {}", kind.kind())]);
        assert!(opener.iter().any(|line| line == "opened"), "{opener:?}");
        let (ours, theirs) = (pair.client.channels[0], pair.server.channels[0]);
        pair.client.connection.channel(ours).unwrap().write(Stream::Main, b"there");
        pair.server.connection.channel(theirs).unwrap().write(Stream::Main, b"back");
        // A half that has ended says nothing of the other (RFC 4254 §5.3).
        pair.client.connection.channel(ours).unwrap().eof();
        pair.drive();
        pair.server.connection.channel(theirs).unwrap().write(Stream::Main, b" again");
        pair.drive();
        assert_eq!(pair.server.data[&(theirs.number(), Stream::Main)], b"there");
        assert_eq!(pair.client.data[&(ours.number(), Stream::Main)], b"back again");
    }
}

#[test]
fn h11_kinds_of_the_other_role_are_refused_without_a_question() {
    let cases = direct().map(|o| (Role::Server, o)).into_iter().chain(forwarded().map(|o| (Role::Client, o)));
    for (by, kind) in cases {
        let (pair, client, server) = open(by, &kind);
        let (opener, answerer) = if by == Role::Client { (client, server) } else { (server, client) };
        assert!(answerer.is_empty(), "{answerer:?}");
        assert!(!opener.iter().any(|line| line == "opened"), "{opener:?}");
        assert_eq!((pair.client.connection.channel_count(), pair.server.connection.channel_count()), (0, 0));
        assert!(pair.client.error.is_none() && pair.server.error.is_none());
    }
}

#[test]
fn requests_to_listen_are_questions_whose_answers_come_in_order() {
    let mut pair = Pair::logged_in(Setup::default());
    let requests = [
        ForwardRequest::Tcpip { address: String::new(), port: 0 },
        ForwardRequest::Streamlocal { path: b"/tmp/s".to_vec() },
        ForwardRequest::CancelTcpip { address: String::new(), port: 80 },
        ForwardRequest::CancelStreamlocal { path: b"/tmp/s".to_vec() },
    ];
    for request in &requests {
        pair.client.connection.request_forward(pair.now, request).unwrap();
    }
    pair.drive();
    for (request, line) in requests.iter().zip(pair.server.log.iter().rev().take(4).rev()) {
        assert_eq!(*line, format!("global {}", request.name()));
    }
    let replies: Vec<_> = pair.client.log.iter().filter(|line| line.starts_with("global reply")).collect();
    assert_eq!(replies.len(), requests.len(), "{:?}", pair.client.log);
}
