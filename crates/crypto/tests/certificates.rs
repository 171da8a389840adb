//! Certificates: what we sign can be read, and every way one can be wrong is refused (threats A7, H7).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::data;
use nacre_crypto::{
    AwsLc, Certificate, CertificateError, CertificateKind, CertificateRefusal, CertificateRequest, FOREVER, NewOption,
    PrivateKey, PublicKey, UserLimits,
};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::Provider;
use nacre_wire::{Reader, WriteExt};

const NOW: u64 = 1_700_000_000;
const KEYS: [&str; 5] = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa2048"];
const PEER: &str = "192.0.2.7";

fn private(name: &str) -> PrivateKey {
    let file = if name == "ed25519" { "keys/ed25519_aes256_gcm".to_owned() } else { format!("keys/{name}") };
    match PrivateKey::read(&data(&file), None) {
        Ok(key) => key,
        Err(_) => PrivateKey::generate(nacre_crypto::KeyKind::Ed25519, None).unwrap(),
    }
}

/// A request whose parts can be changed before it is signed.
struct Draft {
    key: PublicKey,
    kind: CertificateKind,
    principals: Vec<String>,
    window: (u64, u64),
    critical: Vec<NewOption>,
    extensions: Vec<NewOption>,
}

fn option(name: &str, value: Option<&str>) -> NewOption {
    NewOption { name: name.to_owned(), value: value.map(str::to_owned) }
}

fn user() -> Draft {
    Draft {
        key: private("ecdsa256").public_key(),
        kind: CertificateKind::User,
        principals: vec!["ann".into(), "bob".into()],
        window: (NOW - 10, NOW + 10),
        critical: Vec::new(),
        extensions: vec![option("permit-pty", None)],
    }
}

impl Draft {
    fn by(&self, ca: &PrivateKey) -> Certificate {
        let request = CertificateRequest {
            key: &self.key,
            kind: self.kind,
            serial: 7,
            key_id: "test\x1b[31m",
            principals: &self.principals,
            valid_after: self.window.0,
            valid_before: self.window.1,
            critical: &self.critical,
            extensions: &self.extensions,
        };
        request.sign(ca, ca.algorithms()[0]).unwrap()
    }

    fn sign(&self) -> Certificate {
        self.by(&private("ecdsa384"))
    }

    fn limits(&self) -> Result<UserLimits, CertificateRefusal> {
        self.sign().user_limits(PEER.parse().unwrap())
    }
}

/// The fields of a certificate as they stand on the wire, to be changed and signed anew.
struct Raw {
    head: Vec<u8>,
    kind: u32,
    principals: Vec<u8>,
    critical: Vec<u8>,
    extensions: Vec<u8>,
    ca: Vec<u8>,
    tail: Vec<u8>,
}

impl Raw {
    fn new(ca: &PrivateKey) -> Self {
        let mut head = Vec::new();
        head.put_string("ssh-ed25519-cert-v01@openssh.com");
        head.put_string([1; 32]);
        let key = private("ed25519");
        let mut reader = Reader::new(key.public_blob());
        reader.string("type").unwrap();
        head.extend_from_slice(reader.rest());
        head.put_u64(1);
        let mut principals = Vec::new();
        principals.put_string("ann");
        Self {
            head,
            kind: 1,
            principals,
            critical: Vec::new(),
            extensions: Vec::new(),
            ca: ca.public_blob().to_vec(),
            tail: Vec::new(),
        }
    }

    fn sign(&self, sign: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let mut blob = self.head.clone();
        blob.put_u32(self.kind);
        blob.put_string("id");
        blob.put_string(&self.principals);
        blob.put_u64(0);
        blob.put_u64(FOREVER);
        blob.put_string(&self.critical);
        blob.put_string(&self.extensions);
        blob.put_string("");
        blob.put_string(&self.ca);
        let signature = sign(&blob);
        blob.put_string(signature);
        blob.extend_from_slice(&self.tail);
        blob
    }
}

