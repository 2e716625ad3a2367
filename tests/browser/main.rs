//! Parlor as people meet it: its pages in Debian's Chromium, with fake cameras and microphones.

#![expect(clippy::disallowed_methods, reason = "tests read the clock")]
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod buddies;
mod buddies_call;
mod buddies_page;
mod buddies_recording;
mod call;
mod camera;
mod chromium;
mod credentials;
mod devices;
#[path = "../sdk/driver.rs"]
mod driver;
mod elsewhere;
mod engine;
mod film;
mod hello;
mod media;
mod moderator;
mod network;
mod pages;
mod proxy;
mod recording;
mod rooms;
mod screen;
mod world;
