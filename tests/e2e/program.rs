//! Starts the real program in a folder of its own, and looks at what it does from outside.
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The scenario that most tests run.
pub(crate) const SHORT: &str = include_str!("data/short.toml");

/// How long anything here may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a scenario in it, and the program in that folder.
pub(crate) struct Workplace {
    folder: tempfile::TempDir,
}

impl Workplace {
    pub(crate) fn new(scenario: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("scenario.toml"), scenario).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program with some arguments, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness-under-test"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn harness(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts `harness run` on the scenario.
    pub(crate) fn start(&self, arguments: &[&str]) -> Program {
        let mut command = self.command(&["run", "./scenario.toml", "--out", "runs"]);
        let child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Program { child, children: Vec::new() }
    }

    /// Starts the program with any arguments.
    pub(crate) fn start_command(&self, arguments: &[&str]) -> Program {
        let child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Program { child, children: Vec::new() }
    }

    /// Starts `harness run` with its standard error in a file that can be read while it runs.
    pub(crate) fn start_with_log(&self, arguments: &[&str], log: &Path) -> Program {
        let mut command = self.command(&["run", "./scenario.toml", "--out", "runs"]);
        let log = fs::File::create(log).unwrap();
        let child = command.args(arguments).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        Program { child, children: Vec::new() }
    }

    /// The folder of the only run.
    pub(crate) fn run_folder(&self) -> PathBuf {
        let runs: Vec<_> =
            fs::read_dir(self.path().join("runs")).unwrap().flatten().map(|entry| entry.path()).collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs[0].clone()
    }

    /// Waits until the first measures are on disk: the load has begun.
    pub(crate) fn wait_for_measures(&self) {
        wait_until("measures on disk", || {
            let runs = fs::read_dir(self.path().join("runs")).into_iter().flatten().flatten();
            let logs = runs.map(|run| fs::read_to_string(run.path().join("measures.hlog")).unwrap_or_default());
            logs.into_iter().any(|log| log.contains("Tag="))
        });
    }
}

/// A program that runs, and the children that it started.
pub(crate) struct Program {
    child: Child,
    children: Vec<(i32, String)>,
}

impl Program {
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.look_for_children();
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Kills the child that carries out a sub-command.
    pub(crate) fn kill_child(&mut self, sub_command: &str) {
        self.look_for_children();
        let (pid, _) = self.children.iter().find(|(_, line)| line.contains(sub_command)).expect("it has such a child");
        kill(Pid::from_raw(*pid), Signal::SIGKILL).unwrap();
    }

    /// Waits until the child that carries out a sub-command is stopped by a signal.
    pub(crate) fn wait_for_stopped(&mut self, sub_command: &str) {
        wait_until("a stopped child", || {
            self.look_for_children();
            self.children.iter().any(|(pid, line)| line.contains(sub_command) && state_of(*pid) == Some('T'))
        });
    }

    /// CPU seconds of the first child that carries out a sub-command; `None` once that is gone.
    pub(crate) fn cpu_seconds(&mut self, sub_command: &str) -> Option<f64> {
        self.look_for_children();
        let (pid, line) =
            self.children.iter().find(|(_, line)| line.contains(sub_command)).expect("it has such a child");
        command_line(*pid).filter(|seen| seen == line)?;
        let stat = stat_of(*pid)?;
        let ticks = stat.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>());
        // USER_HZ is 100 wherever Rust's std runs on Linux.
        Some(ticks.sum::<Result<f64, _>>().ok()? / 100.0)
    }

    pub(crate) fn close_stdout(&mut self) {
        drop(self.child.stdout.take());
    }

    /// Waits for the end: exit code, standard output, standard error; and that no child outlives it.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        wait_until("the program's end", || {
            self.look_for_children();
            self.child.try_wait().unwrap().is_some()
        });
        let code = self.child.wait().unwrap().code();
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().map(|mut pipe| pipe.read_to_string(&mut out));
        self.child.stderr.take().map(|mut pipe| pipe.read_to_string(&mut err));
        assert!(!self.children.is_empty(), "it has started children: {err}");
        wait_until("the children's end", || {
            self.children.iter().all(|(pid, line)| command_line(*pid).as_ref() != Some(line))
        });
        (code, out, err)
    }

    pub(crate) fn children_count(&mut self) -> usize {
        self.look_for_children();
        self.children.len()
    }

    fn look_for_children(&mut self) {
        let parent = self.child.id().cast_signed();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let is_known = self.children.iter().any(|(known, _)| *known == pid);
            if !is_known && parent_of(pid) == Some(parent) {
                self.children.extend(command_line(pid).map(|line| (pid, line)));
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls a condition until it holds; panics when it takes too long.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// What the system says of a process, from its state on; what is before it may have anything in it.
fn stat_of(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.trim_start().to_owned())
}

fn parent_of(pid: i32) -> Option<i32> {
    stat_of(pid)?.split_whitespace().nth(1)?.parse().ok()
}

fn state_of(pid: i32) -> Option<char> {
    stat_of(pid)?.chars().next()
}

/// The command line of a living process; a zombie has none.
fn command_line(pid: i32) -> Option<String> {
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    Some(line.replace('\0', " ")).filter(|line| line.contains("--with-parent"))
}
