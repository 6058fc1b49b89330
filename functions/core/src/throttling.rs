//! AWS's words for "too fast".

/// The error codes of a call that was refused only because there were too many at a time, so that it passes when it is tried again.
/// Services differ in which one they use. From the AWS SDK's list (`aws_runtime::retries::classifiers`), without
/// `LimitExceededException`, which Step Functions and CloudFormation say of quotas that no waiting raises.
const CODES: [&str; 12] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
];

/// Whether a call answered with this HTTP status and error code was throttled.
#[must_use]
pub fn is_throttled(status: u16, code: &str) -> bool {
    status == 429 || CODES.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::is_throttled;

    #[test]
    fn a_quota_is_not_throttling() {
        assert!(is_throttled(400, "ThrottlingException") && is_throttled(503, "SlowDown"));
        assert!(is_throttled(429, "") && is_throttled(429, "TooManyRequestsException"));
        assert!(!is_throttled(400, "LimitExceededException") && !is_throttled(500, "ServiceException"));
    }
}
