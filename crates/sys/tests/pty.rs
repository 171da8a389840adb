//! Pseudo-terminals and encoded terminal modes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::os::unix::fs::MetadataExt;

use nacre_sys::modes::{TTY_OP_ISPEED, TTY_OP_OSPEED, apply, encode};
use nacre_sys::pty::{Pty, WindowSize, window_size};
use rustix::termios::{ControlModes, InputModes, LocalModes, OutputModes, SpecialCodeIndex, tcgetattr};
use support::root_or_say_so;

#[test]
fn ends_are_private_and_the_master_does_not_block() {
    let pty = Pty::open().unwrap();
    for fd in [&pty.master, &pty.slave] {
        assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }
    assert_eq!(rustix::io::read(&pty.master, &mut [0_u8; 8]), Err(rustix::io::Errno::AGAIN));
    assert!(!rustix::fs::fcntl_getfl(&pty.slave).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
    let (by_name, by_fd) = (std::fs::metadata(&pty.path).unwrap(), rustix::fs::fstat(&pty.slave).unwrap());
    assert_eq!(by_name.rdev(), by_fd.st_rdev);
}

#[test]
fn sizes_are_kept_and_clamped() {
    let pty = Pty::open().unwrap();
    let size = WindowSize { columns: 200, rows: 50, width_px: 1600, height_px: 800 };
    pty.resize(size).unwrap();
    assert_eq!(window_size(&pty.slave).unwrap(), size);
    pty.resize(WindowSize { columns: 65536, rows: u32::MAX, width_px: 0, height_px: 70000 }).unwrap();
    let clamped = WindowSize { columns: 65535, rows: 65535, width_px: 0, height_px: 65535 };
    assert_eq!(window_size(&pty.slave).unwrap(), clamped);
    assert!(window_size(std::fs::File::open("/dev/null").unwrap()).is_err());
}

#[test]
fn slave_is_given_to_the_user_and_group_tty() {
    if !root_or_say_so("slave_is_given_to_the_user_and_group_tty") {
        return;
    }
    let pty = Pty::open().unwrap();
    pty.give_to(65534, 65534).unwrap();
    let meta = std::fs::metadata(&pty.path).unwrap();
    let tty = nacre_sys::account::group_id("tty").unwrap();
    assert_eq!(meta.uid(), 65534);
    assert_eq!(meta.gid(), tty.unwrap_or(65534));
    assert_eq!(meta.mode() & 0o7777, if tty.is_some() { 0o620 } else { 0o600 });
}

/// Every opcode of RFC 4254 §8 that Linux has, with a value that differs from a fresh pty's.
#[test]
fn modes_survive_a_round_trip_through_a_terminal() {
    let (from, to) = (Pty::open().unwrap(), Pty::open().unwrap());
    let fresh = encode(&tcgetattr(&from.slave).unwrap());
    // The pty driver forces eight bits without parity, whatever is asked.
    let changed: Vec<(u8, u32)> =
        fresh.iter().filter(|(op, _)| *op < 90).map(|&(op, value)| (op, flip(op, value))).collect();
    assert_eq!(changed.len(), 15 + 13 + 13 + 6);
    from.apply_modes(&changed).unwrap();
    from.apply_modes(&[(TTY_OP_ISPEED, 9600), (TTY_OP_OSPEED, 115_200)]).unwrap();
    let read = encode(&tcgetattr(&from.slave).unwrap());
    for pair in &changed {
        assert!(read.contains(pair), "{pair:?} in {read:?}");
    }
    assert!(read.contains(&(TTY_OP_OSPEED, 115_200)), "{read:?}");
    to.apply_modes(&read).unwrap();
    assert_eq!(encode(&tcgetattr(&to.slave).unwrap()), read);
}

fn flip(opcode: u8, value: u32) -> u32 {
    if opcode < 30 { u32::from(opcode) + 64 } else { u32::from(value == 0) }
}

#[test]
fn named_opcodes_mean_what_the_rfc_says() {
    let pty = Pty::open().unwrap();
    let mut termios = tcgetattr(&pty.slave).unwrap();
    apply(&mut termios, &[(1, 7), (3, 8), (8, 255), (36, 0), (42, 1), (51, 0), (53, 0), (70, 0), (72, 0)]);
    assert_eq!(termios.special_codes[SpecialCodeIndex::VINTR], 7);
    assert_eq!(termios.special_codes[SpecialCodeIndex::VERASE], 8);
    assert_eq!(termios.special_codes[SpecialCodeIndex::VSTART], 0, "255 switches a character off");
    assert!(!termios.input_modes.contains(InputModes::ICRNL) && termios.input_modes.contains(InputModes::IUTF8));
    assert!(!termios.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO));
    assert!(!termios.output_modes.intersects(OutputModes::OPOST | OutputModes::ONLCR));
    assert!(encode(&termios).contains(&(8, 255)));
}

#[test]
fn character_size_is_settled_whatever_the_order() {
    let pty = Pty::open().unwrap();
    let mut termios = tcgetattr(&pty.slave).unwrap();
    let mut size_after = |pairs: &[(u8, u32)]| {
        apply(&mut termios, pairs);
        termios.control_modes & ControlModes::CSIZE
    };
    assert_eq!(size_after(&[(90, 1), (91, 0)]), ControlModes::CS7);
    assert_eq!(size_after(&[(90, 0), (91, 0)]), ControlModes::CS7, "nothing asked, nothing changed");
    assert_eq!(size_after(&[(91, 1), (90, 1)]), ControlModes::CS8);
    assert_eq!(size_after(&[(90, 1)]), ControlModes::CS7);
    assert_eq!(size_after(&[(90, 1), (91, 1)]), ControlModes::CS8);
    apply(&mut termios, &[(92, 1), (93, 1), (90, 1)]);
    let pairs = encode(&termios);
    for pair in [(90, 1), (92, 1), (93, 1)] {
        assert!(pairs.contains(&pair), "{pair:?}");
    }
    assert!(!pairs.iter().any(|(opcode, _)| *opcode == 91));
}

#[test]
fn hostile_pairs_change_nothing() {
    let pty = Pty::open().unwrap();
    let mut termios = tcgetattr(&pty.slave).unwrap();
    let before = encode(&termios);
    // Unknown, missing on Linux, out of range, speed 0 (hang-up) and a speed nothing can encode as a character.
    let all: Vec<(u8, u32)> = (130..=255).map(|opcode| (opcode, u32::MAX)).collect();
    apply(&mut termios, &all);
    apply(
        &mut termios,
        &[(0, 1), (11, 3), (15, 3), (17, 3), (1, 256), (2, u32::MAX), (TTY_OP_ISPEED, 0), (TTY_OP_OSPEED, 0)],
    );
    assert_eq!(encode(&termios), before);
    pty.apply_modes(&[(TTY_OP_ISPEED, u32::MAX), (TTY_OP_OSPEED, u32::MAX)]).unwrap();
}
