//! What the engine in this process does and no other platform can be asked for: these tests are the same whatever the
//! others run on.

mod archive;
mod library;
mod official;
mod recording;
mod relayed;
mod screen;
