//! Buddies: presence, invitations and chats, through real sockets.

mod names;
mod presence_kit;
mod recording;
mod refusals;
mod restart;
mod roster;
mod rules;
pub mod world;
