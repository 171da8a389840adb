//! From facts to findings: what is said of a peer, line by line, and what mends it.

use super::facts::Facts;
use super::mend::{self, Mend};
use super::tables::{self, Grade, Verdict};
use nacre_proto::negotiate_names::Category;
use nacre_proto::{Error, Role};
use nacre_wire::names;

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// What it is about, in a word or two.
    pub topic: &'static str,
    /// What was found.
    pub text: String,
    /// What to write where.
    pub mend: Mend,
}

impl Finding {
    /// A finding that nothing has to mend.
    pub fn new(verdict: Verdict, topic: &'static str, text: impl Into<String>) -> Self {
        Self { verdict, topic, text: text.into(), mend: Mend::default() }
    }

    /// The same with what mends it.
    #[must_use]
    pub fn mended_by(mut self, mend: Mend) -> Self {
        self.mend = mend;
        self
    }

    /// A good one.
    pub fn good(topic: &'static str, text: impl Into<String>) -> Self {
        Self::new(Verdict::Good, topic, text)
    }
}

/// Everything that can be said of a peer in this role by what it offers.
pub fn offers(facts: &Facts, peer: Role) -> Vec<Finding> {
    let mut found = version(facts);
    let kex = facts.list(Category::Kex);
    let kex_mend = mend::kex(kex);
    found.extend(graded("key exchange", kex, tables::kex, &kex_mend));
    found.push(post_quantum(kex).mended_by_if_needed(&kex_mend));
    found.push(strict(facts, peer));
    let host_keys = facts.list(Category::HostKey);
    let mend = mend::host_keys(host_keys, peer);
    found.extend(graded("host key types", host_keys, |name| Some(tables::signature(name)), &mend));
    let ciphers = facts.either(Category::CipherClientToServer, Category::CipherServerToClient);
    found.extend(graded("ciphers", &ciphers, |name| Some(tables::cipher(name)), &mend::ciphers(&ciphers)));
    let macs = facts.either(Category::MacClientToServer, Category::MacServerToClient);
    // Beside ciphers that authenticate by themselves a MAC means nothing.
    if ciphers.iter().any(|name| !name.contains("gcm") && !name.contains("GCM") && !name.contains("poly1305")) {
        found.extend(graded("MACs", &macs, |name| Some(tables::mac(name)), &mend::macs(&macs)));
    }
    let compression = facts.either(Category::CompressionClientToServer, Category::CompressionServerToClient);
    let mend = mend::compression(peer);
    found.extend(graded("compression", &compression, |name| Some(tables::compression(name)), &mend));
    found
}

impl Finding {
    fn mended_by_if_needed(self, mend: &Mend) -> Self {
        if self.verdict == Verdict::Good { self } else { self.mended_by(mend.clone()) }
    }
}

/// One line for all that is good of a list, and one for each name that is not.
fn graded(topic: &'static str, list: &[String], grade: impl Fn(&str) -> Option<Grade>, mend: &Mend) -> Vec<Finding> {
    let mut found = Vec::new();
    let grades: Vec<(&String, Grade)> = list.iter().filter_map(|name| Some((name, grade(name)?))).collect();
    let good: Vec<&str> =
        grades.iter().filter(|(_, (verdict, _))| *verdict == Verdict::Good).map(|(name, _)| name.as_str()).collect();
    if good.is_empty() {
        found.push(Finding::new(Verdict::Bad, topic, "nothing that is good").mended_by(mend.clone()));
    } else {
        found.push(Finding::good(topic, good.join(", ")));
    }
    for (name, (verdict, why)) in grades.into_iter().filter(|(_, (verdict, _))| *verdict != Verdict::Good) {
        found.push(Finding::new(verdict, topic, format!("{name}: {why}")).mended_by(mend.clone()));
    }
    found
}

fn version(facts: &Facts) -> Vec<Finding> {
    const TOPIC: &str = "version";
    let Some(ident) = &facts.ident else { return Vec::new() };
    let mut found = vec![match ident.strip_prefix("SSH-2.0-") {
        None => Finding::new(Verdict::Bad, TOPIC, format!("{ident}: speaks SSH 1 as well, which is broken")),
        Some(_) if openssh(facts).is_some_and(|version| version < (8, 0)) => {
            let why = "years old; who distributes it must have mended much since";
            Finding::new(Verdict::Warn, TOPIC, format!("{ident}: {why}"))
        }
        Some(_) => Finding::good(TOPIC, ident.clone()),
    }];
    found.extend(facts.greeting.iter().map(|line| Finding::good("greeting", line.clone())));
    found
}

/// The version of an OpenSSH.
fn openssh(facts: &Facts) -> Option<(u32, u32)> {
    let (major, rest) = facts.ident.as_ref()?.strip_prefix("SSH-2.0-OpenSSH_")?.split_once('.')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((major.parse().ok()?, rest[..digits].parse().ok()?))
}

