//! Limits on what runs at once.

use std::time::Duration;

use local_aws::ApiError;
use local_aws::lambda::Behaviour;
use serde_json::json;

use crate::support::Local;

fn throttled(error: &ApiError) -> &str {
    assert_eq!((error.status, error.code.as_str()), (429, "TooManyRequestsException"));
    error.details.iter().find(|(name, _)| name == "Reason").map(|(_, value)| value.as_str()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_concurrency_throttles_its_function() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    local.function("g", json!({})).await;
    local.ok("PutFunctionConcurrency", json!({"FunctionName": "f", "ReservedConcurrentExecutions": 1})).await;
    let local = local.reopen().await;
    let running = local.invoke("f", json!({"mode": "sleep", "ms": 500}));
    let second = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let error = local.try_invoke("f", json!({})).await.unwrap_err();
        assert_eq!(throttled(&error), "ReservedFunctionConcurrentInvocationLimitExceeded");
        local.invoke("g", json!({})).await
    };
    let (first, other) = tokio::join!(running, second);
    assert!(first.function_error.is_none() && other.function_error.is_none());
    local.invoke("f", json!({})).await;
    local.ok("PutFunctionConcurrency", json!({"FunctionName": "f", "ReservedConcurrentExecutions": 0})).await;
    assert_eq!(local.try_invoke("f", json!({})).await.unwrap_err().status, 429);
    local.ok("DeleteFunctionConcurrency", json!({"FunctionName": "f"})).await;
    assert_eq!(local.ok("GetFunctionConcurrency", json!({"FunctionName": "f"})).await, json!({}));
    local.invoke("f", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_limit_throttles_everything_unreserved() {
    let local = Local::with(Behaviour { account_concurrency: 2, ..Local::quick() }).await;
    local.function("f", json!({})).await;
    let event = json!({"mode": "sleep", "ms": 500});
    let third = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        local.try_invoke("f", json!({})).await
    };
    let (a, b, third) =
        tokio::join!(local.invoke("f", event.clone()), local.invoke("f", event.clone()), third);
    assert!(a.function_error.is_none() && b.function_error.is_none());
    assert_eq!(throttled(&third.unwrap_err()), "ConcurrentInvocationLimitExceeded");
    let settings = local.ok("GetAccountSettings", json!({})).await;
    assert_eq!(settings["AccountLimit"]["ConcurrentExecutions"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn reservations_leave_the_others_their_minimum() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let reserve = |n: u32| json!({"FunctionName": "f", "ReservedConcurrentExecutions": n});
    let error = local.refused("PutFunctionConcurrency", reserve(901)).await;
    assert!(error.message.ends_with("below its minimum value of [100]."), "{error}");
    local.ok("PutFunctionConcurrency", reserve(900)).await;
    let settings = local.ok("GetAccountSettings", json!({})).await;
    assert_eq!(settings["AccountLimit"]["UnreservedConcurrentExecutions"], 100);
    local.ok("DeleteFunction", json!({"FunctionName": "f"})).await;
    let settings = local.ok("GetAccountSettings", json!({})).await;
    assert_eq!(settings["AccountLimit"]["UnreservedConcurrentExecutions"], 1000);
}
