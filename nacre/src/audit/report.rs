//! The findings as a table in the terminal, and as JSON.

use super::judge::Finding;
use super::tables::Verdict;
use nacre_proto::Role;
use std::fmt::Write as _;

/// Who was judged, and what was found.
pub struct Report {
    /// Who, in words.
    pub subject: String,
    /// In which role.
    pub role: Role,
    /// Line by line.
    pub findings: Vec<Finding>,
    /// A server's limits were tried.
    pub probed: bool,
}

impl Report {
    /// The worst verdict of all.
    pub fn worst(&self) -> Verdict {
        self.findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Good)
    }

    /// The table, then what mends it.
    pub fn text(&self, colour: bool) -> String {
        let mut out = format!("{}\n", self.subject);
        for finding in &self.findings {
            let verdict = paint(finding.verdict, colour);
            let _ = writeln!(out, "  {verdict}  {:<16}{}", finding.topic, finding.text);
        }
        let file = if self.role == Role::Server { "sshd_config" } else { "ssh_config" };
        for (who, lines) in [("OpenSSH", self.mends(|f| &f.mend.openssh)), ("Nacre", self.mends(|f| &f.mend.nacre))] {
            if !lines.is_empty() {
                let _ = writeln!(out, "\nTo mend it, in {file} for {who}:");
                for line in lines {
                    let _ = writeln!(out, "    {line}");
                }
            }
        }
        if self.role == Role::Server && !self.probed {
            out.push_str("\nLimits on start-ups, attempts and time were not tried; --probe does.\n");
        }
        out
    }

    /// Every line once.
    fn mends<'a>(&'a self, of: impl Fn(&'a Finding) -> &'a Vec<String>) -> Vec<&'a str> {
        let mut lines: Vec<&str> = Vec::new();
        for line in self.findings.iter().flat_map(of) {
            if !lines.contains(&line.as_str()) {
                lines.push(line);
            }
        }
        lines
    }

    /// One JSON document.
    pub fn json(&self) -> String {
        let finding = |f: &Finding| {
            serde_json::json!({
                "verdict": f.verdict.word(),
                "topic": f.topic,
                "text": f.text,
                "openssh": f.mend.openssh,
                "nacre": f.mend.nacre,
            })
        };
        let document = serde_json::json!({
            "subject": self.subject,
            "role": if self.role == Role::Server { "server" } else { "client" },
            "verdict": self.worst().word(),
            "probed": self.probed,
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
        });
        format!("{document:#}\n")
    }
}

fn paint(verdict: Verdict, colour: bool) -> String {
    let code = match verdict {
        Verdict::Good => "32",
        Verdict::Warn => "33",
        Verdict::Bad => "1;31",
    };
    if colour { format!("\x1b[{code}m{}\x1b[0m", verdict.word()) } else { verdict.word().to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::audit::mend;

    #[test]
    fn the_worst_counts_and_each_line_that_mends_comes_once() {
        let bad = Finding::new(Verdict::Bad, "login", "x").mended_by(mend::empty_passwords());
        let findings = vec![Finding::good("version", "SSH-2.0-x"), bad.clone(), bad];
        let report = Report { subject: "web".into(), role: Role::Server, findings, probed: false };
        assert_eq!(report.worst(), Verdict::Bad);
        let text = report.text(false);
        assert_eq!(text.matches("PermitEmptyPasswords no").count(), 2, "{text}");
        assert!(!text.contains('\x1b') && report.text(true).contains("\x1b[1;31mbad\x1b[0m"));
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((json["verdict"].as_str(), json["findings"].as_array().unwrap().len()), (Some("bad"), 3));
    }
}
