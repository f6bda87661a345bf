//! Tests of the producer, over a small world that productions are applied to.

mod along;
mod archived;
mod metadata;
mod packages;
mod random;
mod refusals;
mod states;
mod updates;
mod world;