fn read(raw: &Raw, ca: &PrivateKey) -> Result<Certificate, CertificateError> {
    Certificate::from_blob(&raw.sign(|text| ca.sign(ca.algorithms()[0], text).unwrap()))
}

#[test]
fn every_key_under_every_ca() {
    for key in KEYS {
        for ca in KEYS {
            let ca = private(ca);
            let mut key = private(key).public_key();
            key.set_comment("somebody's key");
            let made = Draft { key: key.clone(), ..user() }.by(&ca);
            let read = Certificate::parse_line(&made.to_line()).unwrap();
            assert_eq!(read, made);
            assert_eq!((read.key(), read.ca().blob(), read.serial()), (&key, ca.public_blob(), 7));
            assert_eq!(read.ca_algorithm(), ca.algorithms()[0]);
            assert_eq!(read.principals(), ["ann", "bob"]);
            assert_eq!(read.key_id(), "test\u{fffd}[31m", "fit for a terminal");
            assert!(read.algorithms().iter().all(|a| a.is_certificate() && a.key_type() == read.key_type()));
        }
    }
}

#[test]
fn the_key_inside_signs_under_the_certificates_name() {
    for name in KEYS {
        let key = private(name);
        let certificate = Draft { key: key.public_key(), ..user() }.sign();
        for algorithm in certificate.algorithms() {
            let signature = key.sign(algorithm, b"data").unwrap();
            let verify = |algorithm, blob: &[u8]| AwsLc::default().verify(algorithm, blob, b"data", &signature);
            assert!(verify(algorithm, certificate.blob()).is_ok(), "{algorithm}");
            assert!(verify(algorithm.plain(), key.public_blob()).is_ok());
            // h03, a06: the name must be that of what is shown.
            assert!(verify(algorithm, key.public_blob()).is_err(), "{algorithm} with a plain key");
            assert!(verify(algorithm.plain(), certificate.blob()).is_err(), "plain name with a certificate");
            for other in SignatureAlgorithm::CERTIFICATES.iter().filter(|other| **other != algorithm) {
                assert!(verify(*other, certificate.blob()).is_err(), "{other} for {algorithm}");
            }
        }
    }
}

#[test]
fn a07_no_byte_can_be_changed_or_left_out() {
    let blob = user().sign().blob().to_vec();
    for at in 0..blob.len() {
        for bit in [0x01, 0x80] {
            let mut changed = blob.clone();
            changed[at] ^= bit;
            assert!(Certificate::from_blob(&changed).is_err(), "byte {at}");
        }
        assert!(Certificate::from_blob(&blob[..at]).is_err(), "cut at {at}");
    }
    let mut longer = blob.clone();
    longer.push(0);
    assert!(Certificate::from_blob(&longer).is_err());
}

#[test]
fn a07_h07_a_ca_is_never_a_certificate() {
    let ca = private("ecdsa384");
    let mut raw = Raw::new(&ca);
    assert!(read(&raw, &ca).is_ok());
    let of_the_ca = Draft { key: ca.public_key(), ..user() }.sign();
    raw.ca = of_the_ca.blob().to_vec();
    assert_eq!(read(&raw, &ca), Err(CertificateError::CaIsCertificate));
}

