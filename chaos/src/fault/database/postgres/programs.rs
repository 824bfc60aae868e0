//! The programs of an installed PostgreSQL.
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// What is needed to make a server, copy it and start it.
const NEEDED: [&str; 4] = ["initdb", "pg_ctl", "postgres", "pg_basebackup"];
/// Where Debian hides them, one folder per version.
const HIDDEN: &str = "/usr/lib/postgresql";

/// The folder with the programs of one installed version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs(PathBuf);

impl Programs {
    /// Finds them in the folders of `path` (the value of `PATH`), or where Debian hides them. `None` when they are not installed.
    #[must_use]
    pub fn find(path: &OsStr) -> Option<Self> {
        let versions = fs::read_dir(HIDDEN).into_iter().flatten().flatten();
        let hidden = versions.map(|version| version.path().join("bin"));
        std::env::split_paths(path).chain(hidden).find_map(|folder| {
            // `pg_ctl` looks for `postgres` beside the file that a link leads to.
            let real = fs::canonicalize(folder.join("pg_ctl")).ok()?;
            let folder = real.parent()?;
            NEEDED.iter().all(|name| folder.join(name).is_file()).then(|| Self(folder.to_owned()))
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_counts_when_it_has_all_programs_and_links_are_followed() {
        let folder = tempfile::TempDir::new().unwrap();
        let (real, linked) = (folder.path().join("15/bin"), folder.path().join("bin"));
        fs::create_dir_all(&real).unwrap();
        fs::create_dir_all(&linked).unwrap();
        std::os::unix::fs::symlink(real.join("pg_ctl"), linked.join("pg_ctl")).unwrap();
        for name in &NEEDED[1..] {
            fs::write(real.join(name), "").unwrap();
        }
        let found = || Programs::find(linked.as_os_str()).filter(|found| found.0.starts_with(folder.path()));
        assert_eq!(found(), None, "initdb is missing");
        fs::write(real.join("initdb"), "").unwrap();
        assert_eq!(found(), Some(Programs(fs::canonicalize(&real).unwrap())));
    }
}
