//! Pages on one Parlor, their calls and archives on another: the remote platform.

mod archives;
mod chats;
mod failures;
mod former;
mod proxy;
mod pulling;
mod rooms;
mod world;
