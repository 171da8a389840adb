//! `nacre lab serve NAME`: a server on 127.0.0.1.

use super::identity::repairs;
use super::program::{Program, Side};
use super::{dh_chat_settings, failed, mini_ssh_settings, randomness};
use crate::cli::lab::PartArgs;
use crate::failure::Failure;
use nacre_lab::console::Console;
use nacre_lab::{Protocol, dh_chat, mini_ssh, rsa_chat, toy_socket};
use nacre_wire::Role;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use tokio::net::TcpListener;

/// Serves until it is told to stop.
///
/// # Errors
/// The port is taken, or a flag's value cannot be had.
pub async fn run(part: &PartArgs) -> Result<ExitCode, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, part.port)).await;
    let listener = listener.map_err(|error| {
        failed(format!("cannot listen on 127.0.0.1 port {}: {error}", part.port)).hint("choose another: --port PORT")
    })?;
    let port = listener.local_addr().map_err(failed)?.port();
    Program::run(console(part, port)?, Side::Serve(listener), part).await
}

/// The server of a protocol.
pub fn console(part: &PartArgs, port: u16) -> Result<Box<dyn Console>, Failure> {
    let (random, repairs) = (randomness(part), repairs(part, Role::Server)?);
    match part.protocol {
        Protocol::DhChat => Ok(Box::new(dh_chat::Server::new(dh_chat_settings(part), repairs, random, port))),
        Protocol::RsaChat => {
            let bits = part.bits.unwrap_or(rsa_chat::BITS);
            Ok(Box::new(rsa_chat::Server::new(bits, repairs, random, port).map_err(failed)?))
        }
        Protocol::MiniSsh => Ok(Box::new(mini_ssh::Server::new(mini_ssh_settings(part), repairs, random, port))),
        Protocol::Ssh => Err(super::not_of_the_classroom()),
        Protocol::ToySocket => {
            let bits = part.bits.unwrap_or(toy_socket::BITS);
            Ok(Box::new(toy_socket::Server::new(bits, repairs, random, port)))
        }
    }
}
