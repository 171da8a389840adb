//! The client's state machine against agents that answer well, badly, in pieces and not at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use nacre_agent::client::MAX_WAITING;
use nacre_agent::{AgentError, Answer, Client, Request, RequestId, SessionBind, SignFlags, SignRequest};
use nacre_wire::WriteExt;

const SIGN: Request<'static> =
    Request::SignRequest(SignRequest { public_key: b"K", data: b"data", flags: SignFlags::NONE });
const BIND: Request<'static> = Request::SessionBind(SessionBind {
    host_key: b"H",
    session_identifier: b"I",
    signature: b"S",
    is_forwarding: false,
});

fn frame(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_string(message);
    out
}

fn identities() -> Vec<u8> {
    let mut message = vec![12];
    message.put_u32(1);
    message.put_string(b"K");
    message.put_string(b"comment");
    frame(&message)
}

fn signature() -> Vec<u8> {
    let mut blob = Vec::new();
    blob.put_string(b"ssh-ed25519");
    blob.put_string([9; 64]);
    let mut message = vec![14];
    message.put_string(blob);
    frame(&message)
}

fn all_answers(client: &mut Client) -> Vec<(RequestId, Answer)> {
    std::iter::from_fn(|| client.poll_answer()).collect()
}

#[test]
fn answers_come_in_order_however_the_bytes_are_cut() {
    let stream = [identities(), frame(&[6]), signature(), frame(&[5])].concat();
    for piece in 1..=stream.len() {
        let mut client = Client::new();
        let ids = [Request::RequestIdentities, BIND, SIGN, SIGN].map(|request| client.request(&request).unwrap());
        for bytes in stream.chunks(piece) {
            client.receive(bytes).unwrap();
        }
        let answers = all_answers(&mut client);
        assert_eq!(answers.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
        assert!(matches!(&answers[0].1, Answer::Identities(keys) if keys[0].public_key == b"K"));
        assert_eq!(answers[1].1, Answer::Success);
        assert!(matches!(&answers[2].1, Answer::Signature(made) if made.algorithm() == "ssh-ed25519"));
        assert_eq!(answers[3].1, Answer::Failure);
        client.receive_end().unwrap();
    }
}

#[test]
fn bytes_for_the_agent_come_out_in_pieces_and_once() {
    let mut client = Client::new();
    client.request(&Request::RequestIdentities).unwrap();
    client.request(&SIGN).unwrap();
    let mut expected = Vec::new();
    Request::RequestIdentities.encode(&mut expected).unwrap();
    SIGN.encode(&mut expected).unwrap();
    let mut out = Vec::new();
    while client.poll_transmit(&mut out, 3) > 0 {}
    assert_eq!(out, expected);
    assert_eq!(client.poll_transmit(&mut out, usize::MAX), 0);
}

#[test]
fn g01_hostile_lengths_end_the_connection_and_the_error_stays() {
    for (length, error) in [(u32::MAX, AgentError::FrameTooLong { length: u32::MAX }), (0, AgentError::FrameEmpty)] {
        let mut client = Client::new();
        client.request(&Request::RequestIdentities).unwrap();
        assert_eq!(client.receive(&length.to_be_bytes()), Err(error.clone()));
        assert_eq!(client.receive(&identities()), Err(error.clone()));
        assert_eq!(client.request(&SIGN), Err(error.clone()));
        assert_eq!(client.receive_end(), Err(error));
        assert_eq!(client.poll_answer(), None);
    }
}

#[test]
fn g01_a_million_identities_end_the_connection() {
    let mut message = vec![12];
    message.put_u32(1_000_000);
    message.extend_from_slice(&[0; 64]);
    let mut client = Client::new();
    client.request(&Request::RequestIdentities).unwrap();
    let error = AgentError::TooManyIdentities { count: 1_000_000, possible: 8 };
    assert_eq!(client.receive(&frame(&message)), Err(error));
}

#[test]
fn an_answer_nobody_asked_for_is_refused_after_those_that_were() {
    let mut client = Client::new();
    client.request(&Request::RequestIdentities).unwrap();
    let stream = [identities(), identities()].concat();
    assert_eq!(client.receive(&stream), Err(AgentError::Unasked { number: 12 }));
    assert_eq!(all_answers(&mut client).len(), 1);
    assert_eq!(Client::new().receive(&frame(&[6])), Err(AgentError::Unasked { number: 6 }));
}

#[test]
fn each_request_takes_only_its_own_answers() {
    let requests = [(Request::RequestIdentities, 11), (SIGN, 13), (BIND, 27)];
    let answers = [(identities(), 12), (signature(), 14), (frame(&[6]), 6), (frame(&[28]), 28), (frame(&[5]), 5)];
    let fits = [(11, 12), (13, 14), (27, 6), (27, 28), (11, 5), (13, 5), (27, 5)];
    for (request, asked) in &requests {
        for (bytes, got) in &answers {
            let mut client = Client::new();
            client.request(request).unwrap();
            let outcome = client.receive(bytes);
            if fits.contains(&(*asked, *got)) {
                outcome.unwrap();
                assert_eq!(all_answers(&mut client).len(), 1);
            } else {
                assert_eq!(outcome, Err(AgentError::WrongAnswer { asked: *asked, got: *got }));
                assert_eq!(client.poll_answer(), None);
            }
        }
    }
}

#[test]
fn an_agent_that_leaves_is_told_from_one_that_is_done() {
    let mut client = Client::new();
    client.receive_end().unwrap();
    client.request(&SIGN).unwrap();
    assert_eq!(client.receive_end(), Err(AgentError::Ended { waiting: 1 }));
    let mut client = Client::new();
    client.receive(&[0, 0]).unwrap();
    assert_eq!(client.receive_end(), Err(AgentError::Ended { waiting: 0 }));
}

#[test]
fn requests_without_answers_are_bounded_until_answers_are_taken() {
    let mut client = Client::new();
    for _ in 0..MAX_WAITING {
        client.request(&SIGN).unwrap();
    }
    assert_eq!(client.request(&SIGN), Err(AgentError::TooManyWaiting));
    client.receive(&frame(&[5])).unwrap();
    assert_eq!(client.request(&SIGN), Err(AgentError::TooManyWaiting));
    client.poll_answer().unwrap();
    client.request(&SIGN).unwrap();
}

#[test]
fn errors_say_what_came_by_name() {
    let text = AgentError::WrongAnswer { asked: 13, got: 12 }.to_string();
    assert!(text.contains("SSH_AGENTC_SIGN_REQUEST") && text.contains("SSH_AGENT_IDENTITIES_ANSWER"), "{text}");
    let text = AgentError::NotAnAnswer { number: 200 }.to_string();
    assert!(text.contains("200"), "{text}");
}
