//! What goes wrong, and what then happens.

mod composing;
mod disk;
mod log;
mod noise;
mod refusals;
mod startup;
mod stopping;
