//! Step Functions: a state machine, which runs a checked [`Flow`].

use crate::flow::Flow;
use crate::grant::Grant;
use crate::node::Node;
use crate::resource::{Handle, Properties, Resource};
use crate::value::{Arn, Val};
use crate::{print, pseudo, text};

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

    /// The ARNs of its executions.
    #[must_use]
    pub fn executions(&self) -> Val<Arn> {
        executions_of(&self.attribute("Name"))
    }

    /// Leave to start executions of it, to wait for their end and to stop them. Step Functions waits by a rule of EventBridge that it makes in
    /// the account.
    ///
    /// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html>.
    #[must_use]
    pub fn grant_run(&self) -> [Grant; 3] {
        let rule: Val<Arn> = text![
            "arn:",
            pseudo::partition(),
            ":events:",
            pseudo::region(),
            ":",
            pseudo::account_id(),
            ":rule/StepFunctionsGetEventsForStepFunctionsExecutionRule",
        ];
        [
            Grant::new(["states:StartExecution"], [self.arn()]),
            Grant::new(["states:DescribeExecution", "states:StopExecution"], [self.executions()]),
            Grant::new(["events:PutTargets", "events:PutRule", "events:DescribeRule"], [rule]),
        ]
    }
}

impl StateMachine {
    /// Leave for a machine of this name to start executions of itself, which a distributed Map does.
    ///
    /// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html>.
    #[must_use]
    pub fn grant_own_executions(name: &Val<String>) -> [Grant; 2] {
        let machine: Val<Arn> = text![
            "arn:",
            pseudo::partition(),
            ":states:",
            pseudo::region(),
            ":",
            pseudo::account_id(),
            ":stateMachine:",
            name,
        ];
        [
            Grant::new(["states:StartExecution"], [machine]),
            Grant::new(["states:DescribeExecution", "states:StopExecution"], [executions_of(name)]),
        ]
    }
}

/// The ARNs of the executions of a machine in this account and region: for what the machine itself depends on, and so cannot refer to it.
#[must_use]
pub fn executions_of(machine: &Val<String>) -> Val<Arn> {
    text![
        "arn:",
        pseudo::partition(),
        ":states:",
        pseudo::region(),
        ":",
        pseudo::account_id(),
        ":execution:",
        machine,
        ":*",
    ]
}
