//! Faults on a part of the target: a process is ended, stopped or comes back as another.
//!
//! ```text
//!  driver ─▶ OnPart (one file per fault) ─▶ Parts (end, start, pause) ─▶ process
//!                     └── threads: what the system shows of the process, which is the proof
//! ```
//!
//! They hold no lease: a part dies with the harness that started it, and whatever was done to it is gone with it.
mod again;
mod cgroup;
mod on_part;
mod threads;

mod cpu_limit;
mod file_descriptors;
mod keys_rotated;
mod kill;
mod pause;
mod restart;

pub use cpu_limit::CpuLimit;
pub use file_descriptors::FileDescriptors;

pub(crate) use keys_rotated::KeysRotated;
pub(crate) use kill::Kill;
pub(crate) use on_part::OnPart;
pub(crate) use pause::Pause;
pub(crate) use restart::Restart;