#[test]
fn a07_signatures_with_sha1_by_others_and_of_others_are_refused() {
    let rsa = private("rsa2048");
    let raw = Raw::new(&rsa);
    let relabelled = |name: &'static str| {
        move |text: &[u8]| {
            let signature = private("rsa2048").sign(SignatureAlgorithm::RsaSha512, text).unwrap();
            let mut reader = Reader::new(&signature);
            reader.string("format").unwrap();
            let mut out = Vec::new();
            out.put_string(name);
            out.extend_from_slice(reader.rest());
            out
        }
    };
    assert!(Certificate::from_blob(&raw.sign(relabelled("rsa-sha2-512"))).is_ok());
    assert_eq!(
        Certificate::from_blob(&raw.sign(relabelled("ssh-rsa"))),
        Err(CertificateError::SignatureAlgorithm("ssh-rsa".into()))
    );
    for name in ["rsa-sha2-256", "ssh-ed25519"] {
        assert_eq!(Certificate::from_blob(&raw.sign(relabelled(name))), Err(CertificateError::BadSignature), "{name}");
    }
    for name in ["rsa-sha2-512-cert-v01@openssh.com", "", "none"] {
        let refused = Certificate::from_blob(&raw.sign(relabelled(name)));
        assert!(matches!(refused, Err(CertificateError::SignatureAlgorithm(_))), "{name}");
    }
    let other = private("ecdsa256");
    assert_eq!(
        Certificate::from_blob(&raw.sign(|text| other.sign(other.algorithms()[0], text).unwrap())),
        Err(CertificateError::BadSignature)
    );
    // A CA whose key is too short to be trusted with anything.
    let mut short = Raw::new(&rsa);
    short.ca = PublicKey::parse_line(&common::text("keys/rsa1024.pub")).unwrap().blob().to_vec();
    assert!(read(&short, &rsa).is_err());
}

#[test]
fn a07_structure_is_strict_and_bounded() {
    let ca = private("ecdsa256");
    let refused = |change: &dyn Fn(&mut Raw)| {
        let mut raw = Raw::new(&ca);
        change(&mut raw);
        assert!(matches!(read(&raw, &ca), Err(CertificateError::Malformed(_))));
    };
    refused(&|raw| raw.kind = 0);
    refused(&|raw| raw.kind = 3);
    refused(&|raw| raw.tail = vec![0]);
    refused(&|raw| raw.principals.push(0));
    refused(&|raw| raw.principals.put_string("ann\0bob"));
    refused(&|raw| raw.principals.put_string([0xff]));
    refused(&|raw| (0..256).for_each(|n| raw.principals.put_string(format!("p{n}"))));
    refused(&|raw| raw.critical.put_string("force-command"));
    let twice = |list: &mut Vec<u8>| {
        for command in ["a", "b"] {
            list.put_string("force-command");
            list.put_string(command);
        }
    };
    refused(&|raw| twice(&mut raw.critical));
    refused(&|raw| twice(&mut raw.extensions));
    let mut most = Raw::new(&ca);
    (0..255).for_each(|n| most.principals.put_string(format!("p{n}")));
    assert_eq!(read(&most, &ca).unwrap().principals().len(), 256);
    assert!(Certificate::from_blob(&vec![0; 1 << 20]).is_err());
}

#[test]
fn a07_time_kind_and_names() {
    let certificate = user().sign();
    for (now, expected) in [
        (0, Err(CertificateRefusal::NotYetValid)),
        (NOW - 11, Err(CertificateRefusal::NotYetValid)),
        (NOW - 10, Ok(())),
        (NOW + 9, Ok(())),
        (NOW + 10, Err(CertificateRefusal::Expired)),
        (u64::MAX, Err(CertificateRefusal::Expired)),
    ] {
        assert_eq!(certificate.check(CertificateKind::User, now), expected, "{now}");
    }
    let wrong = Err(CertificateRefusal::WrongKind(CertificateKind::User));
    assert_eq!(certificate.check(CertificateKind::Host, NOW), wrong);
    assert_eq!(certificate.check_host("ann", NOW), wrong);
    for (name, named) in [("ann", true), ("bob", true), ("Ann", false), ("an", false), ("", false), ("*", false)] {
        assert_eq!(certificate.names_user(name), named, "{name}");
    }
    let nobody = Draft { principals: Vec::new(), ..user() }.sign();
    assert_eq!(nobody.check(CertificateKind::User, NOW), Err(CertificateRefusal::NoPrincipals));
    let star = Draft { principals: vec!["*".into()], ..user() }.sign();
    assert!(!star.names_user("ann"), "wildcards are for hosts only");
}

