//! Step Functions: a state machine, which runs a checked [`Flow`].

use crate::flow::Flow;
use crate::node::Node;
use crate::print;
use crate::resource::{Handle, Properties, Resource};
use crate::value::{Arn, Val};

/// `AWS::StepFunctions::StateMachine`, of the standard type.
#[derive(Debug, Clone)]
pub struct StateMachine {
    /// Its name.
    pub name: Val<String>,
    /// What it does.
    pub flow: Flow,
    /// The ARN of the role it runs as; it needs the flow's [`grants`](Flow::grants).
    pub role: Val<Arn>,
}

impl Resource for StateMachine {
    fn resource_type(&self) -> &str {
        "AWS::StepFunctions::StateMachine"
    }

    fn properties(&self) -> Properties {
        Properties::new()
            .set("StateMachineName", &self.name)
            .set_node("StateMachineType", Node::text("STANDARD"))
            .set("RoleArn", &self.role)
            .set_node("DefinitionString", print::embedded(&self.flow.definition()))
    }

    fn problems(&self) -> Vec<String> {
        self.flow.problems().into_iter().map(|problem| problem.to_string()).collect()
    }
}

impl Handle<StateMachine> {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> Val<Arn> {
        self.reference()
    }
}
