#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::cast_possible_truncation)]
use super::*;

/// Everything a client's bytes lead to, whole and byte by byte.
fn steps(bytes: &[u8]) -> (Vec<Step>, Vec<u8>) {
    let whole = run(bytes, bytes.len().max(1));
    assert_eq!(run(bytes, 1), whole, "cut into single bytes");
    whole
}

fn run(bytes: &[u8], size: usize) -> (Vec<Step>, Vec<u8>) {
    let (mut socks, mut steps, mut over) = (Socks::default(), Vec::new(), false);
    for piece in bytes.chunks(size) {
        assert!(socks.feed(piece));
        while !over {
            match socks.step() {
                Step::More => break,
                step => {
                    over = matches!(step, Step::Connect(_) | Step::HangUp(_));
                    steps.push(step);
                }
            }
        }
    }
    (steps, socks.into_rest())
}

fn asked(bytes: &[u8]) -> (String, u16, Vec<u8>) {
    let (steps, rest) = steps(bytes);
    let Some(Step::Connect(request)) = steps.last() else { panic!("{steps:?}") };
    (request.host.clone(), request.port, rest)
}

#[test]
fn version_4() {
    let wanted = ("1.2.3.4".to_owned(), 80, b"more".to_vec());
    assert_eq!(asked(b"\x04\x01\x00\x50\x01\x02\x03\x04bob\0more"), wanted);
    assert_eq!(asked(b"\x04\x01\x00\x50\x00\x00\x00\x00\0").0, "0.0.0.0");
}

#[test]
fn version_4a() {
    assert_eq!(asked(b"\x04\x01\x01\xbb\0\0\0\x01\0web.example\0"), ("web.example".to_owned(), 443, Vec::new()));
}

#[test]
fn version_5() {
    let greeting = b"\x05\x02\x02\x00";
    for (request, host) in [
        (&b"\x05\x01\0\x01\x01\x02\x03\x04\x00\x50"[..], "1.2.3.4"),
        (b"\x05\x01\0\x03\x03web\x00\x50", "web"),
        (b"\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50", "::1"),
    ] {
        let (steps, rest) = steps(&[greeting, request, b"rest"].concat());
        assert_eq!(steps[0], Step::Say(vec![5, 0]));
        let Step::Connect(request) = &steps[1] else { panic!("{steps:?}") };
        assert_eq!((request.host.as_str(), request.port, rest.as_slice()), (host, 80, &b"rest"[..]));
        assert_eq!(request.granted(), [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(request.refused(Refusal::NotAllowed)[1], 2);
    }
}

#[test]
fn what_is_not_served_is_refused() {
    for (bytes, answer) in [
        (&b"GET / HTTP/1.0\r\n"[..], &b""[..]),
        (b"\x05\x01\x02", b"\x05\xff"),
        (b"\x05\x00", b"\x05\xff"),
        (b"\x04\x02\x00\x50\x01\x02\x03\x04\0", b"\0\x5b\0\0\0\0\0\0"),
        (b"\x04\x01\x00\x50\0\0\0\x01\0\0", b"\0\x5b\0\0\0\0\0\0"),
        (b"\x04\x01\x00\x50\0\0\0\x01\0a\x1bb\0", b"\0\x5b\0\0\0\0\0\0"),
        (b"\x05\x01\0\x05\x02\0\x01\x01\x02\x03\x04\x00\x50", b"\x05\x07\0\x01\0\0\0\0\0\0"),
        (b"\x05\x01\0\x05\x01\0\x02\x01\x02", b"\x05\x08\0\x01\0\0\0\0\0\0"),
        (b"\x05\x01\0\x05\x01\0\x03\0\0\x50", b"\x05\x01\0\x01\0\0\0\0\0\0"),
        (b"\x05\x01\0\x05\x01\0\x03\x02\xff\xfe\0\x50", b"\x05\x01\0\x01\0\0\0\0\0\0"),
    ] {
        let (steps, _) = steps(bytes);
        assert_eq!(steps.last(), Some(&Step::HangUp(answer.to_vec())), "{bytes:?}");
    }
}

#[test]
fn c04_nothing_grows_without_end() {
    let mut socks = Socks::default();
    assert!(socks.feed(b"\x04\x01\x00\x50\x01\x02\x03\x04"));
    assert!(socks.feed(&[b'a'; MAX_NAME]));
    assert_eq!(socks.step(), Step::More);
    assert!(socks.feed(b"a"));
    assert!(matches!(socks.step(), Step::HangUp(_)));
    assert!(!Socks::default().feed(&[0; MAX_BUFFER + 1]));
}

#[test]
fn c07_the_longest_name_is_taken_whole() {
    let name = "n".repeat(255);
    let request = [b"\x05\x01\0\x05\x01\0\x03\xff", name.as_bytes(), b"\0\x50"].concat();
    assert_eq!(asked(&request), (name.clone(), 80, Vec::new()));
    let request = [b"\x04\x01\0\x50\0\0\0\x01\0", name.as_bytes(), b"\0"].concat();
    assert_eq!(asked(&request).0, name);
    // UDP ASSOCIATE.
    let (steps, _) = steps(b"\x05\x01\0\x05\x03\0\x01\x01\x02\x03\x04\x00\x50");
    assert_eq!(steps.last(), Some(&Step::HangUp(reply(7))));
}

#[test]
fn any_bytes_lead_to_the_same_however_they_are_cut() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize % bound
    };
    let good = [
        &b"\x04\x01\x00\x50\x01\x02\x03\x04bob\0more"[..],
        b"\x04\x01\x01\xbb\0\0\0\x01\0web.example\0",
        b"\x05\x02\x02\x00\x05\x01\0\x03\x03web\x00\x50rest",
        b"\x05\x01\0\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50",
    ];
    for round in 0..20_000 {
        let mut bytes = good[round % good.len()].to_vec();
        for _ in 0..=next(4) {
            let place = next(bytes.len());
            match next(3) {
                0 => bytes[place] = next(256) as u8,
                1 => bytes.insert(place, [0, 1, 4, 5, 255][next(5)]),
                _ => bytes.truncate(place.max(1)),
            }
        }
        let (steps, rest) = steps(&bytes);
        assert!(rest.len() <= bytes.len() && steps.len() <= 2, "{bytes:?}");
    }
}
