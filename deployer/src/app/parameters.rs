//! What may be chosen at deployment: the template's parameters, named as in aws-lambda-power-tuning so that its users
//! can keep theirs, and the conditions that follow from them.

use constructs::{Condition, Parameter, Predicate, Stack, Val};

/// The memory sizes for inputs that name none, in MB.
pub const POWER_VALUES: &str = "PowerValues";
/// The page that chart links lead to.
pub const VISUALIZATION_URL: &str = "visualizationURL";
/// Whether the stack hosts that page itself.
pub const HOST_VISUALIZATION: &str = "hostVisualization";
/// The functions that may be tuned.
pub const LAMBDA_RESOURCE: &str = "lambdaResource";
/// The functions that may be pre- and post-processors.
pub const PROCESSOR_RESOURCE: &str = "processorResource";
/// The aliases that an input may have moved to the chosen size.
pub const OPTIMIZABLE_ALIASES: &str = "optimizableAliases";
/// The KMS keys of functions that may be tuned.
pub const KMS_KEY_ARNS: &str = "kmsKeyArns";
/// The longest pass of Publisher and Executor, in seconds.
pub const TOTAL_EXECUTION_TIMEOUT: &str = "totalExecutionTimeout";
/// The permissions boundary of every role.
pub const PERMISSIONS_BOUNDARY: &str = "permissionsBoundary";
/// The bucket of large payloads.
pub const PAYLOAD_S3_BUCKET: &str = "payloadS3Bucket";
/// The keys of large payloads.
pub const PAYLOAD_S3_KEY: &str = "payloadS3Key";
/// Days until the functions' logs are deleted.
pub const LOG_GROUP_RETENTION_IN_DAYS: &str = "logGroupRetentionInDays";
/// Security groups for functions in a VPC.
pub const SECURITY_GROUP_IDS: &str = "securityGroupIds";
/// Subnets for functions in a VPC.
pub const SUBNET_IDS: &str = "subnetIds";
/// The beginning of the state machine's name.
pub const STATE_MACHINE_NAME_PREFIX: &str = "stateMachineNamePrefix";

/// The retention times that CloudWatch Logs knows, in days.
const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// The parameters' values, for the rest of the stack.
pub(super) struct Choices {
    pub(super) power_values: Val<Vec<u32>>,
    pub(super) visualization_url: Val<String>,
    pub(super) lambda_resource: Val<String>,
    pub(super) processor_resource: Val<String>,
    pub(super) optimizable_aliases: Val<Vec<String>>,
    pub(super) kms_key_arns: Val<Vec<String>>,
    pub(super) total_execution_timeout: Val<u32>,
    pub(super) permissions_boundary: Val<String>,
    pub(super) payload_s3_bucket: Val<String>,
    pub(super) payload_s3_key: Val<String>,
    pub(super) log_group_retention_in_days: Val<u32>,
    pub(super) security_group_ids: Val<Vec<String>>,
    pub(super) subnet_ids: Val<Vec<String>>,
    pub(super) state_machine_name_prefix: Val<String>,
    /// The stack hosts the chart page.
    pub(super) host_visualization: Condition,
    /// `lambdaResource` is `*`.
    pub(super) any_function: Condition,
    /// Processors are named apart.
    pub(super) has_processors: Condition,
    /// KMS keys are given.
    pub(super) has_keys: Condition,
    /// A permissions boundary is given.
    pub(super) has_boundary: Condition,
    /// A bucket for payloads is given.
    pub(super) has_payload_bucket: Condition,
    /// Security groups or subnets are given. Lambda says so itself when one of the two is missing.
    pub(super) in_vpc: Condition,
}

