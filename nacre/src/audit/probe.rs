//! A server's limits, tried within bounds: 128 connections at once, 10 wrong passwords, one long silence.

use super::facts::Notebook;
use super::host::{Goal, Host};
use super::judge::Finding;
use super::mend;
use super::tables::Verdict;
use nacre_proto::algorithm::SignatureAlgorithm;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

const TOPIC: &str = "limits";
/// Connections at once: past the 100 beyond which OpenSSH's own default refuses all, and ours begins to.
const CONNECTIONS: usize = 128;
/// How long they stand.
const STAND: Duration = Duration::from_secs(4);
/// Wrong passwords on one connection.
const GUESSES: u32 = 10;
/// How long a silent connection is watched: OpenSSH's own default is 120 s.
const SILENCE: Duration = Duration::from_secs(130);

/// Tries everything.
pub async fn probe(host: &Host<'_>, address: SocketAddr) -> Vec<Finding> {
    let mut found = vec![startups(address).await];
    let (tries, grace) = tokio::join!(tries(host), grace(address));
    found.extend(tries);
    found.push(grace);
    found
}

/// Watches a connection that says nothing until then. `false` when it was refused, ended or never spoke SSH.
async fn stands_until(address: SocketAddr, end: Instant) -> bool {
    let Ok(Ok(mut stream)) = timeout_at(end, TcpStream::connect(address)).await else { return false };
    let mut first = None;
    let mut buffer = [0; 1024];
    loop {
        match timeout_at(end, stream.read(&mut buffer)).await {
            Err(_) => return first != Some(false),
            Ok(Ok(n)) if n > 0 => {
                first.get_or_insert(buffer.starts_with(b"SSH-"));
            }
            Ok(_) => return false,
        }
    }
}

async fn startups(address: SocketAddr) -> Finding {
    let end = Instant::now() + STAND;
    let mut connections: JoinSet<bool> = (0..CONNECTIONS).map(|_| stands_until(address, end)).collect();
    let mut stood = 0;
    while let Some(result) = connections.join_next().await {
        stood += usize::from(result.unwrap_or(false));
    }
    if stood < CONNECTIONS {
        let gone = CONNECTIONS - stood;
        return Finding::good(TOPIC, format!("of {CONNECTIONS} silent connections at once {gone} were not kept"));
    }
    let text = format!("{CONNECTIONS} silent connections at once were all kept: strangers can use up the rest");
    Finding::new(Verdict::Warn, TOPIC, text).mended_by(mend::startups())
}

async fn tries(host: &Host<'_>) -> Option<Finding> {
    let notebook = Notebook::default();
    let visit = host.visit(&notebook, SignatureAlgorithm::PLAIN.to_vec(), Goal::Guesses(GUESSES)).await;
    let facts = notebook.facts().clone();
    if visit.is_err() || facts.offer.is_empty() {
        return Some(Finding::good(TOPIC, "after so many connections further ones are refused for a while"));
    }
    match facts.guesses {
        0 => None,
        GUESSES => {
            let text = format!("{GUESSES} wrong passwords are taken on one connection");
            Some(Finding::new(Verdict::Warn, TOPIC, text).mended_by(mend::tries()))
        }
        few => Some(Finding::good(TOPIC, format!("the connection ends after {few} wrong passwords"))),
    }
}

async fn grace(address: SocketAddr) -> Finding {
    let start = Instant::now();
    if stands_until(address, start + SILENCE).await {
        let text = format!("a connection that says nothing stands for more than {} s", SILENCE.as_secs());
        return Finding::new(Verdict::Warn, TOPIC, text).mended_by(mend::grace());
    }
    Finding::good(TOPIC, format!("a connection that says nothing ends after {} s", start.elapsed().as_secs()))
}
