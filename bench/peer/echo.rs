//! How long a keystroke takes to show, on a terminal channel, alone or beside a bulk channel of the
//! same connection.

use crate::Problem;
use crate::client::{Client, Target};
use nacre_proto::{Event, LocalChannel, Stream};
use nacre_wire::session::{SessionRequest, WindowSize};
use std::time::{Duration, Instant};

/// Bytes that have come before the first keystroke, so that the load is there.
const WARM: usize = 64 << 20;

/// How long each speed of the load is measured.
const SPEED_TIME: Duration = Duration::from_secs(2);
/// Between two keys of somebody who types beside a load whose speed is measured: a fast typist, and
/// many times over.
const KEY_PAUSE: Duration = Duration::from_millis(5);

/// The share of its speed alone that a load keeps while somebody types beside it.
pub fn share(target: &Target) -> Result<f64, Problem> {
    let mut client = Client::log_in(target)?;
    let keys = terminal(&mut client)?;
    let load = client.session(&[command("exec dd if=/dev/zero bs=256k status=none")])?;
    warm_up(&mut client, load)?;
    // In turn, so that a change of the machine's mood meets both alike.
    let (mut alone, mut beside) = (0, 0);
    for _ in 0..3 {
        alone += speed(&mut client, keys, load, None)?;
        beside += speed(&mut client, keys, load, Some(KEY_PAUSE))?;
    }
    Ok(beside as f64 / alone as f64)
}

/// Bytes of the load in [`SPEED_TIME`], with a key at every `pause`.
fn speed(
    client: &mut Client<'_>,
    keys: LocalChannel,
    load: LocalChannel,
    pause: Option<Duration>,
) -> Result<usize, Problem> {
    let start = Instant::now();
    let mut last = start;
    let mut bytes = 0;
    while start.elapsed() < SPEED_TIME {
        if pause.is_some_and(|pause| last.elapsed() >= pause) {
            last = Instant::now();
            client.connection.channel(keys).ok_or("the terminal is gone")?.write(Stream::Main, b"x");
            client.flush()?;
        }
        match client.next()? {
            Event::Data { channel, data, .. } => {
                client.take(channel, data.len());
                bytes += if channel == load { data.len() } else { 0 };
            }
            Event::Closed { .. } => return Err("a channel closed".into()),
            _ => {}
        }
    }
    Ok(bytes)
}

/// Types `count` keys, each when the last one has shown, and gives the times.
pub fn measure(target: &Target, count: usize, bulk: bool) -> Result<Vec<Duration>, Problem> {
    let mut client = Client::log_in(target)?;
    let keys = terminal(&mut client)?;
    if bulk {
        let load = client.session(&[command("cat /dev/zero")])?;
        warm_up(&mut client, load)?;
    }
    // The first ones may meet a terminal that is still being made.
    for _ in 0..10 {
        keystroke(&mut client, keys)?;
    }
    (0..count).map(|_| keystroke(&mut client, keys)).collect()
}

/// A terminal that shows what is typed.
fn terminal(client: &mut Client<'_>) -> Result<LocalChannel, Problem> {
    let size = WindowSize { columns: 80, rows: 24, width: 0, height: 0 };
    let terminal = SessionRequest::PtyReq { term: "xterm".to_owned(), size, modes: Vec::new() };
    let keys = client.session(&[terminal, command("cat")])?;
    if let Some(mut channel) = client.connection.channel(keys) {
        channel.set_interactive(true);
    }
    Ok(keys)
}

fn command(line: &str) -> SessionRequest {
    SessionRequest::Exec { command: line.as_bytes().to_vec() }
}

fn warm_up(client: &mut Client<'_>, load: LocalChannel) -> Result<(), Problem> {
    let mut bytes = 0;
    while bytes < WARM {
        if let Event::Data { channel, data, .. } = client.next()? {
            client.take(channel, data.len());
            bytes += if channel == load { data.len() } else { 0 };
        }
    }
    Ok(())
}

fn keystroke(client: &mut Client<'_>, keys: LocalChannel) -> Result<Duration, Problem> {
    let start = Instant::now();
    let mut channel = client.connection.channel(keys).ok_or("the terminal is gone")?;
    if channel.write(Stream::Main, b"x") != 1 {
        return Err("no room for a keystroke".into());
    }
    client.flush()?;
    loop {
        match client.next()? {
            Event::Data { channel, data, .. } => {
                client.take(channel, data.len());
                if channel == keys && data.contains(&b'x') {
                    return Ok(start.elapsed());
                }
            }
            Event::Closed { .. } => return Err("a channel closed".into()),
            _ => {}
        }
    }
}
