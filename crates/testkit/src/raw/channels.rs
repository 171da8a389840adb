//! The raw peer's channels.

use super::{Raw, Role};
use crate::sample;
use nacre_proto::LocalChannel;
use nacre_wire::message::{ChannelOpen, ChannelOpenConfirmation, Message, Rest};
use nacre_wire::number;

/// The two numbers of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// The machine's: what the raw peer's messages name.
    pub theirs: u32,
    /// The raw peer's: what the machine's messages name.
    pub ours: u32,
    /// The machine's, as its interface names it.
    pub local: LocalChannel,
    /// What the machine takes at first, bytes.
    pub window: u32,
}

impl Raw {
    /// A session between both sides, opened by the client of the two.
    #[track_caller]
    pub fn open_session(&mut self) -> Numbers {
        self.open_session_with(1 << 20, 32 * 1024)
    }

    /// A session of which the raw peer takes `window` bytes at first, `max_packet` in a message.
    #[track_caller]
    pub fn open_session_with(&mut self, window: u32, max_packet: u32) -> Numbers {
        match self.role {
            Role::Client => {
                let before = self.end.channels.len();
                let ours = u32::try_from(100 + before).expect("a number");
                self.send(&sample::open_with("session", ours, window, max_packet));
                let message = self.expect(number::CHANNEL_OPEN_CONFIRMATION);
                let m = ChannelOpenConfirmation::decode(&message).expect("a confirmation");
                assert_eq!(m.recipient, ours);
                let local = *self.end.channels.last().expect("the machine's side");
                Numbers { theirs: m.sender, ours, local, window: m.initial_window }
            }
            Role::Server => {
                let now = self.now;
                let local = self.end.connection.open_channel(now, "session", b"").expect("a channel");
                self.settle();
                let message = self.expect(number::CHANNEL_OPEN);
                let m = ChannelOpen::decode(&message).expect("an open");
                let (theirs, window_of_theirs) = (m.sender, m.initial_window);
                let ours = 100 + theirs;
                let answer = ChannelOpenConfirmation {
                    recipient: theirs,
                    sender: ours,
                    initial_window: window,
                    max_packet,
                    rest: Rest(b""),
                };
                self.send(&answer.to_bytes());
                Numbers { theirs, ours, local, window: window_of_theirs }
            }
        }
    }
}
