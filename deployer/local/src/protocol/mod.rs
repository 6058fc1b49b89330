//! AWS's wire formats: what a request says, and how an answer is written. Nothing here knows a service beyond its
//! [`Protocol`](crate::api::Protocol); [`crate::front`] puts them together.
//!
//! A request passes the [`guard`] and is read for who signs it and for which service ([`signature`]); its [`body`] is
//! read within that service's limit; then one of [`query`], [`json`] and [`rest`] takes over, or S3's own
//! (`crate::s3`).

pub(crate) mod body;
pub(crate) mod guard;
pub(crate) mod json;
mod message;
pub(crate) mod query;
pub(crate) mod rest;
pub(crate) mod signature;
pub(crate) mod xml;
pub(crate) mod xml_in;

pub(crate) use message::{Answer, Dropped, Request, Response, host, response, set, set_named};
