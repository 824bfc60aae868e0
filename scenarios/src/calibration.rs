//! Where calibrations are kept: one file per machine and kind of build, beside the runs.
use anyhow::Context as _;
use reports::record::{Calibration, Machine, folder::write_file};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The folder, where runs and calibrations are started.
pub(crate) const FOLDER: &str = "reports/calibration";

/// Keeps a calibration in place of an earlier one of its machine, and says where.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn store(folder: &Path, calibration: &Calibration) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(file_name(&calibration.machine, calibration.is_optimised));
    let mut text = serde_json::to_vec_pretty(calibration).context("a calibration has only text keys")?;
    text.push(b'\n');
    write_file(&path, &text)?;
    Ok(path)
}

/// The last calibration of a machine by this kind of build. One that cannot be read is none, and the log says why.
pub(crate) fn load(folder: &Path, machine: &Machine) -> Option<Calibration> {
    let path = folder.join(file_name(machine, !cfg!(debug_assertions)));
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!("cannot read the calibration {}: {error}", path.display());
            return None;
        }
    };
    let read = serde_json::from_slice(&text);
    read.inspect_err(|error| tracing::warn!("{} is not a calibration: {error}", path.display())).ok()
}

/// Kernel and version are not in the name: a calibration that was made with others is found, and told to be outdated.
fn file_name(machine: &Machine, is_optimised: bool) -> String {
    let words = machine.cpu_model.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let model = words.collect::<Vec<_>>().join("-").to_lowercase();
    let build = if is_optimised { "" } else { "-debug" };
    format!("{model}-{}-cpus{build}.json", machine.cpu_count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reports::record::ClockFigures;

    fn calibration() -> Calibration {
        Calibration {
            harness_version: "0.1.0".to_owned(),
            is_optimised: !cfg!(debug_assertions),
            machine: Machine {
                system: "Linux".to_owned(),
                cpu_model: "Intel(R) Xeon(R) @ 2.60GHz".to_owned(),
                cpu_count: 2,
                memory_bytes: 1,
            },
            at: "2026-11-23T08:00:00Z".to_owned(),
            took_ms: 24_000,
            allowance_ns: 1,
            clock: ClockFigures { resolution_ns: 1, timer_late_p50_ns: 2, timer_late_p99_ns: 3 },
            scenes: Vec::new(),
            rates: Vec::new(),
        }
    }

    #[test]
    fn a_calibration_is_found_again_on_its_machine_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("calibration");
        let kept = calibration();
        assert_eq!(load(&folder, &kept.machine), None, "nothing is kept yet");
        let path = store(&folder, &kept).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with("intel-r-xeon-r-2-60ghz-2-cpus"), "{name}");
        assert_eq!(load(&folder, &kept.machine), Some(kept.clone()));
        let newer_kernel = Machine { system: "Linux 7".to_owned(), ..kept.machine.clone() };
        assert_eq!(load(&folder, &newer_kernel), Some(kept.clone()), "told to be outdated by the report");
        assert_eq!(load(&folder, &Machine { cpu_count: 4, ..kept.machine.clone() }), None);
        fs::write(&path, "{").unwrap();
        assert_eq!(load(&folder, &kept.machine), None, "a damaged file is none");
    }
}
