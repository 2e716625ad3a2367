mod interleavings;
mod rules;
mod world;
