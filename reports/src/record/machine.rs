//! The machine that ran the generator.
use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The machine that ran the generator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system and version, such as `Linux 6.18.44`.
    pub system: String,
    /// Processor model.
    pub cpu_model: String,
    /// Logical CPUs.
    pub cpu_count: usize,
    /// Memory, in bytes.
    pub memory_bytes: u64,
}

impl Machine {
    /// This machine. What the system does not tell is "unknown" or 0.
    #[must_use]
    pub fn this() -> Self {
        let wanted =
            RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()).with_memory(MemoryRefreshKind::everything());
        let system = System::new_with_specifics(wanted).ok();
        let name = System::name().unwrap_or_else(|_| "unknown".to_owned());
        let kernel = System::kernel_version().unwrap_or_default();
        let cpu_model =
            system.as_ref().and_then(|system| system.cpus().first()).map(|cpu| cpu.brand().trim().to_owned());
        Self {
            system: format!("{name}, kernel {kernel}"),
            cpu_model: cpu_model.unwrap_or_else(|| "unknown".to_owned()),
            cpu_count: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: system.map_or(0, |system| system.total_memory()),
        }
    }
}
