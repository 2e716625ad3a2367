//! Webhooks as an application's server sees them: a receiver on this machine accepts events or refuses them.

mod delivery;
mod events;
mod https;
mod receiver;
mod registration;
mod restart;