#[test]
fn h07_host_certificates() {
    let host = |names: &[&str]| Draft {
        kind: CertificateKind::Host,
        principals: names.iter().map(|name| (*name).to_owned()).collect(),
        extensions: Vec::new(),
        ..user()
    };
    assert_eq!(host(&["web.example.org"]).sign().check_host("web.example.org", NOW), Ok(()));
    assert_eq!(host(&["db", "*.example.org"]).sign().check_host("web.example.org", NOW), Ok(()));
    for (names, expected) in [
        (&["web"][..], CertificateRefusal::WrongPrincipal),
        (&["*.example.com"], CertificateRefusal::WrongPrincipal),
        (&[], CertificateRefusal::NoPrincipals),
    ] {
        assert_eq!(host(names).sign().check_host("web.example.org", NOW), Err(expected));
    }
    let mut expired = host(&["h"]);
    expired.window = (0, NOW);
    assert_eq!(expired.sign().check_host("h", NOW), Err(CertificateRefusal::Expired));
    assert_eq!(
        Draft { kind: CertificateKind::User, ..host(&["h"]) }.sign().check_host("h", NOW),
        Err(CertificateRefusal::WrongKind(CertificateKind::User))
    );
    let critical = Draft { critical: vec![option("force-command", Some("x"))], ..host(&["h"]) }.sign();
    assert!(matches!(critical.check_host("h", NOW), Err(CertificateRefusal::UnknownCritical(_))));
}

#[test]
fn a07_options_narrow_and_the_unknown_is_refused() {
    assert_eq!(user().limits(), Ok(UserLimits { pty: true, ..UserLimits::default() }));
    let none = Draft { extensions: Vec::new(), ..user() };
    assert_eq!(none.limits(), Ok(UserLimits::default()), "nothing is allowed that is not said");
    let unheard = Draft { extensions: vec![option("unheard@of", Some("x"))], ..user() };
    assert_eq!(unheard.limits(), Ok(UserLimits::default()), "an extension that nobody knows allows nothing");
    let critical = |name: &str, value: Option<&str>| Draft { critical: vec![option(name, value)], ..user() }.limits();
    assert_eq!(critical("force-command", Some("date")).unwrap().force_command.as_deref(), Some("date"));
    assert_eq!(critical("force-command", None), Err(CertificateRefusal::BadOption("force-command".into())));
    for (list, expected) in [
        (Some("192.0.2.0/24"), None),
        (Some("10.0.0.0/8"), Some(CertificateRefusal::SourceAddress)),
        (Some(""), Some(CertificateRefusal::BadOption("source-address".into()))),
        (Some("192.0.2.0/24,x"), Some(CertificateRefusal::BadOption("source-address".into()))),
        (None, Some(CertificateRefusal::BadOption("source-address".into()))),
    ] {
        assert_eq!(critical("source-address", list).err(), expected, "{list:?}");
    }
    assert_eq!(critical("verify-required", None), Err(CertificateRefusal::NeedsVerification));
    for unknown in ["unheard@of", "permit-pty", "Force-Command", ""] {
        assert_eq!(critical(unknown, None), Err(CertificateRefusal::UnknownCritical(unknown.into())));
    }
}

#[test]
fn a07_lines_that_are_none() {
    let line = user().sign().to_line();
    let base64 = line.split(' ').nth(1).unwrap();
    for bad in [
        String::new(),
        "ecdsa-sha2-nistp256-cert-v01@openssh.com".into(),
        format!("ssh-ed25519-cert-v01@openssh.com {base64}"),
        format!("ecdsa-sha2-nistp256 {base64}"),
        format!("ecdsa-sha2-nistp256-cert-v01@openssh.com {base64}="),
        private("rsa2048").public_key().to_line(),
    ] {
        assert!(Certificate::parse_line(&bad).is_err(), "{bad}");
    }
    assert!(PublicKey::parse_line(&line).is_err(), "a certificate is not a plain key");
}
