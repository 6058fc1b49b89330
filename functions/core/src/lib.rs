#![doc = include_str!("../README.md")]
//! # Modules
//!
//! A run flows through these modules in order:
//!
//! 1. [`input`]: what the user asked for, checked as a whole;
//! 2. [`payload`]: which payload goes with which invocation;
//! 3. [`report`]: what one invocation took, read from its log tail; [`failure`]: what it means when one failed;
//! 4. [`stats`]: many invocations of one power value put together;
//! 5. [`pricing`]: what that cost; [`strategy`]: which power value wins;
//! 6. [`output`]: the result of one power value and of the whole run, in the words users' programs read;
//! 7. [`url`]: the run as a link to the chart page, and back.
//!
//! Beside them, [`search`] chooses the sizes itself and says how sure it is, [`waves`] compares two processors, [`regression`] compares
//! two runs, [`figures`] says how a number is written for people, and [`sentence`] what a result says in words; [`calibration`] is what
//! the speed of a core is told by; [`copies`] says what temporary copies are called, [`log`] by which line a log tells runs apart;
//! [`throttling`] knows AWS's refusals that pass.
//!
//! The page uses [`url`], [`strategy`], [`figures`], [`sentence`], [`Currency`] and the words of [`search::Confidence`] only.

pub mod calibration;
pub mod copies;
pub mod failure;
pub mod figures;
pub mod gate;
pub mod input;
pub mod log;
pub mod nearest;
pub mod output;
pub mod payload;
pub mod pricing;
pub mod regression;
pub mod report;
pub mod search;
pub mod sentence;
pub mod stats;
pub mod strategy;
pub mod throttling;
pub mod url;
pub mod waves;

mod currency;
pub use currency::Currency;
