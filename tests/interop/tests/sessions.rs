//! What a session is made of: commands, exit codes, streams, signals, terminals, refusals.

use interop::pair::Pair;
use interop::pairs;
use interop::pty::Terminal;
use interop::server::Make;

pairs!(
    a_command_s_output_comes_back,
    exit_codes_come_back,
    input_goes_there_and_comes_back,
    standard_error_is_apart,
    a_signal_is_not_an_exit_code,
    an_unknown_subsystem_is_refused,
    a_command_that_ends_early_leaves_no_client_behind,
    a_command_may_be_on_a_terminal,
);

fn a_command_s_output_comes_back(pair: Pair) {
    let server = pair.start();
    let done = pair.call(&server).run("echo there; printf 'no newline'", b"");
    assert_eq!((done.code, done.text().as_str()), (0, "there\nno newline"), "{}", done.errors());
}

fn exit_codes_come_back(pair: Pair) {
    let server = pair.start();
    for code in [0, 1, 2, 42, 126, 127, 128, 200, 254, 255] {
        let done = pair.call(&server).run(&format!("exit {code}"), b"");
        assert_eq!(done.code, code, "{}", done.errors());
    }
}

fn input_goes_there_and_comes_back(pair: Pair) {
    let server = pair.start();
    let every_byte: Vec<u8> = (0..=255).collect();
    for input in [&b""[..], b"x", &every_byte, &vec![7; 100_000]] {
        let done = pair.call(&server).run("cat", input);
        assert_eq!(done.code, 0, "{}", done.errors());
        assert!(done.out == input, "{} bytes in, {} out", input.len(), done.out.len());
    }
}

fn standard_error_is_apart(pair: Pair) {
    let server = pair.start();
    let done = pair.call(&server).run("echo out; echo err >&2; echo out; echo err >&2", b"");
    assert_eq!((done.code, done.text().as_str()), (0, "out\nout\n"), "{}", done.errors());
    assert!(done.errors().contains("err\nerr\n"), "{}", done.errors());
}

fn a_signal_is_not_an_exit_code(pair: Pair) {
    let server = pair.start();
    let done = pair.call(&server).run("echo before; kill -TERM $$; echo after", b"");
    // ssh keeps 255 for all that is not a remote exit code. Our client made with russh has a code of
    // its own for it, and Dropbear's ends with 0 whoever the server is.
    let expected = match pair.client {
        Make::Russh => 251,
        Make::Dropbear => 0,
        _ => 255,
    };
    assert_eq!((done.code, done.text().as_str()), (expected, "before\n"), "{}", done.errors());
    if pair.client == Make::Russh {
        assert!(done.errors().contains("exit-signal TERM"), "{}", done.errors());
    }
}

fn an_unknown_subsystem_is_refused(pair: Pair) {
    let server = pair.start();
    let call = pair.call(&server);
    let mut command = match pair.client {
        Make::Russh => call.words(&["--subsystem", "no-such-subsystem"]).command(&[]),
        _ => call.words(&["-s"]).command(&["no-such-subsystem"]),
    };
    let done = interop::run::run(&mut command, b"");
    // Dropbear's client ends with 0, whoever the server is.
    assert_eq!(done.code == 0, pair.client == Make::Dropbear, "{}", done.errors());
    assert_eq!(done.text(), "");
    // The server goes on.
    assert_eq!(pair.call(&server).run("exit 3", b"").code, 3);
}

fn a_command_that_ends_early_leaves_no_client_behind(pair: Pair) {
    let server = pair.start();
    // A megabyte is more than any window at the start: the client is still sending when the
    // command is gone.
    let done = pair.call(&server).run("head -c 10", &vec![b'x'; 1 << 20]);
    assert_eq!((done.code, done.text().as_str()), (0, "xxxxxxxxxx"), "{}", done.errors());
}

fn a_command_may_be_on_a_terminal(pair: Pair) {
    if pair.server == Make::Russh {
        // Our server made with russh has no terminals to give.
        return refused_terminal(pair);
    }
    let server = pair.start();
    let call = pair.call(&server);
    let call = match pair.client {
        Make::Russh => call.words(&["--tty", "100x30"]),
        _ => call.words(&["-t"]),
    };
    let command = "test -t 0 && test -t 1 && test -t 2 && stty size && echo term $TERM && exit 5";
    let mut terminal = Terminal::start(&mut call.command(&[command]), 100, 30);
    let shown = terminal.expect("term xterm");
    assert!(shown.contains("30 100"), "{shown}");
    assert_eq!(terminal.end(), 5);
}

fn refused_terminal(pair: Pair) {
    let server = pair.start();
    let mut terminal = Terminal::start(&mut pair.call(&server).words(&["-t"]).command(&["echo it went on"]), 80, 24);
    terminal.expect("it went on");
    assert_eq!(terminal.end(), 0);
}
