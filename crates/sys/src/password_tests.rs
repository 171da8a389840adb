#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use std::time::Duration;

// SHA-crypt hashes as `openssl passwd` (not libcrypt) computes them; bcrypt as published with its reference code.

const MARKERS: [&str; 12] = ["", "*", "!", "!!", "x", "*0", "*1", "!*", "*LK*", "!$6$saltstring$x", "*NP*", "!locked"];

const SHA512: (&str, &str) = (
    "Hello world!",
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
);
const SHA256: (&str, &str) = ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
const ROUNDS: (&str, &str) = (
    "Hello world!",
    "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
);
const BCRYPT: (&str, &str) = ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");

/// The work this thread has done so far, as time on a processor.
fn thread_cpu_time() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}

fn passwords() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [0, 1, 255, 256, 257, 511, 1024, 1025, 65536].map(|n| vec![b'a'; n]).to_vec();
    all.push(b"with\0nul".to_vec());
    all.push(b"\0".to_vec());
    all.extend(MARKERS.iter().map(|marker| marker.as_bytes().to_vec()));
    all
}

fn text(value: &str) -> Option<Zeroizing<String>> {
    Some(Zeroizing::new(value.to_owned()))
}

/// Whatever libcrypt answers, including the very string that is stored, a marker never lets anybody in; nor is it hashed.
#[test]
fn a10_markers_never_match_and_are_never_hashed() {
    for stored in MARKERS {
        for password in passwords() {
            let verdict = check_with(stored, &password, |_, _| panic!("{stored:?} was hashed"));
            assert!(matches!(verdict, Verdict::NoPassword | Verdict::UnusablePassword), "{stored:?}: {verdict:?}");
            assert!(!verdict.is_match());
        }
    }
}

#[test]
fn a10_failed_hash_never_matches() {
    let failures = [None, text("*0"), text("*1"), text("*"), text(""), text("x"), text("$6$"), text("$6$saltstring$")];
    for (_, stored) in [SHA512, SHA256, ROUNDS, BCRYPT] {
        for answer in &failures {
            for password in passwords() {
                let verdict = check_with(stored, &password, |_, _| answer.clone());
                assert!(matches!(verdict, Verdict::CryptFailed | Verdict::UnusablePassword), "{verdict:?}");
            }
        }
    }
}

#[test]
fn a10_long_passwords_and_nul_are_denied_without_hashing() {
    for password in [vec![b'a'; 1025], vec![b'a'; 65536], b"with\0nul".to_vec(), b"\0".to_vec()] {
        let verdict = check_with(SHA512.1, &password, |_, _| panic!("hashed {} bytes", password.len()));
        assert_eq!(verdict, Verdict::UnusablePassword);
    }
    let mut hashed = 0;
    for length in [0, 1, 255, 256, 257, 511, 1024] {
        let verdict = check_with(SHA512.1, &vec![b'a'; length], |password, _| {
            hashed += password.len();
            text(ROUNDS.1)
        });
        assert_eq!(verdict, Verdict::CryptFailed, "a hash with other parameters is no answer");
    }
    assert_eq!(hashed, 1 + 255 + 256 + 257 + 511 + 1024);
}

#[test]
fn a10_field_must_be_the_full_shape_of_a_known_scheme() {
    let short = &SHA512.1[..SHA512.1.len() - 1];
    let long = format!("{}a", SHA512.1);
    let bad = [
        short,
        &long,
        "$6$",
        "$6$salt",
        "$6$$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "$6$rounds=$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "$6$rounds=1x$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "$6$saltstringsaltstr$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWE!8",
        "$2a$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$9$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
        "$y$j9T$$",
        "$y$$",
        "$1$salt$short",
        // Traditional DES and its BSDi variant: eight characters of the password count, so they are not accepted.
        "ab3hQ1rPQzXcE",
        "_J9..CCCCXBrJUJV154M",
        "plaintext",
        "$",
        "$$$",
        "é$6$saltstring$",
    ];
    for stored in bad {
        let verdict = check_with(stored, b"password", |_, _| panic!("{stored:?} was hashed"));
        assert_eq!(verdict, Verdict::UnknownScheme, "{stored:?}");
    }
    for (_, good) in [SHA512, SHA256, ROUNDS, BCRYPT] {
        assert!(scheme_of(good).is_some(), "{good}");
    }
}

