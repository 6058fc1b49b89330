//! The program, its Lambdas and its endpoint through their front doors.

// All of this is test code; clippy knows only the functions marked as tests.
#![allow(clippy::unwrap_used)]

mod account;
mod action;
mod answering;
mod applied;
mod apply;
mod auto;
mod bad_input;
mod bench;
mod budget;
mod clients;
mod compare;
mod confirmation;
mod connections;
mod copies;
mod crashes;
mod denied;
mod deploy;
mod drift;
mod elsewhere;
mod emulator;
mod emulators;
mod faults;
mod fleets;
mod follow;
mod handlers;
mod harness;
mod here;
mod in_process;
mod kill;
mod languages;
mod left_behind;
mod logs;
mod measuring;
mod money;
mod ownership;
mod page;
mod permissions;
mod permitted;
mod proxy;
mod release;
mod scan;
mod schema;
mod settings;
mod shown;
mod spending;
mod stuck;
mod tune;
mod untunable;
mod upgraded;
mod usage;
mod wrong_code;
