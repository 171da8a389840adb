//! One file from one place to another.

use super::compare;
use super::flow::{Flow, Way};
use super::run::{Run, Side};
use super::source::Source;
use super::target::{Ending, Target};
use super::walk::File;
use super::{Event, How};
use crate::remote::{Error, shown};
use nacre_sftp::extended;

/// Moves it, and says how that went.
pub(super) async fn move_file(run: &Run<'_>, file: File) {
    let id = run.next_id();
    let claimed = file.target_path();
    run.claim(&claimed).await;
    let moved = attempt(run, &file, id).await;
    run.release(&claimed);
    match moved {
        Ok(bytes) => {
            run.update(|report| report.files += 1);
            run.event(&Event::Finished { id, bytes });
        }
        Err(error) => {
            if let Error::Fault(fault) = error {
                run.stop(Error::Fault(fault));
            }
            run.failed(Some(id), &file.source_path(), &error);
        }
    }
    file.folder.child_done(run);
}

/// Gives its size.
async fn attempt(run: &Run<'_>, file: &File, id: u64) -> Result<u64, Error> {
    let source = Source::open(run, file).await?;
    let moved = with_source(run, file, &source, id).await;
    source.close(run);
    moved
}

async fn with_source(run: &Run<'_>, file: &File, source: &Source, id: u64) -> Result<u64, Error> {
    let holes = source.holes(run).await?;
    let target = Target::open(run, file, source).await?;
    let name = file.source_path();
    let size = source.facts.size.unwrap_or(0);
    run.event(&Event::Started { id, name: &name, size, resumed_at: target.start, how: target.how });
    if target.how == How::Mismatch {
        run.note(&format!("{}: what was there does not match, so it begins again", shown(&name)));
    }
    let mut flow = source.flow(run, &name, &target.open, target.start);
    flow.id = Some(id);
    flow.exact = matches!(holes, Some(super::flow::Holes::Told(_)));
    flow.holes = holes;
    flow.recorded = target.recorded;
    let place = run.flow(flow);
    let (flow, closed) = carry(run, file, source, &target, place).await;
    let Some(flow) = flow else { return Err(run.ended()) };
    let whole_to = flow.frontier.at();
    let ending = Ending::of(&flow);
    match finish(run, file, source, &target, flow, closed).await {
        Ok(()) => Ok(ending.size),
        Err(error) => {
            // A copy that differs is kept as it is: where it differs may be of interest.
            let kept = if matches!(error, Error::Mismatch { .. }) { ending.size } else { whole_to };
            target.leave(run, file, source, kept);
            Err(error)
        }
    }
}

/// Carries the bytes over. A server that works in order may be told to close behind the last WRITE, without waiting.
async fn carry(
    run: &Run<'_>,
    file: &File,
    source: &Source,
    target: &Target,
    place: usize,
) -> (Option<Flow>, Option<Result<(), Error>>) {
    run.sent(place).await;
    let ending = match run.flows.borrow_mut().get(place) {
        Some(flow) if matches!(flow.way, Way::Up { .. }) && flow.error.is_none() && !run.has_ended() => {
            let mut ending = Ending::of(flow);
            // What is sent last is not answered yet.
            ending.hole_at_end = flow.holes.is_some();
            Some(ending)
        }
        _ => None,
    };
    let mut closed = None;
    if let Some(ending) = ending.filter(|_| run.has(Side::To, extended::LIMITS)) {
        closed = Some(target.close(run, file, source, &ending).await);
    }
    (run.done(place).await, closed)
}

async fn finish(
    run: &Run<'_>,
    file: &File,
    source: &Source,
    target: &Target,
    mut flow: Flow,
    closed: Option<Result<(), Error>>,
) -> Result<(), Error> {
    if let Some(error) = flow.error.take() {
        return Err(error);
    }
    let ending = Ending::of(&flow);
    let name = file.source_path();
    if flow.frontier.at() < ending.size {
        return Err(Error::SourceChanged { name: shown(&name) });
    }
    source.check_unchanged(run, &name, ending.size).await?;
    match closed {
        Some(closed) => closed?,
        None => target.close(run, file, source, &ending).await?,
    }
    if run.options.verify {
        let copies = (source.copy(&name), target.copy(file));
        let (same, how) = compare::equal(run, &copies.0, &copies.1, ending.size).await?;
        if same < ending.size {
            return Err(Error::Mismatch { name: shown(&name), offset: same });
        }
        if let Some(id) = flow.id {
            run.event(&Event::Verified { id, how });
        }
    }
    target.publish(run, file).await
}