/// Declares parameters and conditions.
pub(super) fn declare(stack: &mut Stack) -> Choices {
    let power_values = stack.parameter(
        POWER_VALUES,
        &Parameter::<Vec<u32>>::new(
            "Memory sizes in MB to try when the execution input names none (comma-separated)",
        )
        .default([128, 256, 512, 1024, 1536, 3008]),
    );
    let visualization_url = stack.parameter(
        VISUALIZATION_URL,
        &Parameter::<String>::new(
            "The page that chart links lead to; the data is in the link's hash, which browsers never send",
        )
        .default("https://lambda-power-tuning.show/"),
    );
    let host = stack.parameter(
        HOST_VISUALIZATION,
        &Parameter::<String>::new(
            "Whether the stack hosts that page itself, in a private bucket behind CloudFront: links lead there then, whatever visualizationURL says. The bucket is filled by `deployer up`, or by hand",
        )
        .default("false")
        .allowed_values(["true".to_owned(), "false".to_owned()]),
    );
    let lambda_resource = stack.parameter(
        LAMBDA_RESOURCE,
        &Parameter::<String>::new("The functions that may be tuned, and pre- and post-processors: a function's ARN without version or alias, a pattern such as arn:aws:lambda:eu-west-1:123456789012:function:shop-*, or * for all of this account")
            .default("*")
            // A pattern of fewer parts could reach beyond versions: the right to delete them is for "<this>:*".
            .allowed_pattern(r"^(\*|arn:[a-z*-]+:lambda:[a-z0-9*-]+:[0-9*]+:function:[A-Za-z0-9_*?-]+)$")
            .constraint_description("must be * or the ARN of a function, wildcards allowed, without version or alias: its versions and aliases are covered"),
    );
    let processor_resource = stack.parameter(
        PROCESSOR_RESOURCE,
        &Parameter::<String>::new("Further functions that may be pre- and post-processors, as for lambdaResource, whose functions may be so anyway (optional)")
            .default("")
            .allowed_pattern(r"^(|arn:[a-z*-]+:lambda:[a-z0-9*-]+:[0-9*]+:function:[A-Za-z0-9_*?-]+)$")
            .constraint_description("must be empty or the ARN of a function, wildcards allowed, without version or alias: its versions and aliases are covered"),
    );
    let optimizable_aliases = stack.parameter(
        OPTIMIZABLE_ALIASES,
        &Parameter::<Vec<String>>::new(
            "Aliases that autoOptimizeAlias may name (comma-separated, wildcards allowed); an execution moves them to another version",
        )
        .default(["*".to_owned()]),
    );
    let kms_key_arns = stack.parameter(
        KMS_KEY_ARNS,
        &Parameter::<Vec<String>>::new("Customer managed KMS keys of the functions to tune (comma-separated ARNs); used through Lambda only (optional)")
            .default([]),
    );
    let total_execution_timeout = stack.parameter(
        TOTAL_EXECUTION_TIMEOUT,
        &Parameter::<u32>::new("Seconds that one pass of Publisher and Executor may take, longer than the tuned function's time-out; whatever is left is done in another pass")
            .default(300u32)
            .range(10, 900),
    );
    let permissions_boundary = stack.parameter(
        PERMISSIONS_BOUNDARY,
        &Parameter::<String>::new("ARN of a policy that limits every role of this stack (optional)")
            .default(""),
    );
    let payload_s3_bucket = stack.parameter(
        PAYLOAD_S3_BUCKET,
        &Parameter::<String>::new(
            "Bucket that payloads may be read from, for inputs with payloadS3 (optional)",
        )
        .default(""),
    );
    let payload_s3_key = stack.parameter(
        PAYLOAD_S3_KEY,
        &Parameter::<String>::new(
            "Key, or pattern of keys, that payloads may be read from; without a bucket it has no effect",
        )
        .default("*"),
    );
    let log_group_retention_in_days = stack.parameter(
        LOG_GROUP_RETENTION_IN_DAYS,
        &Parameter::<u32>::new("Days until the functions' logs are deleted")
            .default(7u32)
            .allowed_values(RETENTION_DAYS)
            .constraint_description("must be a retention time that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 or more days"),
    );
    let security_group_ids = stack.parameter(
        SECURITY_GROUP_IDS,
        &Parameter::<Vec<String>>::new(
            "Security groups of the stack's functions in a VPC, together with subnetIds (optional)",
        )
        .default([]),
    );
    let subnet_ids = stack.parameter(
        SUBNET_IDS,
        &Parameter::<Vec<String>>::new("Subnets of the stack's functions in a VPC, with a way to AWS's APIs, together with securityGroupIds (optional)")
            .default([]),
    );
    let state_machine_name_prefix = stack.parameter(
        STATE_MACHINE_NAME_PREFIX,
        &Parameter::<String>::new(
            "The beginning of the state machine's name; a part of the stack's id follows",
        )
        .default("powerTuningStateMachine")
        .max_length(43)
        .allowed_pattern("^[A-Za-z0-9_-]*$")
        .constraint_description("must be at most 43 of A-Z, a-z, 0-9, _ and -"),
    );

    let host_visualization = stack.condition("HostVisualization", Predicate::equals(&host, "true"));
    let any_function = stack.condition("AnyFunction", Predicate::equals(&lambda_resource, "*"));
    let has_processors = stack.condition("UseProcessors", Predicate::is_given(&processor_resource));
    let has_keys = stack.condition("UseKmsKeys", Predicate::any_given(&kms_key_arns));
    let has_boundary = stack.condition("UsePermissionsBoundary", Predicate::is_given(&permissions_boundary));
    let has_payload_bucket = stack.condition("S3BucketProvided", Predicate::is_given(&payload_s3_bucket));
    let vpc = Predicate::any_given(&security_group_ids).or(Predicate::any_given(&subnet_ids));
    let in_vpc = stack.condition("UseVPCConfig", vpc);

    Choices {
        power_values,
        visualization_url,
        lambda_resource,
        processor_resource,
        optimizable_aliases,
        kms_key_arns,
        total_execution_timeout,
        permissions_boundary,
        payload_s3_bucket,
        payload_s3_key,
        log_group_retention_in_days,
        security_group_ids,
        subnet_ids,
        state_machine_name_prefix,
        host_visualization,
        any_function,
        has_processors,
        has_keys,
        has_boundary,
        has_payload_bucket,
        in_vpc,
    }
}
