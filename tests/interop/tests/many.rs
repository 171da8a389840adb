//! Many connections: at once, and one after another.

use interop::pair::Pair;
use interop::pairs;
use interop::run::{LIMIT, code, spawn, wait};
use interop::server::Make;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;

pairs!(two_hundred_at_once, fifty_in_a_row);

const AT_ONCE: usize = 200;

/// All are logged in before the first may end.
fn two_hundred_at_once(pair: Pair) {
    let server = pair.start();
    // Dropbear closes the sixth connection from one address that is not logged in yet.
    let together = if pair.server == Make::Dropbear { 4 } else { AT_ONCE };
    let mut clients = Vec::new();
    while clients.len() < AT_ONCE {
        let mut started: Vec<Child> = (0..together)
            .map(|_| spawn(&mut pair.call(&server).command(&["echo in; cat >/dev/null; exit 11"])))
            .collect();
        started.iter_mut().for_each(logged_in);
        clients.append(&mut started);
    }
    assert_eq!(clients.len(), AT_ONCE);
    for client in &mut clients {
        drop(client.stdin.take());
    }
    for client in &mut clients {
        assert_eq!(wait(client, LIMIT).map(code), Some(11));
    }
}

fn logged_in(client: &mut Child) {
    let mut line = String::new();
    let mut out = BufReader::new(client.stdout.take().expect("a pipe"));
    out.read_line(&mut line).expect("a client's output");
    if line != "in\n" {
        let mut errors = String::new();
        let _ = client.kill();
        client.stderr.take().expect("a pipe").read_to_string(&mut errors).expect("a client's errors");
        panic!("{line:?}: {errors}");
    }
}

fn fifty_in_a_row(pair: Pair) {
    let server = pair.start();
    for _ in 0..50 {
        let done = pair.call(&server).run("exit 12", b"");
        assert_eq!(done.code, 12, "{}", done.errors());
    }
}
