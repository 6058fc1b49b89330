//! Everything the `deployer` program is made of, in the order data flows through it.
//!
//! [`cli`] (what was typed) → [`resolve`] (what is meant, by the table of [`options`]) → [`commands`] (what is done), which use [`app`] (the stack),
//! [`build`] (its assets), [`deployment`] (CloudFormation; what changes there is a [`difference`]), [`function`] (what is tuned), [`execution`] (a run) [`kept`] (results of former runs),
//! [`definitions`] (the files that functions are defined in), [`fleet`] (plans for many functions) and [`render`] (a result, with [`calibration`] on a core of Lambda). [`site`] serves the page that shows it as a chart, in the user's [`browser`]. What happens meanwhile is told as typed
//! [`events`] that [`progress`] shows on stderr; what comes out is one [`outcome`] on stdout, or a [`failure`].
//! [`context`] is what every command gets: the settings, the events and a connection ([`aws`]) made when first asked for.
//!
//! How to add a verb is written in [`commands`].

pub mod app;
pub mod aws;
pub mod browser;
pub mod build;
pub mod calibration;
pub mod call;
pub mod cli;
pub mod commands;
pub mod context;
pub mod definitions;
pub mod deployment;
pub mod difference;
pub mod estimate;
pub mod events;
pub mod execution;
pub mod failure;
pub mod fleet;
pub mod fold;
pub mod function;
pub mod interrupt;
pub mod kept;
pub mod options;
pub mod outcome;
pub mod progress;
pub mod render;
pub mod resolve;
pub mod settings;
pub mod site;
pub mod traffic;
