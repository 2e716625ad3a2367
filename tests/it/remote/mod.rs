//! Pages on one Parlor, their calls and archives on another: the remote platform.

mod archives;
mod chats;
mod failures;
mod former_platform;
mod mirror;
mod proxy;
mod rooms;
mod world;
