//! What each handler may do: exactly the calls it makes, on the functions of `lambdaResource` and nothing else.
//!
//! Lambda checks most calls against the function's ARN and some against the version's or alias's, so a grant covers
//! both. `lambda:DeleteFunction` is different: on the plain ARN it deletes the function, hence only ever on
//! qualified ones, and on the names of copies. With `copies` `only` nothing is left that could change a function of the user's.

use constructs::states::executions_of;
use constructs::{Arn, Condition, Grant, Val, pseudo, text};
use tuning::copies::PREFIX;

use super::copies::Copies;
use super::parameters::Choices;

/// The functions that `lambdaResource` names; `*` is those of this account.
struct Tuned {
    with_qualifiers: Val<Vec<String>>,
    qualified: Val<Arn>,
}

impl Tuned {
    fn new(choices: &Choices) -> Self {
        Self::named(&choices.lambda_resource, &choices.any_function)
    }

    fn named(given: &Val<String>, any_function: &Condition) -> Self {
        let all = || -> Val<String> {
            text!["arn:", pseudo::partition(), ":lambda:*:", pseudo::account_id(), ":function:*"]
        };
        let (all, all_qualified): (Val<String>, Val<Arn>) = (all(), text![all(), ":*"]);
        let given_qualified: Val<String> = text![given, ":*"];
        // A `*` at the end reaches over the colon before a qualifier.
        let with_qualifiers = Val::if_else(
            any_function,
            Val::from(vec![all]),
            Val::from(vec![given.clone(), given_qualified.clone()]),
        );
        let given_qualified: Val<Arn> = text![given_qualified];
        let qualified = Val::if_else(any_function, all_qualified, given_qualified);
        Tuned { with_qualifiers, qualified }
    }

    fn allow<const N: usize>(&self, actions: [&str; N]) -> Grant {
        let actions = actions.map(|action| format!("lambda:{action}"));
        Grant::on_list(actions, &self.with_qualifiers)
    }

    fn allow_deleting_versions(&self) -> Grant {
        Grant::new(["lambda:DeleteFunction"], [self.qualified.clone()])
    }
}

/// Leave to read and update functions whose settings a customer managed key encrypts. Only through Lambda: the handlers
/// themselves never call KMS.
fn keys(choices: &Choices) -> Grant {
    all_keys(choices).only_if(&choices.has_keys)
}

/// The same for who has to do with functions only that are measured themselves.
fn keys_in_place(choices: &Choices) -> Grant {
    all_keys(choices).only_if(&choices.has_keys_in_place)
}

fn all_keys(choices: &Choices) -> Grant {
    keys_named(&choices.kms_key_arns)
}

fn keys_named(kms_key_arns: &Val<Vec<String>>) -> Grant {
    Grant::on_list(["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"], kms_key_arns).requires(
        "StringLike",
        "kms:ViaService",
        "lambda.*",
    )
}

/// The copies that runs make, with their versions. Nothing else begins like that: the names are the stack's own.
fn copies() -> Val<Arn> {
    text![
        "arn:",
        pseudo::partition(),
        ":lambda:",
        pseudo::region(),
        ":",
        pseudo::account_id(),
        ":function:",
        PREFIX,
        "*",
    ]
}

fn on_copies<const N: usize>(choices: &Choices, actions: [&str; N]) -> Grant {
    let actions = actions.map(|action| format!("lambda:{action}"));
    Grant::new(actions, [copies()]).only_if(&choices.makes_copies)
}

/// Leave to give copies a role, and nothing but Lambda's functions.
fn pass_roles(choices: &Choices) -> [Grant; 2] {
    let to_lambda =
        |grant: Grant| grant.requires("StringEquals", "iam:PassedToService", "lambda.amazonaws.com");
    let role: Val<Arn> = text![&choices.copy_role];
    [
        to_lambda(Grant::new(["iam:PassRole"], [role])).only_if(&choices.has_copy_role),
        to_lambda(Grant::on_list(["iam:PassRole"], &choices.copyable_roles))
            .only_if(&choices.has_copyable_roles),
    ]
}

/// Leave to read layers, which may be anybody's.
fn layers() -> Grant {
    let layers: Val<Arn> = text!["arn:", pseudo::partition(), ":lambda:*:*:layer:*:*"];
    Grant::new(["lambda:GetLayerVersion"], [layers])
}

/// What Lambda asks of whoever creates a function with layers, in a VPC or with a file system. EC2 knows no narrower resources for
/// these calls.
fn attach(choices: &Choices) -> [Grant; 3] {
    // A function names an access point, by which Lambda looks at the file system.
    let files: Val<Arn> =
        text!["arn:", pseudo::partition(), ":elasticfilesystem:*:", pseudo::account_id(), ":*"];
    let looks = ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"];
    [layers(), Grant::new(["elasticfilesystem:DescribeMountTargets"], [files]), Grant::on_everything(looks)]
        .map(|grant| grant.only_if(&choices.makes_copies))
}

/// Leave to ask what became of an execution of the machine of this name.
fn describe_executions(machine_name: &Val<String>) -> Grant {
    Grant::new(["states:DescribeExecution"], [executions_of(machine_name)])
}

/// Leave to take on roles of other accounts, in which what is tuned is then done.
fn assume(choices: &Choices) -> Grant {
    Grant::on_list(["sts:AssumeRole"], &choices.assumable_roles).only_if(&choices.has_assumable_roles)
}

