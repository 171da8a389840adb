//! What the service manager is told (sd_notify(3), `Type=notify-reload`). Where there is none, nothing
//! is said and nothing is missing.

use sd_notify::NotifyState;

/// Connections are taken from now on, or again after a reload.
pub fn ready(status: &str) {
    // A server that detached is not the process that was started.
    tell(&[NotifyState::MainPid(std::process::id()), NotifyState::Status(status), NotifyState::Ready]);
}

/// The configuration is being read again. The time lets the manager see that it was its signal.
pub fn reloading() {
    let Ok(now) = NotifyState::monotonic_usec_now() else { return };
    tell(&[NotifyState::Reloading, now, NotifyState::Status("reading the configuration")]);
}

/// The end has begun.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("service manager: {error}");
    }
}
