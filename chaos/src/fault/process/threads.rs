//! What the system shows of a process: the states of its threads.
use std::{fs, time::Duration};

use tokio::time::{Instant, sleep};

use crate::parts::PartError;

/// How long the system may take to show what it was told.
const WITHIN: Duration = Duration::from_secs(10);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The states of the threads of a process, as letters (proc(5)): `R` running, `S` sleeping, `T` stopped, `Z` dead. Empty when it is gone.
pub(super) fn states(pid: u32) -> Vec<char> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    // The name in the second field may hold anything, so the state is looked for after its last parenthesis.
    let state = |stat: String| stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok()).filter_map(state).collect()
}

/// True when every thread of a process is stopped by a signal.
pub(super) fn are_stopped(pid: u32) -> bool {
    let states = states(pid);
    !states.is_empty() && states.iter().all(|state| *state == 'T')
}

/// Waits until the system shows `expected`, and says when it did.
pub(super) async fn see(
    attempt: &str,
    expected: &'static str,
    mut holds: impl FnMut() -> bool,
) -> Result<Instant, PartError> {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > WITHIN {
            return Err(PartError::NotSeen { attempt: attempt.to_owned(), expected, within: WITHIN });
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_there_has_threads_and_one_that_is_not_has_none() {
        let own = states(std::process::id());
        assert!(!own.is_empty() && own.iter().all(|state| "RSD".contains(*state)), "{own:?}");
        assert!(!are_stopped(std::process::id()));
        // Beyond the largest process id that Linux gives out, 2^22.
        assert!(states(5_000_000).is_empty() && !are_stopped(5_000_000));
    }
}
