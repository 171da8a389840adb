//! What other processes of this machine say to the chat: who comes, and what operators ask.

use nacre_chat_server::admin::{read_request, write_request};
use nacre_chat_server::join::{FRAME_BYTES, Frame, Introduction};

/// An introduction, and the frames that follow its line.
pub fn chat_join(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').map_or(data.len(), |at| at + 1);
    let (line, mut rest) = data.split_at(end);
    if let Some(who) = Introduction::read(line) {
        let written = who.to_line();
        assert_eq!(written.matches('\n').count(), 1);
        assert_eq!(Introduction::read(written.as_bytes()), Some(who));
    }
    while let Some((head, more)) = rest.split_first_chunk() {
        let Some((kind, length)) = Frame::read(*head) else { return };
        assert!(length <= FRAME_BYTES);
        assert_eq!(kind.head(length), Some(*head));
        rest = more.get(length..).unwrap_or_default();
    }
}

/// A request of an operator, which is one line again when it is written.
pub fn chat_admin(data: &[u8]) {
    if let Ok(request) = read_request(data) {
        let line = write_request(&request).to_string();
        assert!(!line.contains('\n'));
        assert_eq!(read_request(line.as_bytes()), Ok(request));
    }
}
