//! Ctrl-C and SIGTERM: the first asks to stop in order, the second to stop now.
//!
//! This handler is installed before the load generator starts: goose would otherwise install its own, which ends the process at the
//! second Ctrl-C without lifting a fault.
use anyhow::Context as _;
use loadtest::Stop;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Takes over SIGINT, SIGTERM and SIGHUP for the rest of the program.
///
/// # Errors
/// When the handler cannot be installed.
pub(crate) fn take_over() -> anyhow::Result<Stop> {
    let stop = Stop::default();
    let (drain, now, count) = (stop.drain.clone(), stop.now.clone(), AtomicUsize::new(0));
    let on_signal = move || match count.fetch_add(1, Ordering::SeqCst) {
        0 => drain.cancel(),
        _ => now.cancel(),
    };
    ctrlc::set_handler(on_signal).context("cannot take over Ctrl-C")?;
    Ok(stop)
}