fn post_quantum(kex: &[String]) -> Finding {
    const TOPIC: &str = "post-quantum";
    let first = kex.iter().find(|name| tables::is_post_quantum(name));
    match first {
        Some(name) => Finding::good(TOPIC, format!("{name}: what is recorded today stays secret")),
        None => {
            let text = "no such key exchange: what is recorded today can be read with a quantum computer of later";
            Finding::new(Verdict::Warn, TOPIC, text)
        }
    }
}

/// Strict key exchange, without which the Terrapin attack can drop packets at the start.
fn strict(facts: &Facts, peer: Role) -> Finding {
    const TOPIC: &str = "strict kex";
    let marker = if peer == Role::Server { names::KEX_STRICT_S } else { names::KEX_STRICT_C };
    if facts.list(Category::Kex).iter().any(|name| name == marker) {
        return Finding::good(TOPIC, "announced: nothing can be slipped in or dropped (Terrapin)");
    }
    let macs = facts.either(Category::MacClientToServer, Category::MacServerToClient);
    let ciphers = facts.either(Category::CipherClientToServer, Category::CipherServerToClient);
    match ciphers.iter().find(|cipher| tables::feeds_terrapin(cipher, &macs)) {
        Some(cipher) => {
            let text = format!("not announced, and {cipher} is offered: the Terrapin attack works (CVE-2023-48795)");
            Finding::new(Verdict::Bad, TOPIC, text).mended_by(mend::terrapin())
        }
        None => {
            let text = "not announced, though no cipher is offered that the Terrapin attack needs";
            Finding::new(Verdict::Warn, TOPIC, text).mended_by(mend::terrapin())
        }
    }
}

/// What a server says beside its offers.
pub fn server(facts: &Facts, user: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if facts.negotiated.is_some() && facts.methods.is_some() {
        found.extend(signature_extension(facts));
    }
    if let Some(banner) = &facts.banner {
        let line = banner.split(['\n', '\r']).find(|line| !line.trim().is_empty()).unwrap_or("(empty)");
        found.push(Finding::good("banner", line.trim()));
    }
    found.extend(methods(facts, user));
    found
}

fn signature_extension(facts: &Facts) -> Vec<Finding> {
    const TOPIC: &str = "server-sig-algs";
    let Some(value) = facts.extension(names::EXT_SERVER_SIG_ALGS) else {
        let text = "not sent: clients with RSA keys cannot tell that SHA-2 is taken, and may fall back to SHA-1";
        return vec![Finding::new(Verdict::Warn, TOPIC, text)];
    };
    if openssh(facts).is_some_and(|version| version < (9, 6)) {
        return vec![Finding::good(TOPIC, "sent; this version names all that it knows, taken or not")];
    }
    let list: Vec<String> = value.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    graded(TOPIC, &list, |name| Some(tables::signature(name)), &mend::user_keys(&list))
}

fn methods(facts: &Facts, user: &str) -> Vec<Finding> {
    const TOPIC: &str = "login";
    if facts.let_in {
        let text = format!("{user} is let in who shows nothing");
        return vec![Finding::new(Verdict::Bad, TOPIC, text).mended_by(mend::empty_passwords())];
    }
    let Some(methods) = &facts.methods else { return Vec::new() };
    let mut found = Vec::new();
    for method in methods {
        found.push(match method.as_str() {
            names::AUTH_PASSWORD | names::AUTH_KEYBOARD_INTERACTIVE => Finding::good(
                TOPIC,
                format!("{method}: as good as the passwords; where keys are enough, PasswordAuthentication no"),
            ),
            "hostbased" => {
                Finding::new(Verdict::Warn, TOPIC, "hostbased: whoever is root on the other machine gets in")
                    .mended_by(mend::hostbased())
            }
            "" => Finding::good(TOPIC, "no way is named"),
            other => Finding::good(TOPIC, other),
        });
    }
    found
}

/// What a client says beside its offers.
pub fn client(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    if !facts.list(Category::Kex).iter().any(|name| name == names::EXT_INFO_C) {
        let text = "ext-info-c is not announced: with an RSA key it cannot learn that SHA-2 is taken";
        found.push(Finding::new(Verdict::Warn, "extensions", text));
    }
    let keys = facts.tried.iter().filter(|tried| tried.starts_with("publickey")).count();
    if keys > 5 {
        let text = format!("{keys} keys were shown to a host that nobody knows: each host learns whose they are");
        found.push(Finding::new(Verdict::Warn, "login", text).mended_by(mend::many_keys()));
    } else if !facts.tried.is_empty() {
        found.push(Finding::good("login", format!("it tried {}", facts.tried.join(", "))));
    }
    found
}

/// What to say of how the connection ended, where that was not on our wish.
pub fn end(error: &Error) -> Option<Finding> {
    match error {
        Error::Closed { .. } | Error::AuthFailed { .. } | Error::HostKeyRefused => None,
        Error::PeerIncompatible(_) => {
            Some(Finding::new(Verdict::Bad, "handshake", format!("not possible with anything that is safe: {error}")))
        }
        other => Some(Finding::new(Verdict::Warn, "handshake", format!("ended early: {other}"))),
    }
}
