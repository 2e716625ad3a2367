//! Callbacks, as the server of an application sees them: a receiver on this machine that takes what is posted, or does not.

mod delivery;
mod events;
mod https;
mod receiver;
mod registration;
mod restart;
