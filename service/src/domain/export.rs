//! An export: everything that belongs to a user, in one archive.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// An export as its user sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Export {
    pub(crate) export_id: Uuid,
    pub(crate) status: ExportStatus,
    pub(crate) created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) finished_at: Option<Timestamp>,
    /// When it is removed.
    pub(crate) expires_at: Timestamp,
    /// Size of the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<i64>,
    /// SHA-256 of the archive, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
}

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExportStatus {
    /// It is being built, or will be.
    Pending,
    /// The archive can be fetched.
    Ready,
    /// It could not be built; ask for another.
    Failed,
}

/// All records of one kind.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Also the name of its file, without `.json`.
    pub(crate) name: &'static str,
    pub(crate) records: Vec<Value>,
}

/// What is in an archive, as the archive itself says.
#[derive(Debug, Serialize)]
pub(crate) struct Manifest {
    /// Of this form of archive.
    pub(crate) version: u32,
    pub(crate) export_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) created_at: Timestamp,
    pub(crate) files: Vec<ManifestFile>,
    /// Kinds that could not be asked for, because their provider failed.
    pub(crate) missing: Vec<&'static str>,
}

/// One file of an archive.
#[derive(Debug, Serialize)]
pub(crate) struct ManifestFile {
    pub(crate) name: String,
    pub(crate) records: usize,
    pub(crate) bytes: usize,
    pub(crate) sha256: String,
}

impl ExportStatus {
    /// The status of that name in the database.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "pending" => Some(Self::Pending),
            "ready" => Some(Self::Ready),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }
}
