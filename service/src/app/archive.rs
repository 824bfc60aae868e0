//! The archive of an export: a ZIP file with one JSON file per kind, and a manifest with the size and hash of each.

use std::io::{Cursor, Write as _};

use zip::{CompressionMethod, ZipWriter, result::ZipResult, write::SimpleFileOptions};

use crate::domain::{
    digest::sha256,
    export::{Kind, Manifest, ManifestFile},
};

/// Version of the form of the archive.
pub(super) const VERSION: u32 = 1;

/// Packs all kinds, and the manifest, whose files are filled in.
pub(super) fn pack(kinds: &[Kind], mut manifest: Manifest) -> ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for kind in kinds {
        let name = format!("{}.json", kind.name);
        let json = serde_json::to_vec_pretty(&kind.records).expect("JSON values can be written");
        archive.start_file(&name, options)?;
        archive.write_all(&json)?;
        let (records, bytes) = (kind.records.len(), json.len());
        manifest.files.push(ManifestFile { name, records, bytes, sha256: sha256(&json) });
    }
    archive.start_file("manifest.json", options)?;
    archive.write_all(&serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data"))?;
    Ok(archive.finish()?.into_inner())
}
