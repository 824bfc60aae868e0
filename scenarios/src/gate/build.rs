//! Builds the service of a revision: in a work tree of its own, with cargo, and keeps the program.
use crate::{
    exit::{Exit, Failure, OrExit as _},
    output,
};
use anyhow::{Context as _, anyhow};
use loadtest::Stop;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::Command;

/// The program of a revision.
pub(super) struct Built {
    /// Its file.
    pub(super) program: PathBuf,
    /// The commit that it was built from.
    pub(super) commit: String,
}

/// Builds `tripsage` of a revision, as a release, unless that was done before. The work tree is removed; the program and what cargo
/// can use again stay in `folder`.
///
/// # Errors
/// When there is no such revision here, it cannot be built, or it is stopped.
pub(super) async fn build(revision: &str, folder: &Path, quiet: bool, stop: &Stop) -> Result<Built, Failure> {
    let commit = commit(revision).await.or_usage("it is looked up in the git repository of the current folder")?;
    let folder = std::path::absolute(folder).context("finding the folder of builds")?;
    let program = folder.join(&commit).join("tripsage");
    if program.is_file() {
        return Ok(Built { program, commit });
    }
    if !quiet {
        output::note(&format!("building {revision} ({commit}) in {}", folder.display()));
    }
    let tree = folder.join(&commit).join("source");
    let made = async {
        fs::create_dir_all(folder.join(&commit)).with_context(|| format!("cannot make {}", folder.display()))?;
        git(["worktree", "add", "--force", "--detach"]
            .map(OsStr::new)
            .into_iter()
            .chain([tree.as_os_str(), OsStr::new(&commit)]))
        .await?;
        anyhow::Ok(())
    };
    made.await.or_usage("choose another folder with --builds")?;
    let built = cargo(&tree, &folder.join("cargo"), quiet, stop).await;
    let kept = built.and_then(|is_built| match is_built {
        false => {
            Err(Failure { exit: Exit::Interrupted, hint: None, error: anyhow!("stopped while building {revision}") })
        }
        true => {
            let from = folder.join("cargo/release/tripsage");
            let copied = fs::copy(&from, &program).with_context(|| format!("cannot keep {}", from.display()));
            copied.or_usage("does the revision have a program `tripsage`?").map(drop)
        }
    });
    let removed = git(["worktree", "remove", "--force"].map(OsStr::new).into_iter().chain([tree.as_os_str()])).await;
    if let Err(error) = removed {
        tracing::warn!("the work tree {} was left: {error:#}", tree.display());
    }
    kept.map(|()| Built { program, commit })
}

/// The commit that a revision names.
async fn commit(revision: &str) -> anyhow::Result<String> {
    let name = format!("{revision}^{{commit}}");
    let said =
        git(["rev-parse", "--verify", "--end-of-options"].map(OsStr::new).into_iter().chain([OsStr::new(&name)]));
    said.await.with_context(|| format!("there is no revision `{revision}`"))
}

async fn git<'a>(arguments: impl Iterator<Item = &'a OsStr>) -> anyhow::Result<String> {
    let arguments: Vec<&OsStr> = arguments.collect();
    let ran = Command::new("git").args(&arguments).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let answer = ran.context("cannot start git")?;
    if !answer.status.success() {
        let said = String::from_utf8_lossy(&answer.stderr);
        return Err(anyhow!("git {}: {}", arguments[0].display(), said.trim()));
    }
    Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}

/// Builds; false when it was stopped.
async fn cargo(tree: &Path, target: &Path, quiet: bool, stop: &Stop) -> Result<bool, Failure> {
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--locked", "--package", "service", "--bin", "tripsage"]);
    // In a group of its own, so that all of it can be ended at once.
    command.current_dir(tree).env("CARGO_TARGET_DIR", target).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    if quiet {
        command.arg("--quiet");
    }
    let mut child =
        command.spawn().context("cannot start cargo").or_usage("revisions are built with cargo: install it")?;
    let group = child.id().map(|pid| Pid::from_raw(pid.cast_signed()));
    let status = tokio::select! {
        status = child.wait() => status.context("waiting for cargo")?,
        () = stop.drain.cancelled() => {
            if let Some(group) = group {
                // It may have ended a moment ago, which is as well.
                let _ = killpg(group, Signal::SIGTERM);
            }
            child.wait().await.context("waiting for cargo")?;
            return Ok(false);
        }
    };
    if status.success() {
        return Ok(true);
    }
    Err(anyhow!("cargo cannot build it: {status}"))
        .or_usage("its own messages are above; see whether the revision builds by itself")
}
