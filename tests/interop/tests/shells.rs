//! A person at a terminal: a login shell, keys, sizes, interrupts.

use interop::pair::Pair;
use interop::pty::Terminal;
use interop::server::Make;

/// The makes that have terminals on both sides of a connection.
macro_rules! on_terminals {
    ($($test:ident),+ $(,)?) => {
        interop::pairs!(@peer openssh_client, Pair::client(Make::OpenSsh), $($test),+);
        interop::pairs!(@peer openssh_server, Pair::server(Make::OpenSsh), $($test),+);
        interop::pairs!(@peer dropbear_client, Pair::client(Make::Dropbear), $($test),+);
        interop::pairs!(@peer dropbear_server, Pair::server(Make::Dropbear), $($test),+);
        interop::pairs!(@peer nacre_alone, Pair::client(Make::Nacre), $($test),+);
    };
}

on_terminals!(a_shell_does_as_typed, the_terminal_s_size_follows, an_interrupt_reaches_the_command);

/// A shell that shows a prompt that nothing else shows.
fn shell(pair: Pair, server: &interop::server::Server) -> Terminal {
    let mut terminal = Terminal::start(&mut pair.call(server).command(&[]), 91, 37);
    // The quotes keep the echo of what is typed apart from what the shell says.
    terminal.type_in("PS1='rea''dy> '\n");
    terminal.expect("ready> ");
    terminal
}

fn a_shell_does_as_typed(pair: Pair) {
    let server = pair.start();
    let mut terminal = shell(pair, &server);
    terminal.type_in("stty size; echo on $TERM, 'st''ill' here\n");
    let shown = terminal.expect("still here");
    assert!(shown.contains("37 91"), "{shown}");
    assert!(shown.contains("on xterm"), "{shown}");
    terminal.type_in("exit 7\n");
    assert_eq!(terminal.end(), 7);
}

fn the_terminal_s_size_follows(pair: Pair) {
    let server = pair.start();
    let mut terminal = shell(pair, &server);
    // A shell of its own, as one at a prompt gives the terminal to each command in turn.
    terminal.type_in("exec sh -c 'trap \"stty size; exit 0\" WINCH; echo tra\"\"pped; while :; do sleep 0.05; done'\n");
    terminal.expect("trapped");
    terminal.resize(133, 44);
    terminal.expect("44 133");
    assert_eq!(terminal.end(), 0);
}

fn an_interrupt_reaches_the_command(pair: Pair) {
    let server = pair.start();
    let mut terminal = shell(pair, &server);
    terminal.type_in(
        "sh -c 'trap \"echo inter\"\"rupted; exit 0\" INT; echo sle\"\"eping; while :; do sleep 0.05; done'\n",
    );
    terminal.expect("sleeping");
    terminal.type_in("\x03");
    terminal.expect("interrupted");
    terminal.expect("ready> ");
    terminal.type_in("exit 9\n");
    assert_eq!(terminal.end(), 9);
}
