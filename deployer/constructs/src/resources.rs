//! The resource types in use, one file per service; properties nobody here sets are left out.

pub mod cloudfront;
pub mod events;
pub mod iam;
pub mod lambda;
pub mod logs;
pub mod s3;
pub mod states;
