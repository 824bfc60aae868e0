//! What is checked out here, as far as git tells.
use reports::record::Commit;
use std::process::{Command, Stdio};

/// The commit of the repository that the program was started in; `None` outside one, or without git.
#[must_use]
pub(crate) fn checked_out() -> Option<Commit> {
    let hash = git(&["rev-parse", "HEAD"])?;
    let subject = git(&["log", "-1", "--format=%s"]).unwrap_or_default();
    let is_dirty = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changed| !changed.is_empty());
    Some(Commit { hash, subject, is_dirty })
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