/// What all handlers together do to a function that they measure itself: for a role in that function's account.
pub(super) fn elsewhere(
    lambda_resource: &Val<String>,
    any_function: &Condition,
    kms_key_arns: &Val<Vec<String>>,
    has_keys: &Condition,
) -> Vec<Grant> {
    let tuned = Tuned::named(lambda_resource, any_function);
    let actions = [
        "CreateAlias",
        "DeleteAlias",
        "GetAlias",
        "GetFunction",
        "GetRuntimeManagementConfig",
        "InvokeFunction",
        "ListAliases",
        "ListVersionsByFunction",
        "PublishVersion",
        "UpdateAlias",
        "UpdateFunctionConfiguration",
    ];
    vec![tuned.allow(actions), tuned.allow_deleting_versions(), keys_named(kms_key_arns).only_if(has_keys)]
}

pub(super) fn initializer(choices: &Choices, machine_name: &Val<String>) -> Vec<Grant> {
    let tuned = Tuned::new(choices);
    vec![
        tuned.allow(["GetFunction"]),
        tuned
            .allow([
                "CreateAlias",
                "DeleteAlias",
                "ListAliases",
                "ListVersionsByFunction",
                "PublishVersion",
                "UpdateAlias",
                "UpdateFunctionConfiguration",
            ])
            .only_if(&choices.in_place),
        tuned.allow_deleting_versions().only_if(&choices.in_place),
        // Lambda knows no narrower resource for this call.
        Grant::on_everything(["lambda:GetAccountSettings"]).only_if(&choices.makes_copies),
        keys(choices),
        assume(choices),
        layers().only_if(&choices.makes_copies),
        describe_executions(machine_name).only_if(&choices.in_place),
    ]
}

pub(super) fn publisher(choices: &Choices, stack: &Copies, machine_name: &Val<String>) -> Vec<Grant> {
    let tuned = Tuned::new(choices);
    let code = text!["arn:", pseudo::partition(), ":s3:::", &choices.code_bucket, "/*"];
    let actions = ["CreateAlias", "GetAlias", "PublishVersion", "UpdateAlias", "UpdateFunctionConfiguration"];
    let mut grants = vec![
        tuned.allow(["GetFunction"]),
        tuned.allow(actions).only_if(&choices.in_place),
        keys(choices),
        assume(choices),
        tuned.allow(["GetRuntimeManagementConfig"]).only_if(&choices.makes_copies),
        on_copies(
            choices,
            ["CreateFunction", "GetFunction", "PublishVersion", "PutRuntimeManagementConfig", "TagResource"],
        ),
        stack.objects(choices, ["s3:GetObject", "s3:PutObject"]),
        describe_executions(machine_name).only_if(&choices.makes_copies),
        Grant::new(["s3:GetObject"], [code]).only_if(&choices.has_code_bucket),
    ];
    grants.extend(pass_roles(choices));
    grants.extend(attach(choices));
    grants
}

/// The Executor also invokes pre- and post-processors: functions of `lambdaResource` or `processorResource`.
pub(super) fn executor(choices: &Choices) -> Vec<Grant> {
    // Payloads may be encrypted with such a key as well.
    let decrypt = Grant::on_list(["kms:Decrypt"], &choices.kms_key_arns)
        .requires("StringLike", "kms:ViaService", "s3.*")
        .only_if(&choices.has_keys);
    let payloads = text![
        "arn:",
        pseudo::partition(),
        ":s3:::",
        &choices.payload_s3_bucket,
        "/",
        &choices.payload_s3_key
    ];
    let processors: Val<Arn> = text![&choices.processor_resource];
    let of_processors = text![&choices.processor_resource, ":*"];
    vec![
        Tuned::new(choices).allow(["InvokeFunction"]),
        assume(choices),
        on_copies(choices, ["InvokeFunction"]),
        Grant::new(["lambda:InvokeFunction"], [processors, of_processors]).only_if(&choices.has_processors),
        decrypt,
        Grant::new(["s3:GetObject"], [payloads]).only_if(&choices.has_payload_bucket),
    ]
}

pub(super) fn cleaner(choices: &Choices, stack: &Copies, machine_name: &Val<String>) -> Vec<Grant> {
    let tuned = Tuned::new(choices);
    vec![
        tuned
            .allow([
                "DeleteAlias",
                "GetFunction",
                "ListAliases",
                "ListVersionsByFunction",
                "UpdateAlias",
                "UpdateFunctionConfiguration",
            ])
            .only_if(&choices.in_place),
        tuned.allow_deleting_versions().only_if(&choices.in_place),
        keys_in_place(choices),
        assume(choices),
        describe_executions(machine_name),
        on_copies(choices, ["DeleteFunction"]),
        stack.objects(choices, ["s3:DeleteObject"]),
    ]
}

pub(super) fn optimizer(choices: &Choices) -> Vec<Grant> {
    let tuned = Tuned::new(choices);
    let actions = [
        "CreateAlias",
        "DeleteAlias",
        "GetFunction",
        "ListAliases",
        "PublishVersion",
        "UpdateAlias",
        "UpdateFunctionConfiguration",
    ];
    vec![tuned.allow(actions).only_if(&choices.in_place), keys_in_place(choices), assume(choices)]
}

/// What Lambda itself needs, with a function's role, to attach the function to a VPC. Not limited to this account's network
/// resources: a subnet may be shared by another account, and EC2 knows no resources for the `Describe` calls.
pub(super) fn network(choices: &Choices) -> Grant {
    Grant::on_everything([
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ])
    .only_if(&choices.in_vpc)
}
