//! Giving memory back that a process used once and will not soon again.

use std::hint::black_box;

use rustix::mm::Advice;

/// Below the frame that asks, what is left alone: frames of the calls that follow, and the red zone.
const KEPT: usize = 4 * 1024;
/// How far below it is looked for pages of the stack. The kernel keeps at least 1 MiB below a stack free of other mappings
/// (stack_guard_gap), so that nothing else lies in this range.
const REACH: usize = 512 * 1024;

/// What is asked of the allocator at once from so many bytes on comes from the kernel and goes back to it when it is freed.
const LARGE: i32 = 128 * 1024;

/// Keeps the allocator from holding on to large pieces that were freed. It would raise the limit from which on it does so with each piece
/// that it frees, and what waited for a slow reader would stay with a server for good. Call it before there are threads.
pub fn let_large_pieces_go() {
    // SAFETY: takes two numbers and sets one of the allocator's.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
}

/// Returns the pages of the heap that nothing uses, and those of this thread's stack below the frames that are in use. They come back,
/// zeroed, when they are touched. Takes some ten microseconds, so it is for a process that goes to rest. Call it on the main thread: the
/// stacks of others are not grown by the kernel.
pub fn give_back() {
    // SAFETY: takes a number and touches only what the allocator holds free.
    unsafe { libc::malloc_trim(0) };
    give_back_stack();
}

/// From the C library, which knows it: rustix would ask the kernel in a way that a confined process may not.
fn page_size() -> Option<usize> {
    // SAFETY: asks for a constant.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok().filter(|size| size.is_power_of_two())
}

fn give_back_stack() {
    if rustix::thread::gettid() != rustix::process::getpid() {
        return;
    }
    let Some(page) = page_size() else { return };
    let marker = 0_u8;
    let here = (&raw const marker).addr();
    black_box(&marker);
    let top = here.saturating_sub(KEPT) / page * page;
    let Some(bottom) = top.checked_sub(REACH) else { return };
    // From the top down, in steps, and no further than what is mapped.
    let step = page.saturating_mul(4);
    let mut end = top;
    while end > bottom {
        let start = end.saturating_sub(step).max(bottom);
        let pages = std::ptr::without_provenance_mut(start);
        // SAFETY: dead stack of this thread, below every live frame by KEPT; no reference into it exists, and what a later call finds
        // there are zeroes, which it does not read before it writes.
        let result = unsafe { rustix::mm::madvise(pages, end.saturating_sub(start), Advice::LinuxDontNeed) };
        if result.is_err() {
            return;
        }
        end = start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays() {
        let kept: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let local = [7_u8; 4096];
        drop(vec![1_u8; 1 << 20]);
        give_back();
        assert!(kept.iter().zip(0_u32..).all(|(byte, n)| *byte == n.to_le_bytes()[0]));
        assert_eq!(local, [7; 4096]);
    }
}
