//! The tour's temporary folder, its server, and the programs it starts: all of them this program.

use super::running::{Server, finish};
use super::talk::Person;
use crate::failure::Failure;
use crate::output;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Instant;

/// How much data goes through the channel, in bytes.
const DATA: usize = 8 * 1024 * 1024;

/// What the tour needs from step to step.
pub struct Stage {
    program: PathBuf,
    folder: PathBuf,
    keep: bool,
    port: u16,
    user: String,
    server: Option<Server>,
}

impl Stage {
    /// A temporary folder for this account alone.
    ///
    /// # Errors
    /// It cannot be made, or the program cannot find itself.
    pub fn new(keep: bool) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|e| Failure::new(format!("cannot find this program: {e}")))?;
        let folder = crate::state::temporary("nacre-try")?;
        let account = nacre_sys::account::Account::current();
        let user = account.map_err(|e| Failure::new(format!("cannot tell which account this is: {e}")))?.name;
        Ok(Self { program, folder, keep, port: free_port()?, user, server: None })
    }

    /// Prints a step's heading.
    ///
    /// # Errors
    /// Nobody reads.
    pub fn title(&self, title: &str, text: &str) -> Result<(), Failure> {
        output::print(&format!("\n{title}\n  {text}\n"))
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Options that keep a client away from the account's own files.
    fn client_options(&self) -> Vec<String> {
        [
            "-F".to_owned(),
            "none".to_owned(),
            "-o".to_owned(),
            format!("UserKnownHostsFile={}", self.path("known_hosts")),
            "-o".to_owned(),
            "GlobalKnownHostsFile=none".to_owned(),
            "-o".to_owned(),
            "IdentityAgent=none".to_owned(),
            "-o".to_owned(),
            format!("IdentityFile={}", self.path("id")),
            "-o".to_owned(),
            format!("Port={}", self.port),
        ]
        .into()
    }

    fn destination(&self) -> String {
        format!("{}@127.0.0.1", self.user)
    }

    /// Prints a command as a person would type it, then runs it.
    fn run(&self, words: &[&str], shown: &str, input: Stdio) -> Result<Output, Failure> {
        output::print(&format!("  $ nacre {shown}\n"))?;
        let mut command = Command::new(&self.program);
        command.args(words).stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| Failure::new(format!("nacre {shown}: {error}")))?;
        finish(child, shown)
    }

    /// Runs `nacre ssh` with these words after the destination.
    fn ssh(&self, options: &[&str], words: &[&str], input: Stdio) -> Result<Output, Failure> {
        let shown = [&["ssh", "-p", &self.port.to_string()], options, &[&self.destination()], words].concat().join(" ");
        let mut all: Vec<String> = vec!["ssh".to_owned()];
        all.extend(options.iter().map(|o| (*o).to_owned()));
        all.extend(self.client_options());
        all.push(self.destination());
        all.extend(words.iter().map(|w| (*w).to_owned()));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        self.run(&all, &shown, input)
    }

    /// Step 1.
    ///
    /// # Errors
    /// No key is made.
    pub fn make_key(&self) -> Result<(), Failure> {
        let file = self.path("id");
        let out = self.run(
            &["keygen", "-q", "-t", "ed25519", "-N", "", "-C", "nacre try", "-f", &file],
            "keygen -t ed25519",
            Stdio::null(),
        )?;
        expect(out.status, 0, &out)?;
        let public = std::fs::read_to_string(format!("{file}.pub"));
        let public = public.map_err(|error| Failure::new(format!("{file}.pub: {error}")))?;
        std::fs::write(self.path("authorized_keys"), &public)
            .map_err(|error| Failure::new(format!("{}: {error}", self.path("authorized_keys"))))?;
        quote(&public)
    }

    /// Step 2.
    ///
    /// # Errors
    /// The server does not start.
    pub fn serve(&mut self) -> Result<(), Failure> {
        output::print("  $ nacre serve\n")?;
        let keys = format!("AuthorizedKeysFile={}", self.path("authorized_keys"));
        let port = self.port.to_string();
        let state = self.path("state");
        let none = self.path("sshd_config");
        std::fs::write(&none, "# nothing: every word keeps its default\n")
            .map_err(|error| Failure::new(format!("{none}: {error}")))?;
        let words =
            ["serve", "--user-mode", "--state", &state, "-f", &none, "-p", &port, "-o", &keys, "-o", "StrictModes=no"];
        self.server = Some(self.start_server(&words)?);
        Ok(())
    }

    /// Starts a server and prints what it greets with.
    fn start_server(&self, words: &[&str]) -> Result<Server, Failure> {
        let mut child = Command::new(&self.program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Failure::new(format!("the server: {error}")))?;
        let mut lines = child.stderr.take().map(|stderr| BufReader::new(stderr).lines());
        let server = Server(child);
        for line in lines.iter_mut().flatten().map_while(Result::ok) {
            quote(&line)?;
            if line.trim_start().starts_with("stop") {
                // The server's messages are read to the end, so that it never waits for a reader.
                std::thread::spawn(move || lines.into_iter().flatten().for_each(drop));
                return Ok(server);
            }
        }
        Err(Failure::new("the server ended before it listened"))
    }

    /// Step 3.
    ///
    /// # Errors
    /// The key is not learned.
    pub fn first_contact(&self) -> Result<(), Failure> {
        let out = self.ssh(&["-o", "StrictHostKeyChecking=accept-new"], &["true"], Stdio::null())?;
        expect(out.status, 0, &out)?;
        quote(&String::from_utf8_lossy(&out.stderr))
    }

    /// Step 4.
    ///
    /// # Errors
    /// The handshake does not succeed.
    pub fn explain(&self) -> Result<(), Failure> {
        let mut words = vec!["explain".to_owned()];
        let options = self.client_options();
        words.extend(options);
        words.push(self.destination());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let out = self.run(&words, &format!("explain -p {} {}", self.port, self.destination()), Stdio::null())?;
        expect(out.status, 0, &out)?;
        quote(&String::from_utf8_lossy(&out.stdout))
    }

    /// Step 5.
    ///
    /// # Errors
    /// Output or exit code are not those of the command.
    pub fn command(&self) -> Result<(), Failure> {
        let script = "echo \"hello from process $$\"; echo 'and a complaint' >&2; exit 7";
        let out = self.ssh(&[], &[script], Stdio::null())?;
        quote(&String::from_utf8_lossy(&out.stdout))?;
        quote(&String::from_utf8_lossy(&out.stderr))?;
        expect(out.status, 7, &out)?;
        quote("exit code 7, as it should be")
    }

    /// Step 6.
    ///
    /// # Errors
    /// What comes back is not what was sent.
    pub fn data(&self) -> Result<(), Failure> {
        let sent: Vec<u8> = (0..DATA).map(|i| (i.wrapping_mul(2_654_435_761) >> 11).to_le_bytes()[0]).collect();
        let file = self.path("data");
        std::fs::write(&file, &sent).map_err(|error| Failure::new(format!("{file}: {error}")))?;
        let input = std::fs::File::open(&file).map_err(|error| Failure::new(format!("{file}: {error}")))?;
        let start = Instant::now();
        let out = self.ssh(&[], &["cat"], Stdio::from(input))?;
        expect(out.status, 0, &out)?;
        let equal = out.stdout == sent;
        let seconds = start.elapsed().as_secs_f64();
        quote(&format!(
            "{} bytes came back in {seconds:.2} s, {}",
            out.stdout.len(),
            if equal { "equal" } else { "NOT equal" }
        ))?;
        if equal { Ok(()) } else { Err(Failure::new("what came back is not what was sent")) }
    }

    /// Step 7.
    ///
    /// # Errors
    /// The file does not come back as it was.
    pub fn file(&self) -> Result<(), Failure> {
        let remote = |name: &str| format!("{}:{}", self.destination(), self.path(name));
        self.scp(&["--verify"], &self.path("data"), &remote("data.there"))?;
        self.scp(&["--verify"], &remote("data.there"), &self.path("data.back"))?;
        let read = |name: &str| {
            std::fs::read(self.path(name)).map_err(|error| Failure::new(format!("{}: {error}", self.path(name))))
        };
        if read("data")? != read("data.back")? {
            return Err(Failure::new("the file that came back is not the one that was sent"));
        }
        quote("there and back, hashed at both ends, equal")
    }

    /// Runs `nacre scp` from one name to another.
    fn scp(&self, options: &[&str], from: &str, to: &str) -> Result<(), Failure> {
        let shown = format!("scp -P {} {} {from} {to}", self.port, options.join(" "));
        let mut all = vec!["scp".to_owned()];
        all.extend(options.iter().map(|o| (*o).to_owned()));
        all.extend(self.client_options());
        all.extend([from.to_owned(), to.to_owned()]);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let out = self.run(&all, &shown, Stdio::null())?;
        expect(out.status, 0, &out)
    }

    /// Step 8.
    ///
    /// # Errors
    /// What is said behind the server does not come through.
    pub fn tunnel(&self) -> Result<(), Failure> {
        let problem = |error: std::io::Error| Failure::new(format!("a port behind the server: {error}"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(problem)?;
        let behind = listener.local_addr().map_err(problem)?.to_string();
        let said = "hello from behind the server\n";
        // It waits for one connection, or ends with the tour.
        std::thread::spawn(move || listener.accept().and_then(|(mut stream, _)| stream.write_all(said.as_bytes())));
        let out = self.ssh(&["-W", &behind], &[], Stdio::null())?;
        expect(out.status, 0, &out)?;
        quote(&String::from_utf8_lossy(&out.stdout))?;
        if out.stdout == said.as_bytes() {
            Ok(())
        } else {
            Err(Failure::new("what was said behind the server was lost"))
        }
    }

    /// Step 9.
    ///
    /// # Errors
    /// The session has no terminal.
    pub fn terminal(&self) -> Result<(), Failure> {
        let out = self.ssh(&["-tt"], &["tty && stty size && echo \"TERM is $TERM\""], Stdio::null())?;
        expect(out.status, 0, &out)?;
        let text = String::from_utf8_lossy(&out.stdout).replace('\r', "");
        quote(&text)?;
        if text.contains("/dev/pts/") { Ok(()) } else { Err(Failure::new("the session had no terminal")) }
    }

    /// Step 10.
    ///
    /// # Errors
    /// Somebody does not come in, or does not see what the other says.
    pub fn chat(&self) -> Result<(), Failure> {
        let port = free_port()?.to_string();
        let (state, config, friend) = (self.path("chat"), self.path("sshd_config"), self.path("friend"));
        let host = self.path("state/ssh_host_ed25519_key");
        let made = self.run(&["keygen", "-q", "-N", "", "-f", &friend], "keygen -f friend", Stdio::null())?;
        expect(made.status, 0, &made)?;
        output::print("  $ nacre chat serve\n")?;
        let listen = format!("127.0.0.1:{port}");
        let words =
            ["chat", "serve", "--user-mode", "--state", &state, "-f", &config, "-h", &host, "--listen", &listen];
        let _server = self.start_server(&words)?;
        output::print(&format!("  $ nacre chat join -p {port} ann@127.0.0.1\n"))?;
        let mut own = Command::new(&self.program);
        own.args(["chat", "join"]);
        let mut ann = Person::comes("ann", self.in_the_chat(&mut own, &port, "id").arg("ann@127.0.0.1"))?;
        let stock = Command::new("ssh").arg("-V").stderr(Stdio::null()).status().is_ok();
        let mut other = Command::new(if stock { Path::new("ssh") } else { &self.program });
        other.args(if stock { &[][..] } else { &["ssh"] });
        output::print(&format!("  $ {} -t -p {port} bob@127.0.0.1\n", if stock { "ssh" } else { "nacre ssh" }))?;
        let mut bob = Person::comes("bob", self.in_the_chat(&mut other, &port, "friend").arg("bob@127.0.0.1"))?;
        ann.sees("bob joined")?;
        bob.types("Hello from the ssh that everybody has!")?;
        ann.sees("bob: Hello from")?;
        ann.types("/pm bob And hello from nacre, for you alone.")?;
        bob.sees("[PM from ann]")?;
        bob.leaves()?;
        ann.leaves()
    }

    /// The rest of a client's command, up to the destination: as with the others, with a key of this name and without a terminal.
    fn in_the_chat<'a>(&self, command: &'a mut Command, port: &str, key: &str) -> &'a mut Command {
        command.args(["-q", "-T", "-p", port, "-i", &self.path(key)]);
        command.args(["-o", "StrictHostKeyChecking=accept-new"]).args(self.client_options())
    }

    /// Step 11.
    ///
    /// # Errors
    /// A wrong key is let in, or a changed host key is not noticed.
    pub fn stranger(&self) -> Result<(), Failure> {
        let stranger = self.path("stranger");
        let made = self.run(&["keygen", "-q", "-N", "", "-f", &stranger], "keygen -f stranger", Stdio::null())?;
        expect(made.status, 0, &made)?;
        let identity = format!("IdentityFile={stranger}");
        let options = ["-o", &identity, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"];
        // Only the stranger's key: the first IdentityFile would be tried as well.
        std::fs::rename(self.path("id"), self.path("id.away")).map_err(|e| Failure::new(e.to_string()))?;
        let out = self.ssh(&options, &["true"], Stdio::null());
        std::fs::rename(self.path("id.away"), self.path("id")).map_err(|e| Failure::new(e.to_string()))?;
        let out = out?;
        quote(&String::from_utf8_lossy(&out.stderr))?;
        expect(out.status, 255, &out)?;
        self.forge_record()?;
        let out = self.ssh(&["-o", "BatchMode=yes"], &["true"], Stdio::null())?;
        quote(&String::from_utf8_lossy(&out.stderr))?;
        expect(out.status, 255, &out)
    }

    /// Replaces the host's record by another key, as if somebody stood in between.
    fn forge_record(&self) -> Result<(), Failure> {
        let public = std::fs::read_to_string(self.path("stranger.pub")).map_err(|e| Failure::new(e.to_string()))?;
        let line = format!("[127.0.0.1]:{} {public}", self.port);
        std::fs::write(self.path("known_hosts"), line).map_err(|e| Failure::new(e.to_string()))
    }

    /// Step 12.
    ///
    /// # Errors
    /// The server does not end when told to.
    pub fn stop(&mut self) -> Result<(), Failure> {
        match self.server.take().map(Server::stop) {
            None => Ok(()),
            Some(Some(status)) if status.success() => quote("the server ended with exit code 0"),
            Some(Some(status)) => Err(Failure::new(format!("the server ended with {status}"))),
            Some(None) => Err(Failure::new("the server did not end when told to")),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.server = None;
        if self.keep {
            output::complain(&format!("the tour's files are in {}", self.folder.display()));
        } else {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// A port that is free now.
fn free_port() -> Result<u16, Failure> {
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
    port.map(|address| address.port()).map_err(|error| Failure::new(format!("no free port on 127.0.0.1: {error}")))
}

/// Prints what a program said, indented.
pub(super) fn quote(text: &str) -> Result<(), Failure> {
    let mut out = String::new();
    for line in text.lines() {
        out.push_str("  | ");
        out.push_str(line);
        out.push('\n');
    }
    output::print(&out)
}

fn expect(status: ExitStatus, code: i32, out: &Output) -> Result<(), Failure> {
    if status.code() == Some(code) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    Err(Failure::new(format!("ended with {status} where {code} was expected")).hint(said.trim().to_owned()))
}
