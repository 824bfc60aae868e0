//! The processes of a server: found, killed, and seen to be gone.
use std::{fs, io, path::Path, time::Duration};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::{Instant, sleep};

use super::cluster::Error;

/// How long killed processes may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// The process id in the first line of a file.
pub(super) fn read_pid(file: &Path) -> io::Result<i32> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().next().and_then(|line| line.trim().parse().ok()).filter(|pid| *pid > 1);
    line.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it holds no process id"))
}

/// Kills a process and its children with SIGKILL, and waits until they are gone. Answers with how many there were.
pub(super) async fn kill_all(pid: i32) -> Result<usize, Error> {
    // Stopped first, so that it starts nobody while its children are counted.
    send(pid, Signal::SIGSTOP)?;
    let mut pids = vec![pid];
    pids.extend(children(pid));
    pids.iter().try_for_each(|pid| send(*pid, Signal::SIGKILL))?;
    let deadline = Instant::now() + GONE_WITHIN;
    while let Some(pid) = pids.iter().copied().find(|pid| is_alive(*pid)) {
        if Instant::now() > deadline {
            return Err(Error::Alive { pid });
        }
        sleep(LOOK).await;
    }
    Ok(pids.len())
}

fn send(pid: i32, signal: Signal) -> Result<(), Error> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(Error::system(&format!("send {signal} to process {pid}"))(errno.into())),
    }
}

/// State and parent of a process.
fn stat(pid: i32) -> Option<(char, i32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// One that has ended and was not collected yet does nothing any more.
fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

fn children(parent: i32) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, found)| found == parent)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_dies_with_its_children() {
        let mut shell = tokio::process::Command::new("sh");
        let script = "sleep 600 & sleep 600 & echo ready; wait";
        let mut shell = shell.args(["-c", script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut lines = tokio::io::BufReader::new(shell.stdout.take().unwrap());
        tokio::io::AsyncBufReadExt::read_line(&mut lines, &mut String::new()).await.unwrap();
        let pid = i32::try_from(shell.id().unwrap()).unwrap();
        let below = children(pid);
        assert_eq!((below.len(), kill_all(pid).await.unwrap()), (2, 3));
        assert!(!is_alive(pid) && below.iter().all(|child| !is_alive(*child)));
        shell.wait().await.unwrap();
    }
}
