//! What this machine lacks for one more connection: such a failure says nothing about the target.
use nix::errno::Errno;
use std::io;

/// What this machine lacked when it could not connect; `None` when the failure is not its own.
pub(crate) fn of(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error().map(Errno::from_raw)? {
        Errno::EADDRNOTAVAIL => Some("this machine has no local port left"),
        Errno::EMFILE | Errno::ENFILE => Some("this machine has no file descriptor left"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Failure;

    #[test]
    fn what_this_machine_lacks_is_told_from_what_the_target_refuses() {
        for (errno, expected) in [
            (Errno::EADDRNOTAVAIL, "cannot connect: this machine has no local port left"),
            (Errno::EMFILE, "cannot connect: this machine has no file descriptor left"),
            (Errno::ENFILE, "cannot connect: this machine has no file descriptor left"),
            (Errno::ECONNREFUSED, "cannot connect"),
            (Errno::ETIMEDOUT, "cannot connect"),
        ] {
            let failure = Failure::Connect(io::Error::from_raw_os_error(errno as i32));
            assert_eq!(failure.to_string(), expected);
            assert_eq!(failure.is_own(), expected != "cannot connect");
        }
        assert!(!Failure::Connect(io::Error::other("no number")).is_own());
    }
}
