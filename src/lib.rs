//! `provision` brings a Debian host and its LXC containers to what a recipe says.
pub mod agent;
pub mod cli;
pub mod container;
pub mod engine;
pub mod error;
pub mod event;
pub mod field;
pub mod hub;
pub mod id;
pub mod interrupt;
pub mod item;
pub mod lanes;
pub mod ledger;
mod random;
pub mod recipe;
pub mod report;
pub mod resource;
pub mod system;
