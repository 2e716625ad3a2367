//! Buddies: presence, invitations and chats, through real sockets.

mod kit;
mod names;
mod people;
mod recording;
mod refusals;
mod restart;
mod rules;
pub mod world;
