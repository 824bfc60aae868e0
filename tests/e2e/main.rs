//! End to end: the rules of the architecture, and the real program as a user starts it.
mod architecture;
mod bad_input;
mod interruption;
mod program;
mod run;
