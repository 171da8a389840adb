//! REALPATH: a path without links, `.` and `..`, as the client sees it. Its last component need not be there.

use super::tree::Tree;
use nacre_sftp::MAX_PATH;
use rustix::fs::FileType;
use rustix::io::Errno;

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;

/// The whole path. Each step asks the tree, so with a root no answer comes from outside of it (threat F3).
pub fn realpath(tree: &Tree, path: &[u8]) -> Result<Vec<u8>, Errno> {
    if path.len() >= MAX_PATH {
        return Err(Errno::NAMETOOLONG);
    }
    let mut done = if path.first() == Some(&b'/') { Vec::new() } else { tree.start()?.to_vec() };
    let mut left = path.to_vec();
    let mut links = 0;
    while let Some((component, rest)) = next(&left) {
        match component.as_slice() {
            b"." => {}
            b".." => done.truncate(done.iter().rposition(|byte| *byte == b'/').unwrap_or(0)),
            name => {
                let before = done.len();
                done.push(b'/');
                done.extend_from_slice(name);
                match tree.lstat(&done).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
                    Ok(FileType::Symlink) => {
                        links += 1;
                        let target = tree.readlink(&done)?;
                        done.truncate(if target.first() == Some(&b'/') { 0 } else { before });
                        left = joined(target, &rest);
                        if links > MAX_LINKS {
                            return Err(Errno::LOOP);
                        }
                        if left.len() >= MAX_PATH {
                            return Err(Errno::NAMETOOLONG);
                        }
                        continue;
                    }
                    Ok(kind) if !kind.is_dir() && next(&rest).is_some() => return Err(Errno::NOTDIR),
                    Err(Errno::NOENT) if next(&rest).is_none() => {}
                    Err(error) => return Err(error),
                    Ok(_) => {}
                }
            }
        }
        left = rest;
    }
    if done.is_empty() {
        done.push(b'/');
    }
    Ok(done)
}

/// The first component and what follows it; `None` when there is none.
fn next(path: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let start = path.iter().position(|byte| *byte != b'/')?;
    let path = path.get(start..)?;
    let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
    let (component, rest) = path.split_at(end);
    Some((component.to_vec(), rest.to_vec()))
}

fn joined(mut target: Vec<u8>, rest: &[u8]) -> Vec<u8> {
    target.push(b'/');
    target.extend_from_slice(rest);
    target
}
