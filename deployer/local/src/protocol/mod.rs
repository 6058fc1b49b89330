//! AWS's wire formats: what a request says, and how an answer is written. Nothing here knows a service beyond its
//! [`Protocol`](crate::api::Protocol); [`crate::front`] puts them together.
//!
//! A request passes the [`guard`]; its [`body`] is read within its service's limit; then [`query`] or [`json`] takes over,
//! or what Lambda and S3 have for themselves (`crate::lambda::http`, `crate::s3::http`).

pub(crate) mod body;
pub(crate) mod cbor;
pub(crate) mod guard;
pub(crate) mod json;
mod message;
pub(crate) mod query;
pub(crate) mod xml;
pub(crate) mod xml_in;

pub(crate) use message::{Answer, Dropped, Request, Response, host, response, set, set_named};
