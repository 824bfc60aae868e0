//! A slice of a longer list.

use serde::Serialize;
use utoipa::ToSchema;

/// Which slice is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    /// Items before the first one.
    pub(crate) skip: u32,
    /// Most items in the answer.
    pub(crate) limit: u32,
}

/// The slice, and how long the whole list is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) total: u64,
    pub(crate) skip: u32,
    pub(crate) limit: u32,
}
