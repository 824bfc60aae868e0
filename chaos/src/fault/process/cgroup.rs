//! Control groups: where a process can be held to a share of the machine, version 1 and version 2 of them (cgroups(7)).
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Names of the groups made here begin with this, so that those which a killed harness has left are known.
const PREFIX: &str = "tripsage-";

/// Why no process can be held to a share here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The system cannot do it at all.
    #[error("this system shows no control groups with a `{controller}` controller")]
    NoController {
        /// The controller.
        controller: &'static str,
    },
    /// The system could, but does not let this process.
    #[error("the `{controller}` controller is not handed on to groups below {}", folder.display())]
    NotHandedOn {
        /// The controller.
        controller: &'static str,
        /// The group of this process.
        folder: PathBuf,
    },
    /// A file or folder of the system refused.
    #[error("cannot {verb} {}", path.display())]
    System {
        /// What was attempted.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Which interface the groups have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// One hierarchy for each controller.
    One,
    /// One hierarchy for all.
    Two,
}

/// The group of this process in the hierarchy of one controller, below which others can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home {
    /// Which interface it has.
    pub(super) version: Version,
    /// Where this process is, and its children unless they are moved.
    own: PathBuf,
    /// Where groups are made.
    below: PathBuf,
}

/// A group for one process.
#[derive(Debug)]
pub(super) struct Group {
    home: Home,
    folder: PathBuf,
}

impl Home {
    /// Finds where groups with a controller can be made.
    ///
    /// # Errors
    /// When this system has no such place for this process.
    pub(super) fn find(controller: &'static str) -> Result<Self, Error> {
        let (mounts, groups) = (read(Path::new("/proc/self/mountinfo"))?, read(Path::new("/proc/self/cgroup"))?);
        let (version, own) = own_folder(controller, &mounts, &groups).ok_or(Error::NoController { controller })?;
        let home = |below: &Path| Self { version, own: own.clone(), below: below.to_owned() };
        let not_handed_on = || Error::NotHandedOn { controller, folder: own.clone() };
        match version {
            Version::One => Ok(home(&own)),
            // A group with processes of its own hands no controller on, but the one above it may.
            Version::Two => {
                let mut candidates = [Some(own.as_path()), own.parent()].into_iter().flatten();
                candidates.find(|folder| hands_on(controller, folder)).map(home).ok_or_else(not_handed_on)
            }
        }
    }

    /// Makes sure that this process may make groups, by making one. Removes those that a killed harness has left.
    ///
    /// # Errors
    /// When the rights are missing.
    pub(super) fn ensure_writable(&self) -> Result<(), Error> {
        self.sweep();
        self.group(std::process::id()).map(drop)
    }

    /// The group for one process, which is made if need be.
    pub(super) fn group(&self, pid: u32) -> Result<Group, Error> {
        let folder = self.below.join(format!("{PREFIX}{pid}"));
        match fs::create_dir(&folder) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(Error::System { verb: "make the group", path: folder, source })
            }
            _ => Ok(Group { home: self.clone(), folder }),
        }
    }

    /// Removes the groups of processes that are no more; the system keeps those in which there is one.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.below).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
            if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

impl Group {
    /// Sets one of its files.
    pub(super) fn set(&self, file: &str, value: &str) -> Result<(), Error> {
        write(&self.folder.join(file), value)
    }

    /// Reads one of its files.
    pub(super) fn get(&self, file: &str) -> Result<String, Error> {
        read(&self.folder.join(file))
    }

    /// Takes a process in.
    pub(super) fn take(&self, pid: u32) -> Result<(), Error> {
        self.set("cgroup.procs", &pid.to_string())
    }

    /// Whether a process is in it.
    pub(super) fn holds(&self, pid: u32) -> bool {
        let pids = self.get("cgroup.procs").unwrap_or_default();
        pids.lines().any(|line| line == pid.to_string())
    }

    /// Puts a process back to where it came from.
    pub(super) fn release(&self, pid: u32) -> Result<(), Error> {
        write(&self.home.own.join("cgroup.procs"), &pid.to_string())
    }
}

impl Drop for Group {
    /// Removes it, if no process is in it any more.
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Where this process is in the hierarchy that has a controller, from the two files in which the system says so.
fn own_folder(controller: &str, mounts: &str, groups: &str) -> Option<(Version, PathBuf)> {
    let path_of = |is_it: &dyn Fn(&str) -> bool| {
        groups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            is_it(controllers).then(|| path.to_owned())
        })
    };
    let has = |list: &str| list.split(',').any(|name| name == controller);
    let one = mount(mounts, "cgroup", &has).zip(path_of(&has)).map(|found| (Version::One, found));
    let two = || mount(mounts, "cgroup2", &|_| true).zip(path_of(&str::is_empty)).map(|found| (Version::Two, found));
    let (version, ((root, point), path)) = one.or_else(two)?;
    // A mount may show only a part of the hierarchy.
    let below = path.strip_prefix(root.as_str()).unwrap_or(&path).trim_start_matches('/');
    Some((version, if below.is_empty() { PathBuf::from(point) } else { Path::new(&point).join(below) }))
}

/// Root and mount point of the first mount of a type whose options suit (proc_pid_mountinfo(5)).
fn mount(mounts: &str, kind: &str, suits: &dyn Fn(&str) -> bool) -> Option<(String, String)> {
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split_whitespace();
        let (seen, options) = (right.next()?, right.nth(1)?);
        let mut left = left.split_whitespace().skip(3);
        let (root, point) = (left.next()?, left.next()?);
        (seen == kind && suits(options)).then(|| (root.to_owned(), point.to_owned()))
    })
}

fn hands_on(controller: &str, folder: &Path) -> bool {
    let handed_on = read(&folder.join("cgroup.subtree_control")).unwrap_or_default();
    handed_on.split_whitespace().any(|name| name == controller)
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::System { verb: "read", path: path.to_owned(), source })
}

fn write(path: &Path, value: &str) -> Result<(), Error> {
    fs::write(path, value).map_err(|source| Error::System { verb: "write", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_both_versions() {
        let check = |mounts: &str, groups: &str, expected: Option<(Version, &str)>| {
            let expected = expected.map(|(version, path)| (version, PathBuf::from(path)));
            assert_eq!(own_folder("cpu", mounts, groups), expected, "{groups}");
        };
        let one = "30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n";
        let two = "31 25 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let set = "29 25 0:25 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n";
        let both = format!("{set}{one}{two}");
        let own = "5:cpuset:/x\n4:cpu,cpuacct:/a/b\n0::/c\n";
        check(&both, own, Some((Version::One, "/sys/fs/cgroup/cpu,cpuacct/a/b")));
        check(two, "0::/user.slice/run.scope\n", Some((Version::Two, "/sys/fs/cgroup/unified/user.slice/run.scope")));
        check(two, "0::/\n", Some((Version::Two, "/sys/fs/cgroup/unified")));
        let part = "31 25 0:27 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        check(part, "0::/docker/1/below\n", Some((Version::Two, "/sys/fs/cgroup/below")));
        check(set, own, None);
        check("", "", None);
        check("nonsense\n", "nonsense\n", None);
    }
}
