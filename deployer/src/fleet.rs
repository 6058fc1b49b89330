//! Many functions at once: the plan that says which of them are tuned, and how; what it becomes in S3 and what that will cost; the execution
//! that goes over it, and what came of it.

pub mod course;
pub mod forecast;
pub mod item;
pub mod plan;
pub mod prepared;
pub mod report;
