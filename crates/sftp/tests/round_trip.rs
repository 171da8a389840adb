//! Every request and reply comes back as it went out, and none is read when it is cut.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use nacre_sftp::extended::{Check, CheckedFile};
use nacre_sftp::{Attributes, Code, Extended, Name, Reply, Request, packet};

fn requests() -> Vec<Request<'static>> {
    let (path, handle) = (b"p\xff".as_slice(), b"h\0".as_slice());
    let attributes = Attributes { size: Some(1), permissions: Some(0o644), ..Attributes::default() };
    let check = Check { algorithms: b"sha256", offset: 1, length: 2, block: 3 };
    let extended = [
        Extended::PosixRename { old: path, new: b"q" },
        Extended::Statvfs { path },
        Extended::Fstatvfs { handle },
        Extended::Hardlink { old: path, new: b"q" },
        Extended::Fsync { handle },
        Extended::Lsetstat { path, attributes: attributes.clone() },
        Extended::Limits,
        Extended::ExpandPath { path },
        Extended::CopyData { from: handle, from_offset: 1, length: 2, to: b"i", to_offset: 3 },
        Extended::HomeDirectory { user: b"u" },
        Extended::UsersGroupsById { users: vec![0, 1], groups: vec![2] },
        Extended::CheckFile { file: CheckedFile::Handle(handle), check },
        Extended::CheckFile { file: CheckedFile::Path(path), check },
        Extended::LinkCount { path },
        Extended::DataRanges { handle, offset: 4 },
    ];
    let plain = [
        Request::Open { path, flags: 5, attributes: attributes.clone() },
        Request::Close { handle },
        Request::Read { handle, offset: u64::MAX, length: u32::MAX },
        Request::Write { handle, offset: 1, data: b"data" },
        Request::Lstat { path },
        Request::Fstat { handle },
        Request::Setstat { path, attributes: attributes.clone() },
        Request::Fsetstat { handle, attributes: attributes.clone() },
        Request::Opendir { path },
        Request::Readdir { handle },
        Request::Remove { path },
        Request::Mkdir { path, attributes },
        Request::Rmdir { path },
        Request::Realpath { path },
        Request::Stat { path },
        Request::Rename { old: path, new: b"q" },
        Request::Readlink { path },
        Request::Symlink { target: b"t", link: path },
    ];
    plain.into_iter().chain(extended.map(Request::Extended)).collect()
}

#[test]
fn requests_come_back_and_cut_ones_do_not() {
    for request in requests() {
        let mut out = Vec::new();
        request.encode(77, &mut out);
        let packet = packet::split(&out).unwrap().unwrap();
        assert_eq!(packet.len() + packet::LENGTH, out.len());
        assert_eq!(Request::decode(packet).unwrap(), (77, request.clone()));
        for cut in 0..packet.len() {
            let (id, _) = Request::decode(&packet[..cut]).expect_err(&format!("{request:?} cut at {cut}"));
            assert_eq!(id, (cut >= 5).then_some(77));
        }
        let mut longer = packet.to_vec();
        longer.push(0);
        assert!(Request::decode(&longer).is_err(), "{request:?} with a byte more");
    }
}

#[test]
fn replies_come_back_and_cut_ones_do_not() {
    let name = Name { name: b"a\xff".to_vec(), long: b"-rw a".to_vec(), attributes: Attributes::default() };
    for reply in [
        Reply::Status { code: Code::Failure, message: b"why" },
        Reply::Handle(b"h"),
        Reply::Data(b"data"),
        Reply::Names(vec![name.clone(), name]),
        Reply::Attributes(Attributes { times: Some((1, 2)), ..Attributes::default() }),
        Reply::Extended(b"free"),
    ] {
        let mut out = Vec::new();
        reply.encode(78, &mut out);
        let packet = packet::split(&out).unwrap().unwrap();
        assert_eq!(Reply::decode(packet).unwrap(), (78, reply.clone()));
        // A STATUS may end after its code or its message, as in older versions; an extension's data is free.
        let whole = !matches!(reply, Reply::Status { .. } | Reply::Extended(_));
        for cut in 0..packet.len() {
            assert!(Reply::decode(&packet[..cut]).is_err() || !whole, "{reply:?} cut at {cut}");
        }
    }
}

#[test]
fn f04_counts_and_lists_that_lie_are_refused() {
    // NAME with 2^32-1 entries and none there (threat F8, counts against bytes).
    assert!(Reply::decode(&[packet::NAME, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]).is_err());
    let mut long_handle = vec![packet::HANDLE, 0, 0, 0, 1, 0, 0, 1, 1];
    long_handle.extend([0; 257]);
    assert!(Reply::decode(&long_handle).is_err());
    let many = Extended::UsersGroupsById { users: vec![7; nacre_sftp::extended::MAX_IDS + 1], groups: Vec::new() };
    let mut out = Vec::new();
    Request::Extended(many).encode(1, &mut out);
    assert!(Request::decode(packet::split(&out).unwrap().unwrap()).is_err());
}

#[test]
fn data_is_filled_in_place_and_not_begun_without_any() {
    let mut out = b"before".to_vec();
    assert_eq!(Reply::encode_data(9, 5, &mut out, |_| Ok::<_, ()>(0)), Ok(0));
    assert_eq!(Reply::encode_data(9, 5, &mut out, |_| Err("no")), Err("no"));
    assert_eq!(out, b"before");
    let fill = |space: &mut [u8]| {
        space.fill(b'z');
        Ok::<_, ()>(space.len())
    };
    assert_eq!(Reply::encode_data(9, 5, &mut out, fill), Ok(5));
    let packet = packet::split(&out[6..]).unwrap().unwrap();
    assert_eq!(Reply::decode(packet).unwrap(), (9, Reply::Data(b"zzzzz")));
}
