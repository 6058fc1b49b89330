//! The crate as its users see it: stacks in, templates or problems out.

#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

mod evaluate;
mod flows;
mod stacks;
mod values;

use constructs::iam::Role;
use constructs::lambda::{Code, Function};
use constructs::{Handle, Principal, Stack};

/// A stack with one function, for tests that need something to refer to.
fn with_function(id: &str) -> (Stack, Handle<Function>) {
    let mut stack = Stack::new("a test");
    let role = stack.add(&format!("{id}Role"), lambda_role());
    let function = stack.add(id, function(role.arn()));
    (stack, function)
}

fn lambda_role() -> Role {
    Role {
        description: "for a test".to_owned(),
        assumed_by: Principal::service("lambda.amazonaws.com"),
        grants: Vec::new(),
        permissions_boundary: None,
    }
}

fn function(role: constructs::Val<constructs::Arn>) -> Function {
    Function {
        description: "a function".to_owned(),
        code: Code::Stored { bucket: "assets".into(), key: "code.zip".into() },
        handler: "main".to_owned(),
        runtime: "provided.al2023".to_owned(),
        architecture: "x86_64".into(),
        memory_size: 128.into(),
        timeout: 3.into(),
        role,
        log_group: "/log".into(),
        environment: Default::default(),
        vpc: None,
        tags: Default::default(),
    }
}
