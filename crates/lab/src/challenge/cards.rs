//! The ten challenges, as they are told.

use super::{Challenge, Difficulty, Gate, rules};
use crate::{Fix, Fixes, Protocol};

const SERVER: &[Gate] = &[Gate::Server];
const ALICE: &[Gate] = &[Gate::Alice];
const BOTH: &[Gate] = &[Gate::Server, Gate::Alice];
const ALL: &[Gate] = &[Gate::Server, Gate::Alice, Gate::Door];

/// The server signs, so that nobody can play it.
const SIGNED: Fixes = Fixes::NONE.with(Fix::F1);
/// Both sign: nobody can play either.
const BOTH_SIGNED: Fixes = SIGNED.with(Fix::F7);

pub(super) const CARDS: [Challenge; 10] = [
    Challenge {
        title: "A name is a name",
        difficulty: Difficulty::Easy,
        protocol: Protocol::RsaChat,
        fixes: Fixes::NONE,
        gates: SERVER,
        story: "Bob sits in an rsa-chat and waits for Alice, to send her the flag as a private message. Alice is late. \
                The chat's encryption is sound; you do not have to break it.",
        shut: "",
        hints: [
            "How does the chat know that somebody is Alice?",
            "It does not ask for a password. Whoever comes says a name, and that is who they are.",
            "nacre lab join rsa-chat localhost PORT, and say that you are Alice.",
        ],
        solution: "The channel is encrypted, and nobody has proven who is at its other end. SSH logs a user in inside the \
                   channel, with a proof that is bound to it.",
        attack: "A14",
        rules: rules::flag_for_alice,
    },
    Challenge {
        title: "The missing sentence",
        difficulty: Difficulty::Easy,
        protocol: Protocol::DhChat,
        fixes: BOTH_SIGNED,
        gates: ALL,
        story: "In a dh-chat Alice tells the server to open the door. But she says first that it is an exercise, and the \
                server only yawns. You sit on the wire between them: connect to both ports and pass on what comes. Both \
                sign their keys (F1, F7), so that you cannot play either of them, and you cannot read a word.",
        shut: "The door is shut: the server has heard that it is an exercise.",
        hints: [
            "You cannot change what Alice says. You can choose what of it arrives.",
            "Each message is a frame: 4 bytes of length, then so many bytes. Alice's first is her public value, the second \
             her signature, the third that it is an exercise, the fourth that the door be opened.",
            "Pass on everything in both directions, but leave out the third frame that Alice sends.",
        ],
        solution: "Nothing in a message says which one it is, so nobody misses one that is not there. With counted \
                   messages (F3) the next one would have been out of order.",
        attack: "A5",
        rules: rules::unless_exercise,
    },
    Challenge {
        title: "A mirror",
        difficulty: Difficulty::Easy,
        protocol: Protocol::DhChat,
        fixes: BOTH_SIGNED,
        gates: ALL,
        story: "Alice works the drawbridge. In a dh-chat she asks the server whether to `lower the bridge`, and lowers it \
                when she hears the same words back. The server says no. You sit on the wire between them; both sign \
                their keys (F1, F7).",
        shut: "The bridge is up.",
        hints: [
            "You need a message of which Alice believes that the server sent it. Who can make one?",
            "Alice and the server have one key for both directions. What Alice has sealed would open for Alice.",
            "Pass everything on until Alice has sent her third frame, which is the question. Send her that very frame.",
        ],
        solution: "One key for both directions: a message does not say who made it. With a key for each direction (F4) \
                   Alice's own message would have meant nothing to her.",
        attack: "A6",
        rules: rules::same_words,
    },
    Challenge {
        title: "Paid three times",
        difficulty: Difficulty::Easy,
        protocol: Protocol::MiniSsh,
        fixes: BOTH_SIGNED,
        gates: ALL,
        story: "Alice logs in to a mini-ssh server and runs one command: it pays Mallory 10. Mallory would like 30, in one \
                session. You sit on the wire between them; both sign their keys (F1, F7), and the messages are Fernet \
                tokens, which nobody can forge.",
        shut: "Mallory does not have 30.",
        hints: [
            "You cannot make a payment. You have seen one.",
            "A token that was genuine once is genuine for ever: nothing in it says that it was there before.",
            "Each message is a frame: 4 bytes of length, then so many bytes. Alice sends her public key, her signature, the \
             name, the password, the command. Send the server the fifth three times.",
        ],
        solution: "A seal says who made a message, not when, and not how often it counts. A number in it that both count \
                   (F3) stops the second one.",
        attack: "A4",
        rules: rules::three_payments,
    },
    Challenge {
        title: "Sixteen bits",
        difficulty: Difficulty::Medium,
        protocol: Protocol::ToySocket,
        fixes: Fixes::NONE,
        gates: BOTH,
        story: "Alice tells a toy-socket server the flag. You sit on the wire between them: connect to both ports and pass \
                on what comes. Pass it on unchanged if you like: it is enough to listen.",
        shut: "",
        hints: [
            "Diffie-Hellman hides the key because nobody can work out the exponent. How many exponents are there here?",
            "P is 65521 and G is 3. Raise 3 to every power until Alice's public value comes out; there are 5460 values.",
            "With her exponent a and the server's value B the key is B^a mod P. docs/LAB.md has the cipher: go through its \
             four steps backwards for every 4 bytes, and take the filling off the end.",
        ],
        solution: "An exchange is as strong as its numbers are long. With 2048 bits, or on a curve with 255 (F6), the table \
                   would not fit into the universe.",
        attack: "A10",
        rules: rules::alice_tells,
    },
    Challenge {
        title: "In between",
        difficulty: Difficulty::Medium,
        protocol: Protocol::DhChat,
        fixes: Fixes::NONE,
        gates: ALICE,
        story: "Alice calls a dh-chat server, and you answer. As soon as the connection is secure she tells the server the \
                flag. The group is 2048 bits, the cipher AES-256: nothing here can be broken.",
        shut: "",
        hints: [
            "Alice has a secret with whoever answers. Who is that?",
            "Play the server: send p and g of RFC 3526 group 14 and a public value whose exponent you know, and take hers.",
            "Secret = hers^yours mod p, 256 bytes. Key = PBKDF2-HMAC-SHA256(secret, `dh-chat fixed salt`, 100000, 32 \
             bytes). Her next frame is 16 bytes of initialization vector and AES-256-CBC.",
        ],
        solution: "An exchange with nobody in particular is an exchange with anybody. A signature of all that was exchanged, \
                   by a key that Alice knows (F1), is what a host key in SSH is for.",
        attack: "A2",
        rules: rules::alice_tells,
    },
    Challenge {
        title: "Three letters",
        difficulty: Difficulty::Medium,
        protocol: Protocol::RsaChat,
        fixes: SIGNED,
        gates: BOTH,
        story: "In an rsa-chat Alice sends Bob the flag: what she types is `/pm Bob` and the flag. You sit on the wire between \
                her and the server, which signs its key (F1). And anybody may join the chat under a name that is free.",
        shut: "",
        hints: [
            "You cannot read Alice's message, but you know how it begins. And in CBC, a bit that is turned in the \
             initialization vector is turned in the first block of the text.",
            "Who is called Eve gets what is sent to Eve. Bob and Eve are both three letters long.",
            "Join as Eve (with F1 the server sends one blob more, before HANDSHAKE_OK: its signature). Then connect Alice. \
             Her third blob is base64 of IV and ciphertext: XOR bytes 5, 6 and 7 of the IV with `Bob` XOR `Eve`.",
        ],
        solution: "Encryption hides a text; it does not keep it from being changed. A MAC that is checked before anything \
                   else (F2), or an AEAD as in SSH, does.",
        attack: "A7",
        rules: rules::flag_for_bob,
    },
    Challenge {
        title: "Eighteen bits",
        difficulty: Difficulty::Medium,
        protocol: Protocol::ToySocket,
        fixes: BOTH_SIGNED,
        gates: ALL,
        story: "A toy-socket server opens the door when Alice says `open the door`. She says `good morning`. Every message \
                has an RSA signature of 3 bytes, and both ends sign the exchange besides (F1, F7): nobody can play \
                either. You sit on the wire between them.",
        shut: "The door is shut: Alice has not said `open the door`.",
        hints: [
            "To say something in Alice's name you need her two keys: the one of 16 bits that the cipher takes, and the one \
             that she signs with. Both went over the wire, in a way.",
            "The first falls to a table of all powers of 3 modulo 65521. The second is in `E,N`: N has 17 or 18 bits, and \
             one of its two factors is a prime between 257 and 509.",
            "d = E^-1 mod (p-1)(q-1). Encrypt `open the door`, take CRC-16/CCITT-FALSE of the ciphertext to the power of d \
             mod N, and send the server `base64(ciphertext)|base64(signature)` once Alice has said her line.",
        ],
        solution: "A signature is as strong as its key. The exchange was signed with a good one (Ed25519), the messages with \
                   one that can be factored by hand: F6 gives them a good one too.",
        attack: "A11",
        rules: rules::wanted_by_alice,
    },
    Challenge {
        title: "Yes or no",
        difficulty: Difficulty::Hard,
        protocol: Protocol::DhChat,
        fixes: BOTH_SIGNED,
        gates: BOTH,
        story: "In a dh-chat Alice tells the server the flag; the server says that it has understood. What it cannot decrypt \
                it answers with `[!] decryption failed`. Both sign their keys (F1, F7). You sit on the wire between them, \
                and may send the server what you like in Alice's place, as often as you like.",
        shut: "",
        hints: [
            "The server's answers are encrypted, but they are not equally long. So for anything that you send you learn one \
             thing: could it be decrypted, or not?",
            "It can when the text ends as PKCS#7 wants it: with 01, or 02 02, or 03 03 03. Send two blocks: one that you \
             choose, and one of Alice's. The last byte of yours decides about the last byte of the text.",
            "For each of 256 last bytes ask once. The one that is right gives a byte of what AES makes of the block: guess \
             XOR 01. Then make the end 02 and go on to the left. The text is that, XOR the block before. Up to 1000 \
             failures in a row are taken.",
        ],
        solution: "One bit for each question is enough: about 6000 questions for this text. With a MAC over the ciphertext \
                   that is checked first (F2) every question has the same answer, which is the end.",
        attack: "A8",
        rules: rules::alice_tells_and_is_answered,
    },
    Challenge {
        title: "Terrapin",
        difficulty: Difficulty::Hard,
        protocol: Protocol::Ssh,
        fixes: Fixes::NONE,
        gates: ALL,
        story: "This is SSH, as it was before 2024: chacha20-poly1305@openssh.com, and no strict key exchange. Right after \
                NEWKEYS the server says in an EXT_INFO what else it can do. The door opens when Alice is logged in, has \
                a session, and does not know of it. You sit on the wire between them. Both know each other's keys.",
        shut: "The door is shut: Alice has not had a session without EXT_INFO.",
        hints: [
            "If you just leave the packet out, Alice's next one does not open: a packet's number goes into its seal, and \
             each end counts for itself.",
            "The count begins with the connection, also for packets that are not encrypted. Which of them may come at any \
             time before NEWKEYS, and does nothing?",
            "Send Alice an IGNORE (00 00 00 0c 06 02 00 00 00 00 and six bytes of 00) right before the server's packet 31. \
             Hold NEWKEYS back: all that comes after it until the server is silent is EXT_INFO. Drop that, then let \
             NEWKEYS through, and everything after.",
        ],
        solution: "CVE-2023-48795. With strict key exchange (F9) nothing may be slipped in before NEWKEYS, and counting begins \
                   anew with the keys. Every SSH of today has it; both ends must.",
        attack: "A18",
        rules: rules::without_extensions,
    },
];
