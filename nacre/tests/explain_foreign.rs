//! The files of `nacre explain` in the programs they are made for: Wireshark and a browser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::Scratch;
use peer::{Peer, require};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// Markup that would change the page's title if a browser took it for such.
const HOSTILE: &str = "</p><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">&lt;";

/// `nacre explain` for this server, whose key is on record.
fn explain(peer: &Peer, place: &Scratch, words: &[&str]) {
    let key = place.read("host_ed25519.pub");
    place.write("known_hosts", &format!("{} {key}", peer.name()));
    let identity = format!("IdentityFile={}", place.path("id").display());
    let mut command = common::nacre();
    command.arg("explain").args(peer.words(place).iter().skip(1)).args(["-o", &identity, "-o", "IdentityAgent=none"]);
    let done = peer::run(command.args(words).arg("root@127.0.0.1").env("HOME", place.path("home")), b"");
    assert_eq!(done.code, 0, "{}\n{}", done.text(), done.err);
}

/// The same, with its capture in `c.pcap` and the keys, whose file is given.
fn capture(peer: &Peer, place: &Scratch, words: &[&str]) -> PathBuf {
    let (pcap, keys) = (place.path("c.pcap"), place.path("c.keys"));
    let files = ["--pcap", pcap.to_str().unwrap(), "--keylog", keys.to_str().unwrap(), "--show-secrets"];
    explain(peer, place, &[&files[..], words].concat());
    keys
}

/// What tshark reads in the capture `c.pcap`.
fn tshark(peer: &Peer, place: &Scratch, words: &[&str]) -> String {
    let port = format!("tcp.port=={},ssh", peer.port);
    let mut command = require("tshark", "tshark");
    command.arg("-r").arg(place.path("c.pcap")).args(["-d", &port]).args(words).env("HOME", place.root());
    let done = peer::run(&mut command, b"");
    assert_eq!(done.code, 0, "{}", done.err);
    done.text()
}

/// Messages that only keys open.
const WITHIN: [&str; 4] =
    ["User Authentication Request", "User Authentication Success", "Channel Open Confirmation", "Channel Close"];

#[test]
fn tshark_names_the_messages_and_opens_them_with_the_key_log() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    let keys = capture(&sshd, &place, &["-o", "KexAlgorithms=curve25519-sha256"]);
    let closed = tshark(&sshd, &place, &[]);
    for name in [
        "Client: Protocol (SSH-2.0-Nacre",
        "Server: Protocol (SSH-2.0-OpenSSH",
        "Client: Key Exchange Init",
        "Server: Key Exchange Init",
        "Client: Elliptic Curve Diffie-Hellman Key Exchange Init",
        "Server: Elliptic Curve Diffie-Hellman Key Exchange Reply",
        "Client: New Keys",
    ] {
        assert!(closed.contains(name), "no {name} in\n{closed}");
    }
    // Without keys it takes any byte for a message's number, and may hit one by chance; hardly all.
    assert!(!WITHIN.iter().all(|name| closed.contains(name)), "{closed}");
    let checked = tshark(&sshd, &place, &["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-V"]);
    assert!(checked.contains("Checksum Status: Good") && !checked.contains("Checksum Status: Bad"), "{checked}");

    let key_log = format!("ssh.keylog_file:{}", keys.display());
    let open = tshark(&sshd, &place, &["-o", &key_log]);
    for name in WITHIN {
        assert!(open.contains(name), "no {name} in\n{open}");
    }
    let whole = tshark(&sshd, &place, &["-o", &key_log, "-V"]);
    assert!(whole.contains("ssh-connection") && whole.contains("root"), "{whole}");
    assert!(whole.contains("[correct]") && !whole.contains("incorrect"), "a MAC is wrong: {whole}");
}

/// A capture of the default algorithms, whose lines span several segments, and a key log in its other form.
#[test]
fn tshark_reads_a_post_quantum_key_exchange() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    capture(&sshd, &place, &[]);
    let seen = tshark(&sshd, &place, &["-z", "follow,tcp,hex,0", "-q"]);
    assert!(seen.contains("sntrup"), "{seen}");
    assert!(tshark(&sshd, &place, &[]).contains("Server: Key Exchange Init"));
    let line = place.read("c.keys");
    let words: Vec<&str> = line.split_whitespace().collect();
    assert!(matches!(words.as_slice(), [cookie, "SHARED_SECRET", secret] if cookie.len() == 32 && secret.len() == 128));
}

/// What Chromium makes of a file.
fn chromium(place: &Scratch, file: &Path, words: &[&str]) -> String {
    let profile = format!("--user-data-dir={}", place.path("chromium").display());
    let mut command = require("chromium", "chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", &profile]).args(words);
    let done = peer::run(command.arg(format!("file://{}", file.display())).env("HOME", place.root()), b"");
    assert_eq!(done.code, 0, "{}", done.err);
    done.text()
}

/// The page as a browser that runs scripts has it.
fn dom(place: &Scratch, file: &Path) -> String {
    let dom = chromium(place, file, &["--dump-dom"]);
    assert!(!dom.contains("<script") && !dom.contains("<img") && !dom.contains("<title>pwned"), "{dom}");
    dom
}

/// Where `cargo xtask test` puts axe-core, which finds what keeps people from using a page.
const AXE: &str = "/usr/local/lib/nacre-tests/axe_playwright_python/axe.min.js";

