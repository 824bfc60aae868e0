//! End to end: the rules of the architecture, and the real programs as a user starts them.
mod architecture;
