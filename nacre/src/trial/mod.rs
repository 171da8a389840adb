//! `nacre try`: one command that shows what Nacre does, for real: a server on 127.0.0.1, keys, and
//! clients through it, each step with the command that does it by hand. Nothing stays behind.

mod running;
mod stage;
mod talk;

use crate::cli::explain::TryArgs;
use crate::failure::Failure;
use crate::output;
use stage::Stage;
use std::process::ExitCode;

/// Runs the tour.
///
/// # Errors
/// A step did not do what it should; the message says which.
pub fn run(args: TryArgs) -> Result<ExitCode, Failure> {
    let mut stage = Stage::new(args.keep)?;
    output::print("Nacre: a secure shell whose every step can be seen\n")?;
    stage.title("1. Keys", "a key pair for you, with an empty passphrase because it lives for this tour only")?;
    stage.make_key()?;
    stage.title("2. A server", "it serves this account on 127.0.0.1 and lets in that one key")?;
    stage.serve()?;
    stage.title("3. First contact", "the host key is not on record, so it is asked for, shown and remembered")?;
    stage.first_contact()?;
    stage.title("4. The handshake", "every step of it, as the program itself saw it")?;
    stage.explain()?;
    stage.title("5. A command", "it runs on the server; output, errors and exit code come back")?;
    stage.command()?;
    stage.title("6. Data", "8 MiB go through the channel both ways and come back equal")?;
    stage.data()?;
    stage.title("7. A file", "it appears under its name only when it is whole, and is checked by its hash")?;
    stage.file()?;
    stage.title("8. A tunnel", "a connection through the server to a port that only it may see")?;
    stage.tunnel()?;
    stage.title("9. A terminal", "a shell as you would type in it")?;
    stage.terminal()?;
    stage
        .title("10. A chat", "a server with rooms instead of shells; one comes with this program, one with any ssh")?;
    stage.chat()?;
    stage.title("11. A stranger", "another key is refused, and a changed host key raises the alarm")?;
    stage.stranger()?;
    stage.title("12. The end", "the server is told to stop")?;
    stage.stop()?;
    output::print(
        "\nAll of it worked. Now for real:\n  nacre serve          # serve this account; prints the command that connects\n  nacre ssh user@host  # a shell on another machine\n  nacre scp FILE user@host:  # a file there; --resume goes on where a cut one stopped\n  nacre ssh -L 8080:127.0.0.1:80 user@host  # its port 80 at your 8080\n  nacre chat serve     # rooms that every ssh can join\n  nacre --help\n",
    )?;
    Ok(ExitCode::SUCCESS)
}
