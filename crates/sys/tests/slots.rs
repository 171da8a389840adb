//! Slots between processes. Forks, so it has no test harness's threads.
#![allow(clippy::unwrap_used, clippy::panic)]

use nacre_sys::forked::fork_into;
use nacre_sys::slots::Slots;
use std::time::{Duration, Instant};

/// The least time that the other process keeps the slot.
const KEPT: Duration = Duration::from_millis(400);

fn main() {
    let slots = Slots::new(1).unwrap();
    let (read, write) = rustix::pipe::pipe().unwrap();
    let keeps: Vec<_> = slots.fds().collect();
    let child = fork_into(vec![write], &keeps, |given| {
        let slot = slots.take();
        let told = given.iter().all(|fd| rustix::io::write(fd, b"1").is_ok());
        std::thread::sleep(KEPT);
        i32::from(slot.is_err() || !told)
    });
    let child = child.unwrap();
    assert_eq!(rustix::io::read(&read, &mut [0; 1]).unwrap(), 1);
    let start = Instant::now();
    assert!(slots.take_within(Duration::from_millis(50)).unwrap().is_none(), "another process has the only slot");
    assert!(start.elapsed() >= Duration::from_millis(50));
    // It comes free with the other's end, however that was.
    let slot = slots.take_within(Duration::from_secs(20)).unwrap();
    assert!(slot.is_some() && start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
    assert_eq!(child.wait().unwrap(), nacre_sys::spawn::ExitStatus::Exited(0));
    println!("slots are taken by one process at a time, and not waited for too long");
}
