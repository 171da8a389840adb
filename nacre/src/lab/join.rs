//! `nacre lab join NAME [HOST] [PORT]`: a client of a server on this machine.

use super::identity::repairs;
use super::program::{Program, Side};
use super::{dh_chat_settings, failed, randomness};
use crate::cli::lab::PartArgs;
use crate::failure::Failure;
use nacre_lab::console::Console;
use nacre_lab::{Protocol, dh_chat, mini_ssh, rsa_chat, toy_socket};
use nacre_wire::Role;
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio::net::lookup_host;

/// Joins, and stays until goodbye.
///
/// # Errors
/// There is no server, or the host is not this machine.
pub async fn run(host: &str, part: &PartArgs) -> Result<ExitCode, Failure> {
    let found = lookup_host((host, part.port)).await;
    let found = found.map_err(|error| failed(format!("no address for '{}': {error}", host.escape_debug())))?;
    let mut here: Vec<SocketAddr> = found.filter(|address| address.ip().is_loopback()).collect();
    // Servers of the laboratory listen on 127.0.0.1, which `localhost` may have as its second address.
    here.sort_by_key(|address| address.is_ipv6());
    let Some(first) = here.first() else {
        let message = format!("'{}' is not this machine", host.escape_debug());
        return Err(failed(message).hint("what is unsafe stays on 127.0.0.1"));
    };
    Program::run(console(host, *first, part)?, Side::Join(here), part).await
}

/// The client of a protocol.
pub fn console(host: &str, address: SocketAddr, part: &PartArgs) -> Result<Box<dyn Console>, Failure> {
    let (random, repairs) = (randomness(part), &repairs(part, Role::Client)?);
    match part.protocol {
        Protocol::DhChat => {
            Ok(Box::new(dh_chat::Client::new(dh_chat_settings(part), repairs, &random, host, part.port)))
        }
        Protocol::RsaChat => {
            Ok(Box::new(rsa_chat::Client::new(repairs, &random, &address.ip().to_string(), part.port)))
        }
        Protocol::MiniSsh => Ok(Box::new(mini_ssh::Client::new(repairs, &random, host, part.port).map_err(failed)?)),
        Protocol::Ssh => Err(super::not_of_the_classroom()),
        Protocol::ToySocket => {
            let bits = part.bits.unwrap_or(toy_socket::BITS);
            let client = toy_socket::Client::new(bits, repairs, &random, &address.ip().to_string(), part.port);
            Ok(Box::new(client.map_err(failed)?))
        }
    }
}
