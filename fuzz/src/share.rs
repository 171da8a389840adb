//! What those who share a connection and its master say to each other.

use nacre_wire::share::{MAX_FRAME, MAX_VARIABLES, Reply, Request, next_frame};

/// The stream of either side. Every frame that is understood is written and read again as the same.
pub fn share_messages(data: &[u8]) {
    let mut stream = data.to_vec();
    while let Ok(Some(frame)) = next_frame(&mut stream) {
        assert!(frame.len() <= MAX_FRAME);
        if let Ok(request) = Request::decode(&frame) {
            if let Request::NewSession { session, .. } = &request {
                assert!(session.variables.len() <= MAX_VARIABLES);
            }
            assert_eq!(Request::decode(&again(request.encode())), Ok(request));
        }
        if let Ok(reply) = Reply::decode(&frame) {
            assert_eq!(Reply::decode(&again(reply.encode())), Ok(reply));
        }
    }
}

/// The one frame of what was written.
fn again(mut written: Vec<u8>) -> Vec<u8> {
    let frame = next_frame(&mut written).expect("a length").expect("a whole frame");
    assert!(written.is_empty());
    frame
}
