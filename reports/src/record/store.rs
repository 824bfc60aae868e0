//! A folder of points, one file each: baselines and histories without a server. It can be committed, cached or copied as it is.
//!
//! ```text
//! .harness/points/<scenario>/<run>.json
//! ```
use super::{Point, folder::write_file, point::FORMAT};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const POINTS: &str = "points";

/// Why a store could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder could not be written or removed.
    #[error("cannot change {path}")]
    Change {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] super::folder::Error),
    /// A file is not a point.
    #[error("{path} is not a point of a history")]
    Point {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A file is of another format.
    #[error("{path} has format {found}, this program reads {FORMAT}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The run is in the store already.
    #[error("run {0} is in the store already")]
    Exists(String),
    /// There is no such point.
    #[error("the store has no point `{0}`")]
    Unknown(String),
    /// Several points are called so.
    #[error("`{name}` may be any of {candidates}")]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// The points that it may mean.
        candidates: String,
    },
}

/// A folder of points.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store in a folder, which need not be there yet.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Adds a point, and says where it is.
    ///
    /// # Errors
    /// When its run is there already, or the file cannot be written.
    pub fn add(&self, point: &Point) -> Result<PathBuf, Error> {
        if self.path(point).exists() {
            return Err(Error::Exists(point.id.clone()));
        }
        self.put(point)
    }

    /// Writes a point in place of an earlier one of its run, all of it or nothing.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put(&self, point: &Point) -> Result<PathBuf, Error> {
        let path = self.path(point);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(|source| Error::Change { path: folder.to_owned(), source })?;
        let mut text = serde_json::to_vec_pretty(point).expect("a point has only text keys and finite numbers");
        text.push(b'\n');
        write_file(&path, &text)?;
        Ok(path)
    }

    /// Removes a point.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove(&self, point: &Point) -> Result<(), Error> {
        let path = self.path(point);
        fs::remove_file(&path).map_err(|source| Error::Change { path, source })
    }

    /// Every point, oldest first; none when the store is not there yet.
    ///
    /// # Errors
    /// When a file cannot be read, is no point, or is of another format.
    pub fn points(&self) -> Result<Vec<Point>, Error> {
        let mut points = Vec::new();
        for scenario in entries(&self.root.join(POINTS))? {
            for path in entries(&scenario)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "json")) {
                points.push(read(&path)?);
            }
        }
        points.sort_by(|a, b| (&a.at, &a.id).cmp(&(&b.at, &b.id)));
        Ok(points)
    }

    /// The point of this run, by all or the beginning or the end of its name, or by its label.
    ///
    /// # Errors
    /// When there is none or there are several, and as [`points`](Self::points).
    pub fn find(&self, name: &str) -> Result<Point, Error> {
        let points = self.points()?;
        if let Some(point) = points.iter().find(|point| point.id == name) {
            return Ok(point.clone());
        }
        let is_meant = |point: &&Point| {
            point.label.as_deref() == Some(name) || point.id.starts_with(name) || point.id.ends_with(name)
        };
        let found: Vec<&Point> = points.iter().filter(is_meant).collect();
        match found.as_slice() {
            [] => Err(Error::Unknown(name.to_owned())),
            [only] => Ok((*only).clone()),
            several => {
                let candidates = several.iter().map(|point| point.id.as_str()).collect::<Vec<_>>().join(", ");
                Err(Error::Ambiguous { name: name.to_owned(), candidates })
            }
        }
    }

    fn path(&self, point: &Point) -> PathBuf {
        self.root.join(POINTS).join(file_name(&point.scenario)).join(format!("{}.json", file_name(&point.id)))
    }
}

/// A name as a file's: what may not be in one is a dash.
fn file_name(name: &str) -> String {
    let is_fit = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let name: String = name.chars().map(|c| if is_fit(c) { c } else { '-' }).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { "-".to_owned() } else { name.to_owned() }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

fn read(path: &Path) -> Result<Point, Error> {
    let text = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let bad = |source| Error::Point { path: path.to_owned(), source };
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(bad)?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(found) if found != u64::from(FORMAT) => Err(Error::Format { path: path.to_owned(), found }),
        _ => serde_json::from_value(value).map_err(bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(id: &str, at: &str) -> Point {
        Point {
            format: FORMAT,
            id: id.to_owned(),
            scenario: "a/b".to_owned(),
            at: at.to_owned(),
            label: None,
            baseline: None,
            commit: None,
            verdict: "PASSED".to_owned(),
            conditions: Vec::new(),
            figures: Vec::new(),
        }
    }

    #[test]
    fn points_are_kept_found_changed_and_removed() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::at(root.path().join("store"));
        assert_eq!(store.points().unwrap(), [], "nothing is there yet");
        let (late, early) = (point("2026-02-01-aaaa", "2026-02-01"), point("2026-01-01-bbbb", "2026-01-01"));
        let path = store.add(&late).unwrap();
        assert!(path.ends_with("points/a-b/2026-02-01-aaaa.json"), "{}", path.display());
        store.add(&early).unwrap();
        assert_eq!(store.points().unwrap(), [early.clone(), late.clone()]);
        assert_eq!(store.add(&late).unwrap_err().to_string(), "run 2026-02-01-aaaa is in the store already");
        store.put(&Point { baseline: Some("main".to_owned()), ..late.clone() }).unwrap();
        assert_eq!(store.find("aaaa").unwrap().baseline.as_deref(), Some("main"));
        assert_eq!(store.find("2026-01").unwrap(), early);
        let several = store.find("2026").unwrap_err().to_string();
        assert_eq!(several, "`2026` may be any of 2026-01-01-bbbb, 2026-02-01-aaaa");
        assert_eq!(store.find("2027").unwrap_err().to_string(), "the store has no point `2027`");
        store.remove(&late).unwrap();
        assert_eq!(store.points().unwrap(), [early]);
        assert!(store.remove(&late).is_err());
    }

    #[test]
    fn a_file_that_is_no_point_is_an_error_with_its_name() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::at(root.path());
        let path = store.add(&point("x", "2026-01-01")).unwrap();
        for (text, expected) in [("{", "is not a point"), ("{\"format\": 9}", "has format 9, this program reads 1")] {
            fs::write(&path, text).unwrap();
            let said = store.points().unwrap_err().to_string();
            assert!(said.contains("x.json") && said.contains(expected), "{said}");
        }
    }
}
