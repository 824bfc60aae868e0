//! A starting scenario from what there is already: a recording of a browser (HAR), a description of an API (OpenAPI), or an experiment
//! of Chaos Toolkit.
//!
//! Pure: text in, text out. What is printed can be run as it is; what could not be carried over is said in its comments.
mod chaostoolkit;
mod correlation;
mod draft;
mod har;
mod openapi;
mod request;
mod sample;
mod secret;

pub(crate) use chaostoolkit::{EXTENSION, import as chaostoolkit};
pub(crate) use draft::name;
pub(crate) use har::import as har;
pub(crate) use openapi::import as openapi;
pub(crate) use secret::{is_secret, looks_secret};