#[test]
fn a10_comparison_is_exact() {
    let stored = SHA256.1;
    assert_eq!(compare(stored, Some(stored)), Verdict::Match);
    for at in 14..stored.len() {
        let mut other = stored.to_owned().into_bytes();
        other[at] = if other[at] == b'a' { b'b' } else { b'a' };
        assert_eq!(compare(stored, std::str::from_utf8(&other).ok()), Verdict::Mismatch, "byte {at}");
    }
    assert_eq!(compare(stored, Some(SHA512.1)), Verdict::CryptFailed, "another scheme");
    assert_eq!(compare("*0", Some("*0")), Verdict::CryptFailed);
    assert_eq!(compare("", Some("")), Verdict::CryptFailed);
    assert_eq!(compare("x", Some("x")), Verdict::CryptFailed);
}

#[test]
fn a10_whole_matrix_with_the_machines_own_libcrypt() {
    let verifier = Verifier::load().unwrap();
    for stored in MARKERS {
        for password in passwords() {
            assert!(!verifier.check(stored, &password).is_match(), "{stored:?} with {} bytes", password.len());
        }
    }
    for (_, stored) in [SHA512, SHA256, BCRYPT] {
        for password in passwords() {
            assert!(!verifier.check(stored, &password).is_match(), "{stored:?} with {} bytes", password.len());
        }
    }
}

#[test]
fn published_vectors_match_and_nothing_near_them() {
    let verifier = Verifier::load().unwrap();
    for (password, stored) in [SHA512, SHA256, ROUNDS, BCRYPT] {
        assert_eq!(verifier.check(stored, password.as_bytes()), Verdict::Match, "{stored}");
        assert_eq!(verifier.check(stored, &password.as_bytes()[1..]), Verdict::Mismatch);
        assert_eq!(verifier.check(stored, b""), Verdict::Mismatch);
    }
}

/// What Debian, Fedora and Arch write into shadow: the hash is made by the same library from a fresh setting.
#[test]
fn yescrypt_and_scrypt_hashes_are_recognised() {
    let verifier = Verifier::load().unwrap();
    for setting in ["$y$j9T$F5Jx5fExrKuPp53xLKQ..1$", "$7$CU..../....2Q9obwLhin8qvQl6sisAO/$", "$1$abcdefgh$"] {
        let stored = verifier.crypt(b"correct horse", setting).expect(setting);
        assert_eq!(verifier.check(&stored, b"correct horse"), Verdict::Match, "{setting}");
        assert_eq!(verifier.check(&stored, b"correct horsf"), Verdict::Mismatch, "{setting}");
    }
}

#[test]
fn libcrypts_failure_is_no_hash() {
    let verifier = Verifier::load().unwrap();
    for setting in ["*0", "*1", "*", "!", "$99$nothing$", "$2a$99$CCCCCCCCCCCCCCCCCCCCC."] {
        assert!(verifier.crypt(b"password", setting).is_none(), "{setting}");
    }
}

#[test]
fn denying_an_unknown_account_takes_the_time_of_a_hash() {
    let verifier = Verifier::load().unwrap();
    // Work, not time on the clock: a machine that does something else meanwhile changes only the latter.
    let time = |work: &dyn Fn()| {
        let once = |_| {
            let start = thread_cpu_time();
            work();
            thread_cpu_time() - start
        };
        (0..10).map(once).min().unwrap()
    };
    let real = time(&|| assert!(!verifier.check(ROUNDS.1, b"guess").is_match()));
    let fake = time(&|| verifier.deny(Some(ROUNDS.1), b"guess"));
    assert!(fake * 20 > real, "{fake:?} against {real:?}");
    assert!(time(&|| verifier.deny(Some("*"), b"guess")) > Duration::from_micros(100));
    verifier.deny(None, &[b'a'; 5000]);
}

#[test]
fn missing_library_is_named() {
    let err = Verifier::load_named("libcrypt-that-is-not-here.so.1").unwrap_err();
    assert!(causes(&err).contains("libcrypt-that-is-not-here"), "{}", causes(&err));
}
