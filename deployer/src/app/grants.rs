//! What each handler may do: exactly the calls it makes, on the functions of `lambdaResource` and nothing else.
//!
//! Lambda checks most calls against the function's ARN and some against the version's or alias's, so a grant covers
//! both. `lambda:DeleteFunction` is different: on the plain ARN it deletes the function, hence only ever on
//! qualified ones.

use constructs::{Arn, Grant, Val, pseudo, text};

use super::parameters::Choices;

/// The functions that `lambdaResource` names.
struct Tuned {
    plain: Val<Arn>,
    qualified: Val<Arn>,
}

impl Tuned {
    fn new(choices: &Choices) -> Self {
        let all: Val<Arn> = text!["arn:", pseudo::partition(), ":lambda:*:*:function:*"];
        let given: Val<Arn> = text![&choices.lambda_resource];
        let or = |all: &Val<Arn>, given: &Val<Arn>| Val::if_else(&choices.any_function, all, given);
        Tuned { plain: or(&all, &given), qualified: or(&text![&all, ":*"], &text![&given, ":*"]) }
    }

    fn allow<const N: usize>(&self, actions: [&str; N]) -> Grant {
        let actions = actions.map(|action| format!("lambda:{action}"));
        Grant::new(actions, [self.plain.clone(), self.qualified.clone()])
    }

    fn allow_deleting_versions(&self) -> Grant {
        Grant::new(["lambda:DeleteFunction"], [self.qualified.clone()])
    }
}

/// Leave to ask what became of an execution of the machine of this name. The ARN is put together by hand: the machine
/// itself depends on the functions and so on their roles.
fn describe_executions(machine_name: &Val<String>) -> Grant {
    let executions = text![
        "arn:",
        pseudo::partition(),
        ":states:",
        pseudo::region(),
        ":",
        pseudo::account_id(),
        ":execution:",
        machine_name,
        ":*",
    ];
    Grant::new(["states:DescribeExecution"], [executions])
}

pub(super) fn initializer(choices: &Choices, machine_name: &Val<String>) -> Vec<Grant> {
    let tuned = Tuned::new(choices);
    vec![
        tuned.allow([
            "CreateAlias",
            "DeleteAlias",
            "GetFunctionConfiguration",
            "ListAliases",
            "ListVersionsByFunction",
            "PublishVersion",
            "UpdateAlias",
            "UpdateFunctionConfiguration",
        ]),
        tuned.allow_deleting_versions(),
        describe_executions(machine_name),
    ]
}

pub(super) fn publisher(choices: &Choices) -> Vec<Grant> {
    vec![Tuned::new(choices).allow([
        "CreateAlias",
        "GetAlias",
        "GetFunctionConfiguration",
        "PublishVersion",
        "UpdateAlias",
        "UpdateFunctionConfiguration",
    ])]
}

/// The Executor also invokes pre- and post-processors, so `lambdaResource` has to cover them.
pub(super) fn executor(choices: &Choices) -> Vec<Grant> {
    let payloads = text![
        "arn:",
        pseudo::partition(),
        ":s3:::",
        &choices.payload_s3_bucket,
        "/",
        &choices.payload_s3_key
    ];
    vec![
        Tuned::new(choices).allow(["InvokeFunction"]),
        Grant::new(["s3:GetObject"], [payloads]).only_if(&choices.has_payload_bucket),
    ]
}

pub(super) fn cleaner(choices: &Choices, machine_name: &Val<String>) -> Vec<Grant> {
    let tuned = Tuned::new(choices);
    vec![
        tuned.allow([
            "DeleteAlias",
            "GetFunctionConfiguration",
            "ListAliases",
            "ListVersionsByFunction",
            "UpdateAlias",
            "UpdateFunctionConfiguration",
        ]),
        tuned.allow_deleting_versions(),
        describe_executions(machine_name),
    ]
}

pub(super) fn optimizer(choices: &Choices) -> Vec<Grant> {
    vec![Tuned::new(choices).allow([
        "CreateAlias",
        "DeleteAlias",
        "GetFunctionConfiguration",
        "ListAliases",
        "PublishVersion",
        "UpdateAlias",
        "UpdateFunctionConfiguration",
    ])]
}

/// What Lambda itself needs, with a function's role, to attach the function to a VPC. EC2 knows no resources for
/// the `Describe` calls, and Lambda wants the others for all of the account's network resources.
pub(super) fn network(choices: &Choices) -> Vec<Grant> {
    let interfaces =
        text!["arn:", pseudo::partition(), ":ec2:", pseudo::region(), ":", pseudo::account_id(), ":*/*"];
    let change = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
    ];
    vec![
        Grant::new(change, [interfaces]).only_if(&choices.in_vpc),
        Grant::on_everything(["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"])
            .only_if(&choices.in_vpc),
    ]
}
