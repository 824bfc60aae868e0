//! The load generator against servers in this process: what it measures, what it counts, and how it ends.
mod client;
mod ending;
mod load;
mod meter;
mod scene;
mod service;
mod session;
