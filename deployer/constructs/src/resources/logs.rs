//! CloudWatch Logs: the group a function writes its log to.

use crate::grant::Grant;
use crate::resource::{Handle, Properties, Resource};
use crate::value::{Arn, Val};

/// `AWS::Logs::LogGroup`
#[derive(Debug, Clone)]
pub struct LogGroup {
    /// Its name, such as `/aws/lambda/my-function`.
    pub name: Val<String>,
    /// Days until an event is deleted.
    pub retention_in_days: Val<u32>,
}

impl Resource for LogGroup {
    fn resource_type(&self) -> &str {
        "AWS::Logs::LogGroup"
    }

    fn properties(&self) -> Properties {
        Properties::new().set("LogGroupName", &self.name).set("RetentionInDays", &self.retention_in_days)
    }
}

impl Handle<LogGroup> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> Val<String> {
        self.reference()
    }

    /// Its ARN, which ends in `:*` and so covers its streams.
    #[must_use]
    pub fn arn(&self) -> Val<Arn> {
        self.attribute("Arn")
    }

    /// Leave to write a log into it, but not to create or read it.
    #[must_use]
    pub fn grant_write(&self) -> Grant {
        Grant::new(["logs:CreateLogStream", "logs:PutLogEvents"], [self.arn()])
    }
}
