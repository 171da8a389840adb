//! What SFTP does to disks: the worker of a server, the client's end of a connection, and files on the move.
//!
//! Threads and blocking calls, no runtime: the work is the kernel's, and order is part of the promise.

pub mod remote;
pub mod server;
pub mod transfer;
