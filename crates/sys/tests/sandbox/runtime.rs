//! The runtime the server uses, made before confinement and used after it.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use nacre_sys::messages::{MessageSocket, Received};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// A TCP stream, the monitor's messages, timers and tasks that wake each other, all in one confined runtime.
pub fn runs(confine: fn()) -> i64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (net, _) = listener.accept().unwrap();
    let (monitor, own) = MessageSocket::pair().unwrap();
    let (read, write) = rustix::pipe::pipe().unwrap();
    own.set_nonblocking(true).unwrap();
    net.set_nonblocking(true).unwrap();
    net.set_nodelay(true).unwrap();
    rustix::io::ioctl_fionbio(&read, true).unwrap();
    drop(listener);
    monitor.send(b"a pipe", &[read.as_fd()]).unwrap();
    rustix::io::write(&write, b"from the helper").unwrap();
    peer.write_all(b"from the peer").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut net = runtime.block_on(async { tokio::net::TcpStream::from_std(net) }).unwrap();
    confine();
    runtime.block_on(async move {
        // SAFETY: each owns its descriptor and never replaces it.
        let own = unsafe { AsyncFd::register(own) }.unwrap();
        let (sender, mut receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            sender.send(receive(&own).await).await.unwrap();
        });
        let (bytes, received) = receiver.recv().await.unwrap();
        assert_eq!(bytes, b"a pipe");
        let pipe = received.fds.into_iter().next().unwrap();
        // SAFETY: as above.
        let pipe = unsafe { AsyncFd::register(pipe) }.unwrap();
        let mut buf = [0; 100];
        let ready = pipe.readable().await.unwrap();
        let read = rustix::io::read(ready.get_inner(), &mut buf).unwrap();
        net.write_all(&buf[..read]).await.unwrap();
        let read = net.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..read], b"from the peer");
        let late = tokio::time::timeout(Duration::from_millis(5), net.read(&mut buf)).await;
        assert!(late.is_err());
        net.shutdown().await.unwrap();
    });
    let mut got = String::new();
    std::io::Read::read_to_string(&mut peer, &mut got).unwrap();
    assert_eq!(got, "from the helper");
    0
}

async fn receive(socket: &AsyncFd<MessageSocket>) -> (Vec<u8>, Received) {
    let mut buf = vec![0; 100];
    loop {
        let mut ready = socket.readable().await.unwrap();
        if let Ok(received) = ready.try_io(|socket| socket.get_ref().receive(&mut buf)) {
            let received = received.unwrap();
            return (buf[..received.len].to_vec(), received);
        }
    }
}
