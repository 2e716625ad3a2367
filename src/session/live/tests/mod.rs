mod interleavings;
mod relaying;
mod rules;
mod world;
