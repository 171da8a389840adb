//! Every bound on what a person, a peer node or a slow reader can make the engine keep or do.

use std::time::Duration;

/// Bytes of UTF-8 in one message.
pub const BODY_BYTES: usize = 4096;
/// Lines in one message: a paste is one message.
pub const BODY_LINES: usize = 100;
/// Bytes of a topic, an away message, a reason.
pub const PHRASE_BYTES: usize = 300;
/// Characters of a nick.
pub const NICK_CHARS: usize = 24;
/// Characters of a room's name after `#`.
pub const ROOM_CHARS: usize = 32;
/// Combining marks on one base character.
pub const MARKS: usize = 4;
/// Rooms one account may be in.
pub const ROOMS_PER_ACCOUNT: usize = 50;
/// Rooms one account may own.
pub const ROOMS_OWNED: usize = 20;
/// Rooms a server keeps.
pub const ROOMS: usize = 10_000;
/// Accounts a server keeps.
pub const ACCOUNTS: usize = 1_000_000;
/// Keys of one account.
pub const KEYS_PER_ACCOUNT: usize = 20;
/// Offers to take a key into an account that wait.
pub const KEY_OFFERS: usize = 1_000;
/// Sessions of one account at once.
pub const SESSIONS_PER_ACCOUNT: usize = 20;
/// People one account may ignore.
pub const IGNORED: usize = 200;
/// Invitations and roles that one room keeps.
pub const ROOM_LIST: usize = 1_000;
/// Bans that are kept.
pub const BANS: usize = 10_000;
/// Recent lines that a room keeps in memory, for doubles, replies and edits.
pub const RING: usize = 200;
/// Lines one `/history` or `/search` brings at most.
pub const HISTORY_LINES: u32 = 500;
/// Lines shown on entering a room.
pub const GREETING_LINES: u32 = 50;
/// Private messages shown after coming back.
pub const INBOX_LINES: u32 = 200;
/// Accounts one line rings for.
pub const MENTIONS: usize = 20;

/// Lines one may say at once before they are delayed.
pub const BURST: u32 = 5;
/// Time after which one more may be said: two a second.
pub const REFILL: Duration = Duration::from_millis(500);
/// Lines that wait for their turn; the next one mutes.
pub const DELAYED: usize = 20;
/// How long who does not stop is muted.
pub const FLOOD_MUTE: Duration = Duration::from_secs(30);

/// Bytes that wait for one session's reader before lines are left out; one event may be larger.
pub const QUEUE_BYTES: usize = 256 * 1024;
/// How long a reader may take nothing at all, once lines are left out, before it is cut off.
pub const STALLED: Duration = Duration::from_secs(60);

/// Lines a room queues for the other nodes while they cannot be reached.
pub const APART_LINES: usize = 1_000;
/// How long the oldest of them may have waited; then lines are refused.
pub const APART_TIME: Duration = Duration::from_secs(5 * 60);
/// Lines one backfill brings at most; a longer gap is filled in steps.
pub const BACKFILL_LINES: u32 = 500;
/// Lines that arrived ahead of a gap and wait for it to fill, per room.
pub const AHEAD: usize = 1_000;
/// How far the clocks of two nodes may be apart before lines are hidden from who might see them.
pub const CLOCKS_APART: Duration = Duration::from_secs(5 * 60);
/// How long the engine waits for an answer to a question about a session before it says so.
pub const ANSWER: Duration = Duration::from_secs(30);
/// How often read markers are written down.
pub const MARK_EVERY: Duration = Duration::from_secs(10);
