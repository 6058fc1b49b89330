//! What may be chosen at deployment: the template's parameters, named as in aws-lambda-power-tuning so that its users
//! can keep theirs, and the conditions that follow from them.

use constructs::{Condition, Parameter, ParameterType, Predicate, Stack, Val};

use crate::options::{self, Opt, Rule, Spec};

/// The parameters' values, for the rest of the stack.
pub(super) struct Choices {
    pub(super) power_values: Val<Vec<String>>,
    pub(super) visualization_url: Val<String>,
    pub(super) lambda_resource: Val<String>,
    pub(super) processor_resource: Val<String>,
    pub(super) optimizable_aliases: Val<Vec<String>>,
    pub(super) kms_key_arns: Val<Vec<String>>,
    pub(super) assumable_roles: Val<Vec<String>>,
    pub(super) total_execution_timeout: Val<u32>,
    pub(super) permissions_boundary: Val<String>,
    pub(super) payload_s3_bucket: Val<String>,
    pub(super) payload_s3_key: Val<String>,
    pub(super) log_group_retention_in_days: Val<u32>,
    pub(super) security_group_ids: Val<Vec<String>>,
    pub(super) subnet_ids: Val<Vec<String>>,
    pub(super) state_machine_name_prefix: Val<String>,
    pub(super) copies: Val<String>,
    pub(super) copy_role: Val<String>,
    pub(super) copyable_roles: Val<Vec<String>>,
    pub(super) code_bucket: Val<String>,
    /// The stack hosts the chart page.
    pub(super) host_visualization: Condition,
    /// Many functions can be tuned in one execution.
    pub(super) fleets: Condition,
    /// `lambdaResource` is `*`.
    pub(super) any_function: Condition,
    /// Processors are named apart.
    pub(super) has_processors: Condition,
    /// KMS keys are given.
    pub(super) has_keys: Condition,
    /// The same, and functions themselves may be measured.
    pub(super) has_keys_in_place: Condition,
    /// Roles of other accounts are given.
    pub(super) has_assumable_roles: Condition,
    /// Copies of functions are made.
    pub(super) makes_copies: Condition,
    /// Functions themselves may be measured.
    pub(super) in_place: Condition,
    /// Copies are made, and a role is given that they may have.
    pub(super) has_copy_role: Condition,
    /// Copies are made, and functions' own roles are given that they may have.
    pub(super) has_copyable_roles: Condition,
    /// Copies are made, and a bucket is given that their code may come from.
    pub(super) has_code_bucket: Condition,
    /// A permissions boundary is given.
    pub(super) has_boundary: Condition,
    /// A bucket for payloads is given.
    pub(super) has_payload_bucket: Condition,
    /// Security groups or subnets are given. Lambda says so itself when one of the two is missing.
    pub(super) in_vpc: Condition,
}

