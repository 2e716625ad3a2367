//! The browser protocol over one WebSocket.

pub mod message;
