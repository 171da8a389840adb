//! Both ends compared when all has arrived, with servers that hash, that do not, and that spoil what they are given.

use super::peers::{PEERS, Peer, Seen, part_of, pipe, raw, write};
use nacre_files::remote::Remote;
use nacre_files::transfer::{Options, Proof, get, put};
use nacre_sftp::packet::{self, LENGTH};

fn verify() -> Options {
    Options { verify: true, recursive: true, ..Options::default() }
}

#[test]
fn equal_ends_are_verified_and_it_is_said_how() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            let sizes = [0, 1, 4 * 1024 * 1024, 9_000_001];
            for size in sizes {
                write(&from.join(size.to_string()), size as u64, size);
            }
            let (mut remote, mut seen) = (peer.connect(), Seen::default());
            let report = if up {
                put(&mut remote, std::slice::from_ref(&from), &raw(&to), &verify(), &mut seen)
            } else {
                get(&mut remote, &[raw(&from)], &to, &verify(), &mut seen)
            };
            assert_eq!(report.unwrap().failed, 0, "{seen:?}");
            let proof = if peer == Peer::Nacre { Proof::Hash } else { Proof::ReadBack };
            assert_eq!(seen.verified, vec![proof; sizes.len()], "{peer:?} {up}");
            assert!(super::peers::tree(&from) == super::peers::tree(&to));
        }
    }
}

/// A server between whose ears a byte turns: the WRITE or DATA that holds `offset` is changed on its way.
fn spoiling(peer: Peer, kind: u8) -> Remote {
    let (input, output) = peer.ends();
    let (near_input, far_output) = pipe();
    let (far_input, near_output) = pipe();
    let spoil = move |from: std::os::fd::OwnedFd, to: std::os::fd::OwnedFd, kind: u8| {
        let mut from = std::fs::File::from(from);
        let mut to = std::fs::File::from(to);
        let mut spoilt = false;
        loop {
            let mut length = [0; LENGTH];
            if std::io::Read::read_exact(&mut from, &mut length).is_err() {
                return;
            }
            let mut body = vec![0; u32::from_be_bytes(length) as usize];
            std::io::Read::read_exact(&mut from, &mut body).unwrap();
            if body[0] == kind && body.len() > 200_000 && !spoilt {
                *body.last_mut().unwrap() ^= 1;
                spoilt = true;
            }
            if std::io::Write::write_all(&mut to, &[&length[..], &body].concat()).is_err() {
                return;
            }
        }
    };
    std::thread::spawn(move || spoil(far_input, output, kind));
    std::thread::spawn(move || spoil(input, far_output, kind));
    Remote::open(near_input, near_output).unwrap()
}

#[test]
fn a_byte_that_turned_is_found_and_the_file_keeps_its_part_name() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            write(&from, 1, 9_000_001);
            let mut remote = spoiling(peer, if up { packet::WRITE } else { packet::DATA });
            let mut seen = Seen::default();
            let report = if up {
                put(&mut remote, std::slice::from_ref(&from), &raw(&to), &verify(), &mut seen)
            } else {
                get(&mut remote, &[raw(&from)], &to, &verify(), &mut seen)
            };
            assert_eq!((report.unwrap().failed, seen.verified.len()), (1, 0), "{peer:?} {up}");
            assert!(seen.failed["from"].contains("differ"), "{seen:?}");
            assert!(!to.exists() && part_of(&to).exists(), "{peer:?} {up}");
            // The same without verifying goes unnoticed, so it was the comparison that found it.
            let mut remote = spoiling(peer, if up { packet::WRITE } else { packet::DATA });
            if up {
                put(&mut remote, std::slice::from_ref(&from), &raw(&to), &Options::default(), &mut seen).unwrap();
            } else {
                get(&mut remote, &[raw(&from)], &to, &Options::default(), &mut seen).unwrap();
            }
            assert_ne!(std::fs::read(&to).unwrap(), std::fs::read(&from).unwrap());
        }
    }
}
