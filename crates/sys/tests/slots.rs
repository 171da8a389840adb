//! Slots between processes. Forks, so it has no test harness's threads.
#![allow(clippy::unwrap_used, clippy::panic)]

use nacre_sys::forked::fork_into;
use nacre_sys::slots::Slots;
use std::time::{Duration, Instant};

fn main() {
    let slots = Slots::new(1).unwrap();
    let (read, write) = rustix::pipe::pipe().unwrap();
    let (leave, stay) = rustix::pipe::pipe().unwrap();
    let keeps: Vec<_> = slots.fds().collect();
    let child = fork_into(vec![write, leave], &keeps, |given| {
        let slot = slots.take();
        let [write, leave] = given.as_slice() else { return 2 };
        let told = rustix::io::write(write, b"1").is_ok();
        let left = rustix::io::read(leave, &mut [0; 1]).is_ok();
        i32::from(slot.is_err() || !told || !left)
    });
    let child = child.unwrap();
    assert_eq!(rustix::io::read(&read, &mut [0; 1]).unwrap(), 1);
    let start = Instant::now();
    assert!(slots.take_within(Duration::from_millis(50)).unwrap().is_none(), "another process has the only slot");
    assert!(start.elapsed() >= Duration::from_millis(50));
    // It comes free with the other's end, however that was.
    drop(stay);
    assert!(slots.take_within(Duration::from_secs(180)).unwrap().is_some());
    assert_eq!(child.wait().unwrap(), nacre_sys::spawn::ExitStatus::Exited(0));
    println!("slots are taken by one process at a time, and not waited for too long");
}
