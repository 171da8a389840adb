//! `-L`: certificates as ssh-keygen prints them.

use super::{failure, key_file, show, shown, time};
use crate::cli::keygen::{KeyType, KeygenArgs};
use crate::failure::Failure;
use crate::output;
use nacre_crypto::{Certificate, CertificateKind, CertificateOption, FOREVER};
use std::fmt::Write;

/// Options whose one string is text.
const TEXTS: [&str; 2] = ["force-command", "source-address"];
/// Options that are only there.
const FLAGS: [&str; 7] = [
    "permit-X11-forwarding",
    "permit-agent-forwarding",
    "permit-port-forwarding",
    "permit-pty",
    "permit-user-rc",
    "no-touch-required",
    "verify-required",
];
const INDENT: &str = "                ";

/// Prints every certificate of a file; `-f -` is standard input.
pub(super) fn show(args: &KeygenArgs) -> Result<(), Failure> {
    let path = key_file(args, "Enter file in which the key is", KeyType::Ed25519)?;
    let content = show::read(&path)?;
    let name = if path.as_os_str() == "-" { "(stdin)".to_owned() } else { path.display().to_string() };
    let mut text = String::new();
    let mut found = false;
    for (line, number) in content.lines().zip(1u32..) {
        if line.trim().is_empty() || line.trim().starts_with('#') {
            continue;
        }
        match Certificate::parse_line(line) {
            Ok(certificate) => {
                // Of many the first is named by its file alone.
                let place = if number == 1 { format!("{name}:\n") } else { format!("{name}:{number}:\n") };
                text.push_str(&place);
                text.push_str(&describe(&certificate));
                found = true;
            }
            Err(error) => output::complain(&format!("{name}:{number}: {error}")),
        }
    }
    output::print(&text)?;
    if found { Ok(()) } else { Err(failure(format!("{name} holds no certificate"))) }
}

fn describe(c: &Certificate) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "        {text}");
    };
    line(format!("Type: {} {} certificate", c.key_type(), c.kind()));
    line(format!("Public key: {} {}", c.type_label(), c.key().fingerprint_sha256()));
    let ca = c.ca();
    line(format!("Signing CA: {} {} (using {})", ca.type_label(), ca.fingerprint_sha256(), c.ca_algorithm()));
    line(format!("Key ID: \"{}\"", c.key_id()));
    line(format!("Serial: {}", c.serial()));
    line(format!("Valid: {}", validity(c.valid_after(), c.valid_before())));
    let principals = c.principals().iter().map(|name| shown(name)).collect();
    line(list("Principals:", principals));
    line(list("Critical Options:", c.critical_options().iter().map(option).collect()));
    line(list("Extensions:", c.extensions().iter().map(option).collect()));
    out
}

fn list(title: &str, items: Vec<String>) -> String {
    if items.is_empty() {
        return format!("{title} (none)");
    }
    // The blank behind the title is ssh-keygen's.
    format!("{title} \n{}", items.iter().map(|item| format!("{INDENT}{item}")).collect::<Vec<_>>().join("\n"))
}

fn option(option: &CertificateOption) -> String {
    let name = shown(&option.name);
    let known = |names: &[&str]| names.contains(&option.name.as_str());
    match option.string() {
        Some(text) if known(&TEXTS) => format!("{name} {}", nacre_wire::text::clean_line(text, 4096)),
        _ if known(&FLAGS) && option.data.is_empty() => name,
        _ if option.data.is_empty() => format!("{name} UNKNOWN FLAG OPTION"),
        _ => {
            let hex = option.data.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            format!("{name} UNKNOWN OPTION: {hex} (len {})", option.data.len())
        }
    }
}

/// When a certificate is valid, in local time.
pub(super) fn validity(after: u64, before: u64) -> String {
    match (after, before) {
        (0, FOREVER) => "forever".to_owned(),
        (0, before) => format!("before {}", time::long(before)),
        (after, FOREVER) => format!("after {}", time::long(after)),
        (after, before) => format!("from {} to {}", time::long(after), time::long(before)),
    }
}

/// The kind as `Signed user key` names it.
pub(super) fn kind(host: bool) -> CertificateKind {
    if host { CertificateKind::Host } else { CertificateKind::User }
}
