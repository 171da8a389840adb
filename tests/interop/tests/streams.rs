//! Much data: whole, in both directions at once, and across changes of keys.

use interop::client::Call;
use interop::pair::Pair;
use interop::pairs;
use interop::server::{Make, Setup};
use interop::stream::{Passed, through};

const MIB: u64 = 1 << 20;

pairs!(a_quarter_gibibyte_goes_there_and_back, keys_change_under_load_on_the_server_s_word);

fn a_quarter_gibibyte_goes_there_and_back(pair: Pair) {
    let server = pair.start();
    passes(&pair.call(&server), 256 * MIB);
}

/// The server wants new keys after each mebibyte.
fn keys_change_under_load_on_the_server_s_word(pair: Pair) {
    let setup = Setup::new(pair.server);
    let server = match pair.server {
        Make::Nacre | Make::OpenSsh => setup.line("RekeyLimit 1M").start(),
        Make::Russh => setup.words(&["--rekey", "1048576"]).start(),
        // Dropbear has no such word: here the client wants them.
        Make::Dropbear => {
            let server = setup.start();
            return passes(&pair.call(&server).option("RekeyLimit=1M"), 64 * MIB);
        }
    };
    passes(&pair.call(&server), 64 * MIB);
}

/// The client wants new keys after each mebibyte.
fn keys_change_under_load_on_the_client_s_word(pair: Pair) {
    let server = pair.start();
    let call = pair.call(&server);
    let call = match pair.client {
        Make::Russh => call.words(&["--rekey", "1048576"]),
        _ => call.option("RekeyLimit=1M"),
    };
    passes(&call, 64 * MIB);
}

interop::pairs!(@peer openssh_client_asks, Pair::client(Make::OpenSsh), keys_change_under_load_on_the_client_s_word);
interop::pairs!(@peer russh_client_asks, Pair::client(Make::Russh), keys_change_under_load_on_the_client_s_word);
interop::pairs!(@peer openssh_server_is_asked, Pair::server(Make::OpenSsh), keys_change_under_load_on_the_client_s_word);
interop::pairs!(@peer russh_server_is_asked, Pair::server(Make::Russh), keys_change_under_load_on_the_client_s_word);

fn passes(call: &Call<'_>, bytes: u64) {
    let (passed, errors) = through(&mut call.command(&["cat"]), bytes);
    assert_eq!(passed, Passed { code: 0, bytes, equal: true }, "{errors}");
}
