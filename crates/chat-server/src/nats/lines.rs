//! Lines: into the stream one after the other, and out of it where some are missing.

use super::Node;
use super::desk::FillJob;
use super::link::{Broken, Link};
use super::names::{CHAT, subject, subjects};
use super::text::{read_line, write_line};
use nacre_chat::{BackAnswer, Line};
use std::convert::Infallible;
use std::sync::Arc;

/// Publishes what is to be published. One waits for the other, so that what one node says stays in
/// its order.
pub(super) async fn publish(node: &Node, link: &Link) -> Result<Infallible, Broken> {
    loop {
        // It stays on the desk until it is answered: whatever ends this, the engine hears of it.
        let Some((request, line)) = node.desk.asked().lines.front().cloned() else {
            node.desk.lines.notified().await;
            continue;
        };
        let stored = link.publish(subject(&line.place), line.id.to_string(), write_line(&line)).await?;
        node.desk.asked().lines.pop_front();
        node.answer(
            request,
            match stored {
                Ok(sequence) => BackAnswer::Published { sequence },
                Err(refusal) => {
                    tracing::warn!("chat: NATS does not take a line: {refusal}");
                    BackAnswer::Failed(refusal.to_string().into())
                }
            },
        )?;
    }
}

/// Fills gaps.
pub(super) async fn fill(node: &Node, link: &Link) -> Result<Infallible, Broken> {
    loop {
        let Some(job) = node.desk.asked().fills.front().cloned() else {
            node.desk.fills.notified().await;
            continue;
        };
        let (lines, more) = walk(link, &job).await?;
        node.desk.asked().fills.pop_front();
        node.answer(job.request, BackAnswer::Backfilled { lines, more })?;
    }
}

/// The lines after a number, one by one. What cannot be read is left out and does not count: whoever asks goes on from the
/// last one that could be.
async fn walk(link: &Link, job: &FillJob) -> Result<(Vec<(u64, Arc<Line>)>, bool), Broken> {
    let subjects = subjects(&job.feed);
    let mut lines = Vec::new();
    let mut after = job.after;
    while lines.len() < usize::try_from(job.limit).unwrap_or(usize::MAX) {
        let Some(stored) = link.next(CHAT, &subjects, after).await? else { return Ok((lines, false)) };
        after = stored.sequence;
        let line = stored.payload.as_deref().and_then(read_line).filter(|line| subject(&line.place) == stored.subject);
        match line {
            Some(line) => lines.push((after, Arc::new(line))),
            None => tracing::warn!("chat: line {after} of the stream cannot be read and is left out"),
        }
    }
    Ok((lines, true))
}
