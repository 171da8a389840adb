//! Encoded terminal modes (RFC 4254 §8) to and from a termios.

use rustix::termios::{ControlModes, InputModes, LocalModes, OutputModes, SpecialCodeIndex, Termios};

/// TTY_OP_ISPEED: bits per second.
pub const TTY_OP_ISPEED: u8 = 128;
/// TTY_OP_OSPEED: bits per second.
pub const TTY_OP_OSPEED: u8 = 129;

const CS7: u8 = 90;
const CS8: u8 = 91;

/// RFC 4254 §8: 255 in a control character's place means that it is switched off; Linux writes that as 0.
const WIRE_DISABLED: u32 = 255;
const POSIX_VDISABLE: u8 = 0;

/// Control characters. VDSUSP (11), VFLUSH (15) and VSTATUS (17) do not exist on Linux.
const CHARACTERS: [(u8, SpecialCodeIndex); 15] = [
    (1, SpecialCodeIndex::VINTR),
    (2, SpecialCodeIndex::VQUIT),
    (3, SpecialCodeIndex::VERASE),
    (4, SpecialCodeIndex::VKILL),
    (5, SpecialCodeIndex::VEOF),
    (6, SpecialCodeIndex::VEOL),
    (7, SpecialCodeIndex::VEOL2),
    (8, SpecialCodeIndex::VSTART),
    (9, SpecialCodeIndex::VSTOP),
    (10, SpecialCodeIndex::VSUSP),
    (12, SpecialCodeIndex::VREPRINT),
    (13, SpecialCodeIndex::VWERASE),
    (14, SpecialCodeIndex::VLNEXT),
    (16, SpecialCodeIndex::VSWTC),
    (18, SpecialCodeIndex::VDISCARD),
];

/// Input flags; IUTF8 (42) is RFC 8160.
const INPUT: [(u8, InputModes); 13] = [
    (30, InputModes::IGNPAR),
    (31, InputModes::PARMRK),
    (32, InputModes::INPCK),
    (33, InputModes::ISTRIP),
    (34, InputModes::INLCR),
    (35, InputModes::IGNCR),
    (36, InputModes::ICRNL),
    (37, InputModes::IUCLC),
    (38, InputModes::IXON),
    (39, InputModes::IXANY),
    (40, InputModes::IXOFF),
    (41, InputModes::IMAXBEL),
    (42, InputModes::IUTF8),
];

const LOCAL: [(u8, LocalModes); 13] = [
    (50, LocalModes::ISIG),
    (51, LocalModes::ICANON),
    (52, LocalModes::XCASE),
    (53, LocalModes::ECHO),
    (54, LocalModes::ECHOE),
    (55, LocalModes::ECHOK),
    (56, LocalModes::ECHONL),
    (57, LocalModes::NOFLSH),
    (58, LocalModes::TOSTOP),
    (59, LocalModes::IEXTEN),
    (60, LocalModes::ECHOCTL),
    (61, LocalModes::ECHOKE),
    (62, LocalModes::PENDIN),
];

const OUTPUT: [(u8, OutputModes); 6] = [
    (70, OutputModes::OPOST),
    (71, OutputModes::OLCUC),
    (72, OutputModes::ONLCR),
    (73, OutputModes::OCRNL),
    (74, OutputModes::ONOCR),
    (75, OutputModes::ONLRET),
];

const PARITY: [(u8, ControlModes); 2] = [(92, ControlModes::PARENB), (93, ControlModes::PARODD)];

/// Applies `(opcode, value)` pairs to `termios`, in order. Opcodes that are unknown, that Linux lacks, and values it
/// cannot hold are skipped: RFC 4254 §8 asks to do what can be done.
pub fn apply(termios: &mut Termios, pairs: &[(u8, u32)]) {
    for &(opcode, value) in pairs {
        apply_one(termios, opcode, value);
    }
    apply_character_size(termios, pairs);
}

fn apply_one(termios: &mut Termios, opcode: u8, value: u32) {
    let on = value != 0;
    if let Some(index) = find(&CHARACTERS, opcode) {
        if let Some(character) = decode_character(value) {
            termios.special_codes[index] = character;
        }
    } else if let Some(flag) = find(&INPUT, opcode) {
        termios.input_modes.set(flag, on);
    } else if let Some(flag) = find(&LOCAL, opcode) {
        termios.local_modes.set(flag, on);
    } else if let Some(flag) = find(&OUTPUT, opcode) {
        termios.output_modes.set(flag, on);
    } else if let Some(flag) = find(&PARITY, opcode) {
        termios.control_modes.set(flag, on);
    } else if on && opcode == TTY_OP_ISPEED {
        // Speed 0 means "hang up" to a driver, so it is not passed on; a speed the system cannot encode leaves the old one.
        let _ = termios.set_input_speed(value);
    } else if on && opcode == TTY_OP_OSPEED {
        let _ = termios.set_output_speed(value);
    }
}

/// CS7 and CS8 share bits, so they are settled together: whichever order they came in, CS8 wins.
fn apply_character_size(termios: &mut Termios, pairs: &[(u8, u32)]) {
    let asked = |size: u8| pairs.iter().any(|&(opcode, value)| opcode == size && value != 0);
    let size = match (asked(CS7), asked(CS8)) {
        (_, true) => ControlModes::CS8,
        (true, false) => ControlModes::CS7,
        (false, false) => return,
    };
    termios.control_modes.remove(ControlModes::CSIZE);
    termios.control_modes.insert(size);
}

/// The pairs that describe `termios`, in opcode order, speeds first as OpenSSH sends them. TTY_OP_END is not included.
pub fn encode(termios: &Termios) -> Vec<(u8, u32)> {
    let mut pairs = vec![(TTY_OP_OSPEED, termios.output_speed()), (TTY_OP_ISPEED, termios.input_speed())];
    pairs.extend(CHARACTERS.iter().map(|&(op, index)| (op, encode_character(termios.special_codes[index]))));
    pairs.extend(INPUT.iter().map(|&(op, flag)| (op, u32::from(termios.input_modes.contains(flag)))));
    pairs.extend(LOCAL.iter().map(|&(op, flag)| (op, u32::from(termios.local_modes.contains(flag)))));
    pairs.extend(OUTPUT.iter().map(|&(op, flag)| (op, u32::from(termios.output_modes.contains(flag)))));
    match termios.control_modes & ControlModes::CSIZE {
        ControlModes::CS8 => pairs.push((CS8, 1)),
        ControlModes::CS7 => pairs.push((CS7, 1)),
        _ => {}
    }
    pairs.extend(PARITY.iter().map(|&(op, flag)| (op, u32::from(termios.control_modes.contains(flag)))));
    pairs
}

fn find<T: Copy>(table: &[(u8, T)], opcode: u8) -> Option<T> {
    table.iter().find(|(op, _)| *op == opcode).map(|(_, value)| *value)
}

fn decode_character(value: u32) -> Option<u8> {
    if value == WIRE_DISABLED {
        return Some(POSIX_VDISABLE);
    }
    u8::try_from(value).ok()
}

fn encode_character(character: u8) -> u32 {
    if character == POSIX_VDISABLE { WIRE_DISABLED } else { character.into() }
}
