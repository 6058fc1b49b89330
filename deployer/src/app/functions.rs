//! The six Lambda functions: one zip, one `bootstrap`, told apart by their handler; each with a role and a log of its own.

use constructs::iam::Role;
use constructs::lambda::{Function, Vpc};
use constructs::logs::LogGroup;
use constructs::{Grant, Handle, Principal, Val, pseudo, text};

use super::copies::{self, Copies};
use super::parameters::Choices;
use super::{CLEANER, Stack, grants};

/// The tag that says a function measures and is not measured: the local endpoint gives it a whole processor, so that the
/// apparatus does not get in its own way. On AWS it says what the function is for.
const APPARATUS: (&str, &str) = ("deployer:apparatus", "true");

/// The functions, for the state machine to use.
pub(super) struct Functions {
    pub(super) initializer: Handle<Function>,
    pub(super) publisher: Handle<Function>,
    pub(super) executor: Handle<Function>,
    pub(super) cleaner: Handle<Function>,
    pub(super) analyzer: Handle<Function>,
    pub(super) optimizer: Handle<Function>,
}

/// One function, as far as it differs from the others.
struct Handler {
    /// Logical id and `_HANDLER`.
    name: &'static str,
    description: &'static str,
    /// In seconds.
    timeout: Val<u32>,
    /// In MB.
    memory_size: Val<u32>,
    environment: Vec<(&'static str, Val<String>)>,
    grants: Vec<Grant>,
}

impl Handler {
    fn new(name: &'static str, description: &'static str, timeout: impl Into<Val<u32>>) -> Self {
        Handler {
            name,
            description,
            timeout: timeout.into(),
            // They wait for answers most of the time and stay below 10 MB.
            memory_size: 128.into(),
            environment: Vec::new(),
            grants: Vec::new(),
        }
    }
}

/// Adds the functions with their roles and log groups; `page` is where chart links lead.
pub(super) fn add(
    stack: &mut constructs::Stack,
    settings: &Stack,
    choices: &Choices,
    copies: &Copies,
    machine_name: &Val<String>,
    page: &Val<String>,
) -> Functions {
    let mut add = |handler: Handler| add_function(stack, settings, choices, handler);
    Functions {
        initializer: add(Handler {
            environment: [
                ("defaultPowerValues", choices.power_values.join(",")),
                ("optimizableAliases", choices.optimizable_aliases.join(",")),
            ]
            .into_iter()
            .chain(Copies::rules(choices))
            .collect(),
            grants: grants::initializer(choices, machine_name),
            ..Handler::new(
                "initializer",
                "checks the input, locks the function and keeps what is needed to undo",
                300,
            )
        }),
        publisher: add(Handler {
            environment: copies.places(choices),
            grants: grants::publisher(choices, copies, machine_name),
            ..Handler::new(
                "publisher",
                "publishes a version, or makes a copy, per memory size",
                &choices.total_execution_timeout,
            )
        }),
        executor: add(Handler {
            // A payload from S3 can be as large as 6 MB, and many invocations hold it at the same time.
            memory_size: Val::if_else(&choices.has_payload_bucket, 256, 128),
            grants: grants::executor(choices),
            ..Handler::new(
                "executor",
                "invokes one memory size and measures",
                &choices.total_execution_timeout,
            )
        }),
        // 2,000 versions and as many aliases, at the 15 calls a second that Lambda takes, need most of the time there is.
        cleaner: add(Handler {
            environment: vec![
                copies.code(choices),
                ("defaultPowerValues", copies::only(choices, choices.power_values.join(","))),
            ],
            grants: grants::cleaner(choices, copies, machine_name),
            ..Handler::new(CLEANER, "puts the function back as it was and removes what the run made", 900)
        }),
        analyzer: add(Handler {
            environment: vec![("visualizationURL", page.clone())],
            // A step of a search takes some 50 ms of a whole CPU.
            memory_size: 256.into(),
            ..Handler::new("analyzer", "chooses the memory size, and with AUTO what to measure next", 30)
        }),
        optimizer: add(Handler {
            environment: vec![("optimizableAliases", choices.optimizable_aliases.join(","))],
            grants: grants::optimizer(choices),
            ..Handler::new("optimizer", "applies the best memory size if the input asks for it", 300)
        }),
    }
}

fn add_function(
    stack: &mut constructs::Stack,
    settings: &Stack,
    choices: &Choices,
    handler: Handler,
) -> Handle<Function> {
    let name = handler.name;
    // Named after the stack and not after the function, whose role has to exist before it does.
    let log_group = stack.add(
        &format!("{name}LogGroup"),
        LogGroup {
            name: text!["/aws/lambda/", pseudo::stack_name(), "-", name],
            retention_in_days: choices.log_group_retention_in_days.clone(),
        },
    );
    let mut grants = vec![log_group.grant_write()];
    grants.extend(handler.grants);
    grants.push(grants::network(choices));
    let role = stack.add(
        &format!("{name}Role"),
        Role {
            description: format!("deployer: {name}, which {}", handler.description),
            assumed_by: Principal::service("lambda.amazonaws.com"),
            grants,
            permissions_boundary: Some(boundary(choices)),
        },
    );
    stack.add(
        name,
        Function {
            description: format!("deployer: {}", handler.description),
            code: settings.functions.code(),
            handler: name.to_owned(),
            runtime: "provided.al2023".to_owned(),
            architecture: settings.architecture.to_string().into(),
            memory_size: handler.memory_size,
            timeout: handler.timeout,
            role: role.arn(),
            log_group: log_group.name(),
            environment: handler
                .environment
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            vpc: Some(Val::only_if(
                &choices.in_vpc,
                Vpc {
                    security_group_ids: choices.security_group_ids.clone(),
                    subnet_ids: choices.subnet_ids.clone(),
                },
            )),
            tags: [(APPARATUS.0.to_owned(), APPARATUS.1.into())].into(),
        },
    )
}

/// The permissions boundary that every role of the stack gets, where one is given.
pub(super) fn boundary(choices: &Choices) -> Val<constructs::Arn> {
    Val::only_if(&choices.has_boundary, text![&choices.permissions_boundary])
}