/// Opens every message, lets axe-core look at the page, and writes what it found at its end.
const ASK_AXE: &str = "for (const one of document.querySelectorAll('details')) one.open = true;
axe.run(document).then(found => ({
    paper: getComputedStyle(document.body).backgroundColor,
    passes: found.passes.length,
    violations: found.violations.map(one => [one.id, one.nodes.map(node => node.html)]),
    undecided: found.incomplete.map(one => [one.id, one.nodes.map(node => node.html)]),
}), problem => String(problem)).then(said => {
    const out = document.body.appendChild(document.createElement('pre'));
    out.id = 'axe';
    out.textContent = JSON.stringify(said).replace(/[<>&]/g, '_');
});";

/// What axe-core says of the page in these colours.
fn axe(place: &Scratch, page: &Path, dark: bool) -> serde_json::Value {
    let missing = "python3 -m pip install --no-deps --target /usr/local/lib/nacre-tests axe-playwright-python";
    let axe = std::fs::read_to_string(AXE).unwrap_or_else(|error| panic!("{AXE}: {error}: {missing}"));
    let text = std::fs::read_to_string(page).unwrap();
    // The page lets no script run; this is a copy that lets axe-core.
    let policy = text.find("<meta http-equiv=\"Content-Security-Policy\"").unwrap();
    let end = policy + text[policy..].find('>').unwrap() + 1;
    let scripts = format!("<script>{axe}</script><script>{ASK_AXE}</script></body>");
    let copy = format!("{}{}", &text[..policy], text[end..].replace("</body>", &scripts));
    let copy = place.write("axe.html", &copy);
    let scheme = format!("--blink-settings=preferredColorScheme={}", if dark { 0 } else { 1 });
    let dom = chromium(place, &copy, &[&scheme, "--virtual-time-budget=60000", "--dump-dom"]);
    let said = dom.split("<pre id=\"axe\">").nth(1).unwrap_or_else(|| panic!("axe-core said nothing: {dom}"));
    serde_json::from_str(said.split("</pre>").next().unwrap()).unwrap()
}

#[test]
fn axe_core_finds_nothing_on_the_page_in_light_and_in_dark() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    let page = place.path("page.html");
    explain(&sshd, &place, &["--html", page.to_str().unwrap(), "--show-secrets"]);
    for (dark, paper) in [(false, "rgb(255, 255, 255)"), (true, "rgb(20, 21, 26)")] {
        let said = axe(&place, &page, dark);
        assert_eq!(said["paper"], paper, "{said}");
        assert!(said["passes"].as_u64().unwrap() > 20, "{said}");
        assert_eq!(said["violations"], serde_json::json!([]), "{said}");
        assert_eq!(said["undecided"], serde_json::json!([]), "{said}");
    }
    // It would find something.
    let text = std::fs::read_to_string(&page).unwrap();
    let worse =
        place.write("worse.html", &text.replace("--soft:#555861", "--soft:#b0b0b0").replace(" lang=\"en\"", ""));
    let said = axe(&place, &worse, false);
    let found: Vec<&str> = said["violations"].as_array().unwrap().iter().map(|one| one[0].as_str().unwrap()).collect();
    assert!(found.contains(&"color-contrast") && found.contains(&"html-has-lang"), "{said}");
}

/// The text of the printed page.
fn printed(place: &Scratch, file: &Path, words: &[&str]) -> String {
    let pdf = place.path("page.pdf");
    chromium(
        place,
        file,
        &[&[&*format!("--print-to-pdf={}", pdf.display()), "--no-pdf-header-footer"], words].concat(),
    );
    peer::run(require("pdftotext", "poppler-utils").arg("-layout").arg(&pdf).arg("-"), b"").text()
}

#[test]
fn chromium_shows_the_page_and_prints_all_of_it() {
    let place = peer::place();
    place.write("banner", HOSTILE);
    let sshd = Peer::sshd(&place, &format!("Banner {}\n", place.path("banner").display()));
    let page = place.path("page.html");
    explain(&sshd, &place, &["--html", page.to_str().unwrap()]);
    assert!(page.metadata().unwrap().len() < 300 * 1024);
    let dom = dom(&place, &page);
    assert!(dom.contains("&lt;script&gt;document.title"), "{dom}");
    // What people who see nothing, or use no mouse, go by: headings, an ordered list a row, and elements that open by themselves.
    for (part, count) in [("<h1", 1), ("<h2", 7), ("<ol class=\"messages\"", 7), ("<main", 1), ("<nav aria-label", 1)] {
        assert_eq!(dom.matches(part).count(), count, "{part}");
    }
    let messages = dom.matches("<li id=\"m").count();
    assert!(messages > 25 && dom.matches("<details><summary>").count() == messages, "{messages}");
    assert_eq!(dom.matches("class=\"heard\"").count(), messages);

    // All of it is printed, opened, with scripts and without.
    let text = printed(&place, &page, &[]);
    assert_eq!(text, printed(&place, &page, &["--blink-settings=scriptEnabled=false"]));
    assert!(text.matches("On the wire").count() > 20 && text.contains("USERAUTH_PK_OK (60)"), "{text}");
}

/// A server that says markup where a version should be, and nothing after it.
#[test]
fn chromium_takes_a_hostile_server_for_text() {
    let place = Scratch::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(format!("{HOSTILE}\r\nSSH-2.0-x {HOSTILE}\r\n").as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let page = place.path("page.html");
    let mut command = common::nacre();
    command.args(["explain", "-F", "none", "-p", &port, "--html"]).arg(&page).arg("127.0.0.1");
    let done = peer::run(command.env("HOME", place.root()), b"");
    server.join().unwrap();
    assert_eq!(done.code, 255, "{}", done.err);
    let dom = dom(&place, &page);
    assert_eq!(dom.matches("&lt;script&gt;document.title").count(), 2, "{dom}");
}
