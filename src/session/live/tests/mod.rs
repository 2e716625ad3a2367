mod interleavings;
mod monitored;
mod relaying;
mod rules;
mod world;
