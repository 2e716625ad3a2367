//! What goes wrong, and what then happens.

mod addresses;
mod composing;
mod connections;
mod disk;
mod http;
mod log;
mod noise;
mod owner;
mod refusals;
mod standstill;
mod startup;
mod stopping;