/// Declares parameters and conditions.
pub(super) fn declare(stack: &mut Stack) -> Choices {
    let power_values = declared(stack, &options::POWER_VALUES.spec, texts);
    let visualization_url = text(stack, &options::VISUALIZATION_URL);
    let host = switch(stack, &options::HOST_VISUALIZATION);
    let lambda_resource = text(stack, &options::LAMBDA_RESOURCE);
    let processor_resource = text(stack, &options::PROCESSOR_RESOURCE);
    let optimizable_aliases = declared(stack, &options::OPTIMIZABLE_ALIASES.spec, texts);
    let kms_key_arns = declared(stack, &options::KMS_KEY_ARNS.spec, texts);
    let assumable_roles = declared(stack, &options::ASSUMABLE_ROLES.spec, texts);
    let total_execution_timeout = number(stack, &options::TOTAL_EXECUTION_TIMEOUT);
    let permissions_boundary = declared(stack, &options::PERMISSIONS_BOUNDARY.spec, str::to_owned);
    let payload_s3_bucket = declared(stack, &options::PAYLOAD_S3_BUCKET.spec, str::to_owned);
    let payload_s3_key = declared(stack, &options::PAYLOAD_S3_KEY.spec, str::to_owned);
    let log_group_retention_in_days = number(stack, &options::LOG_RETENTION_DAYS);
    let security_group_ids = declared(stack, &options::SECURITY_GROUP_IDS.spec, texts);
    let subnet_ids = declared(stack, &options::SUBNET_IDS.spec, texts);
    let state_machine_name_prefix = text(stack, &options::STATE_MACHINE_NAME_PREFIX);
    let words = match options::COPIES.spec.rule {
        Rule::Word(words) => words,
        _ => &[],
    };
    let copies = stack.parameter(
        parameter(&options::COPIES.spec).name,
        &described(&options::COPIES.spec, str::to_owned)
            .allowed_values(words.iter().map(|word| (*word).to_owned())),
    );
    let copy_role = declared(stack, &options::COPY_ROLE.spec, str::to_owned);
    let copyable_roles = declared(stack, &options::COPYABLE_ROLES.spec, texts);
    let code_bucket = declared(stack, &options::CODE_BUCKET.spec, str::to_owned);
    let has_fleets = switch(stack, &options::FLEETS);

    let fleets = stack.condition("TuneFleets", Predicate::equals(&has_fleets, "true"));
    let host_visualization = stack.condition("HostVisualization", Predicate::equals(&host, "true"));
    let any_function = stack.condition("AnyFunction", Predicate::equals(&lambda_resource, "*"));
    let has_processors = stack.condition("UseProcessors", Predicate::is_given(&processor_resource));
    let has_keys = stack.condition("UseKmsKeys", Predicate::any_given(&kms_key_arns));
    let makes = || Predicate::equals(&copies, "no").negated();
    let itself = || Predicate::equals(&copies, "only").negated();
    let has_keys_in_place =
        stack.condition("UseKmsKeysInPlace", Predicate::any_given(&kms_key_arns).and(itself()));
    let has_assumable_roles = stack.condition("UseAssumableRoles", Predicate::any_given(&assumable_roles));
    let makes_copies = stack.condition("MakeCopies", makes());
    let in_place = stack.condition("TuneInPlace", itself());
    let has_copy_role = stack.condition("UseCopyRole", makes().and(Predicate::is_given(&copy_role)));
    let has_copyable_roles =
        stack.condition("UseCopyableRoles", makes().and(Predicate::any_given(&copyable_roles)));
    stack.rule(
        "CopiesHaveARole",
        makes(),
        Predicate::is_given(&copy_role).or(Predicate::each_in(&copyable_roles, [""]).negated()),
        "copies need a role that they run under: give copyableRoles (functions' own roles) or copyRole",
    );
    let has_code_bucket = stack.condition("UseCodeBucket", makes().and(Predicate::is_given(&code_bucket)));
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
        assumable_roles,
        total_execution_timeout,
        permissions_boundary,
        payload_s3_bucket,
        payload_s3_key,
        log_group_retention_in_days,
        security_group_ids,
        subnet_ids,
        state_machine_name_prefix,
        copies,
        copy_role,
        copyable_roles,
        code_bucket,
        host_visualization,
        fleets,
        any_function,
        has_processors,
        has_keys,
        has_keys_in_place,
        has_assumable_roles,
        makes_copies,
        in_place,
        has_copy_role,
        has_copyable_roles,
        has_code_bucket,
        has_boundary,
        has_payload_bucket,
        in_vpc,
    }
}

/// The parameter that an option of the table sets.
fn parameter(spec: &Spec) -> options::Parameter {
    // Only options with a parameter come here; a test of the template names them all.
    spec.parameter.unwrap_or(options::Parameter { name: spec.name, default: "", about: spec.help })
}

fn described<T: ParameterType>(spec: &Spec, default: fn(&str) -> T) -> Parameter<T> {
    let parameter = parameter(spec);
    Parameter::new(parameter.about).default(default(parameter.default))
}

pub(super) fn declared<T: ParameterType>(stack: &mut Stack, spec: &Spec, default: fn(&str) -> T) -> Val<T> {
    stack.parameter(parameter(spec).name, &described(spec, default))
}

fn switch(stack: &mut Stack, option: &Opt<bool>) -> Val<String> {
    let values = ["true".to_owned(), "false".to_owned()];
    let described = described(&option.spec, str::to_owned).allowed_values(values);
    stack.parameter(parameter(&option.spec).name, &described)
}

/// A text with its pattern, which CloudFormation enforces as this program does.
pub(super) fn text(stack: &mut Stack, option: &Opt<String>) -> Val<String> {
    let described = described(&option.spec, str::to_owned);
    let described = match option.spec.rule {
        Rule::Pattern(pattern, says) => {
            described.allowed_pattern(pattern).constraint_description(format!("must be {says}"))
        }
        _ => described,
    };
    stack.parameter(parameter(&option.spec).name, &described)
}

fn number(stack: &mut Stack, option: &Opt<u32>) -> Val<u32> {
    let described = described(&option.spec, |text| text.parse().unwrap_or_default());
    let described = match option.spec.rule {
        Rule::Whole(least, most) => described.range(least, most),
        Rule::OneOf(numbers) => described
            .allowed_values(numbers.iter().copied())
            .constraint_description(format!("must be {}", option.spec.rule.says())),
        _ => described,
    };
    stack.parameter(parameter(&option.spec).name, &described)
}

pub(super) fn texts(text: &str) -> Vec<String> {
    text.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect()
}
