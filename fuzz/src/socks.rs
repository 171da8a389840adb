//! What a SOCKS client says.

use nacre::ssh::forward::socks::{MAX_BUFFER, Refusal, Socks, Step};

/// What the bytes lead to, given in pieces of a size, and what is left over.
fn run(bytes: &[u8], size: usize) -> (Vec<Step>, Vec<u8>) {
    let (mut socks, mut steps, mut over) = (Socks::default(), Vec::new(), false);
    for piece in bytes.chunks(size) {
        assert!(socks.feed(piece), "no more than {MAX_BUFFER} bytes were given");
        while !over {
            match socks.step() {
                Step::More => break,
                step => {
                    over = matches!(step, Step::Connect(_) | Step::HangUp(_));
                    steps.push(step);
                }
            }
            assert!(steps.len() <= 3, "a greeting, an answer and a request: {steps:?}");
        }
    }
    (steps, socks.into_rest())
}

/// A client's bytes lead to the same however they are cut; who asks for a host asks for one that has a name.
pub fn socks(data: &[u8]) {
    let Some((size, data)) = data.split_first() else { return };
    let data = &data[..data.len().min(MAX_BUFFER)];
    let whole = run(data, data.len().max(1));
    assert_eq!(run(data, usize::from(*size).max(1)), whole);
    assert!(whole.1.len() <= data.len());
    for step in &whole.0 {
        match step {
            Step::Connect(request) => {
                assert!(!request.host.is_empty() && request.host.len() <= 255, "{request:?}");
                for answer in [request.granted(), request.refused(Refusal::NotAllowed), request.refused(Refusal::Other)]
                {
                    assert!((8..=10).contains(&answer.len()));
                }
            }
            Step::Say(answer) | Step::HangUp(answer) => assert!(answer.len() <= 10, "{answer:?}"),
            Step::More => unreachable!("it is no step"),
        }
    }
    let mut full = Socks::default();
    assert!(full.feed(&vec![4; MAX_BUFFER]) && !full.feed(&[0]));
}
