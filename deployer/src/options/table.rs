//! The entries, in the order in which help and documentation show them. The comment of an entry is its help.

use std::net::IpAddr;
use std::path::PathBuf;

use local_aws::cloudformation::STACK_NAME as STACK_NAME_PATTERN;
use local_aws::logs::RETENTION_DAYS;
use serde_json::Value;
use tuning::input::{BUCKET, BUCKET_SAYS, DEFAULT_POWER_VALUES, fields};
use tuning::pricing::Architecture;

use super::{Opt, Rule, Spec, Verb, field, opt};

/// The stack's name when none is given.
pub const DEFAULT_STACK_NAME: &str = "deployer-power-tuning";

const EXECUTION_PATTERN: &str =
    r"^([^:\s]{1,80}|arn:[^:\s]+:states:[^:\s]+:[^:\s]+:execution:[^:\s]+:[^:\s]+)$";
const EXECUTION_SAYS: &str =
    "an execution's name or ARN, arn:aws:states:REGION:ACCOUNT:execution:STATE_MACHINE:NAME";
const URL: &str = r"^https?://[^/\s#][^\s#]*$";
const POLICY: &str = r"^arn:[^:]+:iam::[^:]*:policy/.+$";
const ROLE: &str = r"^arn:[^:]+:iam::[^:]*:role/.+$";
/// A pattern of fewer parts could reach beyond versions: the right to delete them is for "<this>:*".
const LAMBDA_RESOURCE_PATTERN: &str =
    r"^(\*|arn:[a-z*-]+:lambda:[a-z0-9*-]+:[0-9*]+:function:[A-Za-z0-9_*?-]+)$";

/// The same, or nothing: the functions of `lambda-resource` need not be named.
const PROCESSOR_RESOURCE_PATTERN: &str =
    r"^(|arn:[a-z*-]+:lambda:[a-z0-9*-]+:[0-9*]+:function:[A-Za-z0-9_*?-]+)$";

/// A region's name.
pub(crate) const REGION_PATTERN: &str = r"^[a-z0-9]+(-[a-z0-9]+)+-[a-z]*[0-9]+$";

const MEASURING: &str = "Measuring";
const CHOOSING: &str = "Choosing";
const RUNNING: &str = "Running";
const CODE_SECTION: &str = "A function on this machine (--local)";
const RESULT: &str = "Result";

macro_rules! table {
    ($(#[doc = $help:literal] $name:ident: $type:ty = $entry:expr;)*) => {
        $(#[doc = $help] pub static $name: Opt<$type> = $entry.help($help);)*

        /// Every entry.
        pub static ALL: &[&Spec] = &[$(&$name.spec),*];
    };
}

table! {
    /// The function's name or ARN; with --code it may be left out
    FUNCTION: String = opt("function", "FUNCTION", Rule::Any).operand().on(&[Verb::Tune]);
    /// The function's name or ARN; without it, copies are deleted whose run is over
    CLEANUP_FUNCTION: String = opt("function", "FUNCTION", Rule::Any).operand().on(&[Verb::Cleanup]);
    /// What deployer tune --json has printed, an execution's output, or a fleet's results, as a file
    KEPT: PathBuf = opt("result", "RESULT", Rule::Any).operand().required().on(&[Verb::Apply]);
    /// Names of functions, where * and ? stand for any letters [default: all]
    SCANNED: Vec<String> = opt("functions", "NAME", Rule::Pattern(
        r"^[A-Za-z0-9_*?-]{1,140}$",
        "a function's name: letters, digits, - and _, with * and ? for any; quote it: 'shop-*'",
    )).operand().repeated().on(&[Verb::Scan]);
    /// The function's name or ARN
    HISTORY_FUNCTION: String = opt("function", "FUNCTION", Rule::Any).operand().required().on(&[Verb::History]);
    /// The function's name or ARN, whose last run is meant
    LOGS_FUNCTION: String = opt("function", "FUNCTION", Rule::Any).operand().on(&[Verb::Logs]);
    /// Files with results, chart links, or what stands after their `#`; the first run is what the others are compared with
    LINKS: Vec<String> = opt("links", "LINK", Rule::Any).operand().repeated().required().on(&[Verb::Compare]);
    /// input: what the state machine takes; result: what tune --json prints; event: a line on stderr with --json
    DOCUMENT: String = opt("document", "DOCUMENT", Rule::Word(&["input", "result", "event"])).operand().required().on(&[Verb::Schema]);
    /// The shell: bash, elvish, fish, powershell or zsh
    SHELL: String =
        opt("shell", "SHELL", Rule::Word(&["bash", "elvish", "fish", "powershell", "zsh"])).operand().required().on(&[Verb::Completions]);

    /// Only functions with these tags: team=web,env=prod. May be repeated
    TAG: Vec<(String, String)> = opt("tag", "KEY=VALUE", Rule::Tags).repeated().on(&[Verb::Scan]);
    /// Regions to look at: eu-west-1,us-east-1
    REGIONS: Vec<String> = opt("regions", "LIST", Rule::List(REGION_PATTERN, "eu-west-1")).default("the one in use").on(&[Verb::Scan]);
    /// How many days to look back, 1 to 30
    DAYS: u32 = opt("days", "N", Rule::Whole(1, 30)).default("14").on(&[Verb::Scan]);
    /// Worth a run is what could save so much a month
    MIN_SAVING: f64 = opt("min-saving", "AMOUNT", Rule::Above0).default("1").on(&[Verb::Scan]);
    /// Ask before a scan for which CloudWatch bills more than this
    SCAN_ASK_ABOVE: f64 = opt("ask-above", "USD", Rule::Above0).default("1").on(&[Verb::Scan]);
    /// Write a plan to this file: the functions with settings for tuning all of them, to be edited
    SCAN_WRITE: PathBuf = opt("write", "FILE", Rule::Any).only_flag().on(&[Verb::Scan]);
    /// With --write: write the file anew if it is there already
    FORCE: bool = opt("force", "", Rule::Switch).only_flag().with("write").on(&[Verb::Scan]);
    /// As comma-separated values
    CSV: bool = opt("csv", "", Rule::Switch).only_flag().without(&["json", "markdown"]).on(&[Verb::Scan, Verb::FleetRun]);

    /// The plan, as deployer scan --write has begun it
    PLAN: PathBuf = opt("plan", "PLAN", Rule::Any).operand().without(&["retry", "attach"]).on(&[Verb::FleetRun]);
    /// Functions that are tuned at a time, 1 to 1000 [default: up to 10, so that the account has half of its quotas left]
    AT_ONCE: u32 = opt("at-once", "N", Rule::Whole(1, 1000)).without(&["attach"]).on(&[Verb::FleetRun]);
    /// What all of it may cost in the region's currency: nothing is started when that is not enough, and no run spends more than its share
    FLEET_BUDGET: f64 = opt("budget", "AMOUNT", Rule::Above0).only_flag().without(&["retry", "attach"]).on(&[Verb::FleetRun]);
    /// Give a function up after so many minutes [default: twice what it can take by the estimate, and half an hour]
    MAX_MINUTES: u32 = opt("max-minutes", "N", Rule::Whole(1, 10_000)).without(&["attach"]).on(&[Verb::FleetRun]);
    /// Run again what has no result in this one: a file with what fleet run --json has printed
    RETRY: PathBuf = opt("retry", "RESULT", Rule::Any).only_flag().without(&["attach"]).on(&[Verb::FleetRun]);
    /// Start it, say how to come back to it, and end
    FLEET_DETACH: bool = opt("detach", "", Rule::Switch).only_flag().without(&["attach"]).on(&[Verb::FleetRun]);
    /// Follow a fleet that was started: its execution's name or ARN
    FLEET_ATTACH: String = opt("attach", "EXECUTION", Rule::Pattern(EXECUTION_PATTERN, EXECUTION_SAYS)).only_flag().on(&[Verb::FleetRun]);

    /// Execution input to start from: a JSON file, or - for stdin; flags win over it
    INPUT: String = opt("input", "FILE", Rule::Any).only_flag().on(&[Verb::Tune]);
    /// In MB: 128,512, ALL, FROM-TO:STEP, or AUTO
    POWER_VALUES: Value = field("power-values", "LIST", fields::POWER_VALUES)
        .on(&[Verb::Tune, Verb::Up, Verb::Preview])
        .under(MEASURING)
        .parameter("PowerValues", DEFAULT_POWER_VALUES, "Memory sizes in MB to try when the execution input names none (comma-separated; ALL, FROM-TO:STEP, or AUTO to search for the best)");
    /// Invocations per memory size, 5 to 20000
    NUM: Value = field("num", "N", fields::NUM).default("20").under(MEASURING);
    /// JSON for each invocation; [{"payload":…,"weight":…},…] is weighted
    PAYLOAD: Value = field("payload", "JSON", fields::PAYLOAD).without(&["payload-file"]).under(MEASURING);
    /// The same from a file
    PAYLOAD_FILE: PathBuf = opt("payload-file", "FILE", Rule::Any).rare().on(&[Verb::Tune]).under(MEASURING);
    /// The same from S3, for large payloads
    PAYLOAD_S3: Value = field("payload-s3", "S3_URI", fields::PAYLOAD_S3).rare().under(MEASURING);
    /// All invocations of a memory size at once
    PARALLEL_INVOCATION: Value = field("parallel-invocation", "", fields::PARALLEL_INVOCATION).under(MEASURING);
    /// Every invocation a cold start
    ONLY_COLD_STARTS: Value = field("only-cold-starts", "", fields::ONLY_COLD_STARTS).rare().under(MEASURING);
    /// copy: measure temporary copies of the function; in-place: the function itself
    TUNE: Value = field("tune", "HOW", fields::TUNE).default("copy where the stack makes copies").rare().under(MEASURING);
    /// Role of the function's account, if that is another one, for every call about the function
    ASSUME_ROLE: Value = field("assume-role", "ROLE_ARN", fields::ROLE_ARN).on(&[Verb::Tune, Verb::Cleanup]).rare().under(MEASURING);
    /// Processors that copies are measured on: x86_64,arm64 compares them
    ARCHITECTURES: Value = field("architectures", "LIST", fields::ARCHITECTURES).rare().under(MEASURING);
    /// Code of the copies for arm64, from the stack's --code-bucket
    CODE_ARM64: Value = field("code-arm64", "S3_URI", fields::CODE_ARM64).rare().under(MEASURING);
    /// The same for x86_64
    CODE_X86: Value = field("code-x86", "S3_URI", fields::CODE_X86).rare().under(MEASURING);
    /// One invocation per memory size and no analysis
    DRY_RUN: Value = field("dry-run", "", fields::DRY_RUN).rare().under(MEASURING);
    /// Execution environments of a memory size that are invoked side by side, 1 to 100
    LANES: Value = field("lanes", "N", fields::LANES).rare().under(MEASURING);
    /// Invocations under way at once, of all sizes together [default with copies: the function's reserved concurrency, and half of what the account has unreserved]
    MAX_CONCURRENCY: Value = field("max-concurrency", "N", fields::MAX_CONCURRENCY).rare().under(MEASURING);
    /// With AUTO: by how much the chosen size may be off the best one, such as 1%
    TOLERANCE: Value = field("tolerance", "SHARE", fields::TOLERANCE).rare().under(MEASURING);
    /// With AUTO: how sure of that it has to be to stop early, such as 95%
    CONFIDENCE: Value = field("confidence", "SHARE", fields::CONFIDENCE).rare().under(MEASURING);
    /// With AUTO: invocations of all memory sizes together, 20 to 1000
    MAX_INVOCATIONS: Value = field("max-invocations", "N", fields::MAX_INVOCATIONS).rare().under(MEASURING);
    /// Pause between invocations in series, in milliseconds
    SLEEP_BETWEEN_RUNS_MS: Value = field("sleep-between-runs-ms", "MS", fields::SLEEP_BETWEEN_RUNS_MS).rare().under(MEASURING);
    /// Share trimmed from each end before averaging, 0 to 0.4
    DISCARD_TOP_BOTTOM: Value = field("discard-top-bottom", "SHARE", fields::DISCARD_TOP_BOTTOM).rare().under(MEASURING);
    /// Function invoked before each invocation; its answer replaces the payload
    PRE_PROCESSOR_ARN: Value = field("pre-processor-arn", "ARN", fields::PRE_PROCESSOR_ARN).rare().under(MEASURING);
    /// Function invoked after each invocation
    POST_PROCESSOR_ARN: Value = field("post-processor-arn", "ARN", fields::POST_PROCESSOR_ARN).rare().under(MEASURING);
    /// Error types that count as a normal result
    ALLOWED_EXCEPTIONS: Value = field("allowed-exceptions", "LIST", fields::ALLOWED_EXCEPTIONS).rare().under(MEASURING);
    /// include or apart: whether cold starts are in the averages [default: apart; with --only-cold-starts include]
    COLD_STARTS: Value = field("cold-starts", "WORD", fields::COLD_STARTS).rare().under(MEASURING);
    /// What the run may cost in USD; then it measures no further
    BUDGET: Value = field("budget", "USD", fields::BUDGET).under(MEASURING);
    /// No payload in any log or error text
    DISABLE_PAYLOAD_LOGS: Value = field("disable-payload-logs", "", fields::DISABLE_PAYLOAD_LOGS).rare().under(MEASURING);

    /// cost, speed or balanced
    STRATEGY: Value = field("strategy", "NAME", fields::STRATEGY).under(CHOOSING);
    /// For balanced: 0 is speed, 1 is cost
    BALANCED_WEIGHT: Value = field("balanced-weight", "0-1", fields::BALANCED_WEIGHT).rare().under(CHOOSING);
    /// Choose the cheapest size that keeps this, such as p95=300ms
    LIMIT: Value = field("limit", "pN=MS", fields::LIMIT).under(CHOOSING);
    /// Give the function the chosen memory size
    AUTO_OPTIMIZE: Value = field("auto-optimize", "", fields::AUTO_OPTIMIZE).under(CHOOSING);
    /// With --auto-optimize: publish it and point this alias at it instead
    AUTO_OPTIMIZE_ALIAS: Value = field("auto-optimize-alias", "ALIAS", fields::AUTO_OPTIMIZE_ALIAS).rare().under(CHOOSING);
    /// Apply nothing and end with status 3 when the chosen size takes longer on average
    MAX_DURATION_MS: f64 = opt("max-duration-ms", "MS", Rule::Above0).rare().on(&[Verb::Tune]).under(CHOOSING);
    /// The same when an invocation at the chosen size costs more, in USD
    MAX_COST: f64 = opt("max-cost", "USD", Rule::Above0).rare().on(&[Verb::Tune]).under(CHOOSING);

    /// A former result, its file or chart link: end with status 3 when the function is slower now, beyond doubt
    BASELINE: String = opt("baseline", "FILE|LINK", Rule::Any).rare().without(&["auto-optimize", "watch", "detach"]).on(&[Verb::Tune]).under(CHOOSING);
    /// With --baseline: how much slower it may be
    MAX_REGRESSION: f64 = opt("max-regression", "SHARE", Rule::Share).default("10%").rare().on(&[Verb::Tune]).under(CHOOSING);

    /// In a terminal, ask before a run on AWS that will cost more than this at a guess
    ASK_ABOVE: f64 = opt("ask-above", "USD", Rule::Above0).default("1").rare().on(&[Verb::Tune]).under(RUNNING);
    /// How soon progress is told for the first time; each time costs a pass of the state machine
    PROGRESS_SECONDS: Value = field("progress-seconds", "SECONDS", fields::PROGRESS_SECONDS).rare().under(RUNNING);
    /// State machine of any deployment, instead of this stack's
    STATE_MACHINE_ARN: String = opt("state-machine-arn", "ARN", Rule::Pattern(
        r"^arn:[^:\s]+:states:[^:\s]+:[^:\s]+:stateMachine:[^:\s]+$",
        "a state machine's ARN, arn:aws:states:REGION:ACCOUNT:stateMachine:NAME",
    )).rare().on(&[Verb::Tune]).under(RUNNING);
    /// Start it, say how to come back to it, and end
    DETACH: bool = opt("detach", "", Rule::Switch).only_flag().on(&[Verb::Tune]).under(RUNNING);
    /// Follow one that was started before; Ctrl-C leaves it running
    ATTACH: String = opt("attach", "EXECUTION", Rule::Pattern(EXECUTION_PATTERN, EXECUTION_SAYS)).only_flag().without(&["function", "input", "detach", "code", "payload", "payload-file", "payload-s3"]).on(&[Verb::Tune]).under(RUNNING);

    /// Folder or zip with a `bootstrap`, Python or Node.js in it
    CODE: PathBuf = opt("code", "DIR|ZIP", Rule::Any).only_flag().on(&[Verb::Tune]).under(CODE_SECTION);
    /// Its handler, such as app.handler
    HANDLER: String = opt("handler", "NAME", Rule::Any).default("the one of Lambda's console").only_flag().with("code").on(&[Verb::Tune]).under(CODE_SECTION);
    /// Its runtime, such as python3.13 or nodejs22.x
    RUNTIME: String = opt("runtime", "NAME", Rule::Runtime).default("by what is in the folder and on the PATH").only_flag().with("code").rare().on(&[Verb::Tune]).under(CODE_SECTION);
    /// Tune again whenever the code changes, and show the difference; Ctrl-C ends it
    WATCH: bool = opt("watch", "", Rule::Switch).only_flag().with("code").without(&["detach", "open"]).rare().on(&[Verb::Tune]).under(CODE_SECTION);
    /// A variable of its environment; may be repeated
    VARIABLE: Vec<String> = opt("variable", "NAME=VALUE", Rule::Pattern("^[^=]+=", "NAME=VALUE")).only_flag().repeated().with("code").rare().on(&[Verb::Tune]).under(CODE_SECTION);
    /// Folder or zip of a layer, found in /opt as on AWS; may be repeated, later ones over earlier ones
    LAYER: Vec<PathBuf> = opt("layer", "DIR|ZIP", Rule::Any).only_flag().repeated().with("code").rare().on(&[Verb::Tune]).under(CODE_SECTION);
    /// Actions that its role may perform besides writing logs: s3:GetObject,s3:PutObject
    ALLOW: Vec<String> = opt("allow", "LIST", Rule::List(r"^(\*|[a-z0-9-]+:[A-Za-z0-9*?]+)$", "s3:GetObject or dynamodb:*")).only_flag().with("code").rare().on(&[Verb::Tune]).under(CODE_SECTION);
    /// A policy of its role, in JSON
    POLICY_FILE: PathBuf = opt("policy-file", "FILE", Rule::Any).only_flag().with("code").rare().on(&[Verb::Tune]).under(CODE_SECTION);
    /// Its time-out in seconds, 1 to 900
    TIMEOUT: u32 = opt("timeout", "SECONDS", Rule::Whole(1, 900)).default("60").only_flag().with("code").rare().on(&[Verb::Tune]).under(CODE_SECTION);

    /// As Markdown, for a pull request or a wiki
    MARKDOWN: bool = opt("markdown", "", Rule::Switch).without(&["json"]).on(&[Verb::Tune, Verb::Compare, Verb::History, Verb::Scan, Verb::FleetRun]).under(RESULT);
    /// Write the result as JSON to this file as well
    JSON_FILE: PathBuf = opt("json-file", "FILE", Rule::Any).rare().without(&["detach"]).on(&[Verb::Tune, Verb::FleetRun]).under(RESULT);
    /// Write it as Markdown to this file as well
    MARKDOWN_FILE: PathBuf = opt("markdown-file", "FILE", Rule::Any).rare().without(&["detach"]).on(&[Verb::Tune]).under(RESULT);
    /// Write the chosen size to the FILE that defines the function (FILE#NAME)
    WRITE: Vec<String> = opt("write", "FILE", Rule::Any).only_flag().repeated().without(&["detach", "watch"]).on(&[Verb::Tune]).under(RESULT);
    /// The file that defines the function: a template, serverless.yml or .tf file; FILE#NAME says which one. May be repeated
    APPLY_WRITE: Vec<String> = opt("write", "FILE", Rule::Any).only_flag().repeated().on(&[Verb::Apply]);
    /// Change nothing; end with status 3 when there is something to change
    CHECK: bool = opt("check", "", Rule::Switch).only_flag().on(&[Verb::Apply]);
    /// Put back what was there before this result was applied
    UNDO: bool = opt("undo", "", Rule::Switch).only_flag().without(&["write", "check"]).on(&[Verb::Apply]);
    /// Compare errors and durations since this result was applied with those before, and offer to put back what became worse
    VERIFY: bool = opt("verify", "", Rule::Switch).only_flag().without(&["write", "check", "undo"]).on(&[Verb::Apply]);
    /// Apply only what saves so much a month in the traffic that was seen, in the region's currency
    APPLY_MIN_SAVING: f64 = opt("min-saving", "AMOUNT", Rule::Above0).only_flag().without(&["undo", "verify"]).on(&[Verb::Apply]);
    /// Apply only what makes invocations by no more than this slower, such as 10%
    MAX_SLOWDOWN: f64 = opt("max-slowdown", "SHARE", Rule::Share).only_flag().without(&["undo", "verify"]).on(&[Verb::Apply]);
    /// Apply only what is so sure to be within 5 % of the best size, or to keep its limit, such as 95%
    APPLY_CONFIDENCE: f64 = opt("confidence", "SHARE", Rule::Share).only_flag().without(&["undo", "verify"]).on(&[Verb::Apply]);
    /// The function, where the result does not name it
    APPLY_FUNCTION: String = opt("function", "NAME", Rule::Any).only_flag().on(&[Verb::Apply]);
    /// At most so many runs, the newest first
    LAST: usize = opt("last", "N", Rule::Whole(1, 1000)).default("20").on(&[Verb::History]);
    /// A run by its execution's name, as history shows it, or ARN
    EXECUTION: String = opt("execution", "EXECUTION", Rule::Pattern(EXECUTION_PATTERN, EXECUTION_SAYS)).only_flag().without(&["function"]).on(&[Verb::Logs]);
    /// Open it in a browser
    OPEN: bool = opt("open", "", Rule::Switch).on(&[Verb::Tune, Verb::Serve]).under(RESULT);
    /// Also say what so many invocations a month cost, with the chosen size and with the present one
    INVOCATIONS_PER_MONTH: u32 = opt("invocations-per-month", "N", Rule::Whole(1, u32::MAX)).rare().on(&[Verb::Tune]).under(RESULT);
    /// With --local: durations on a core of Lambda too, as `deployer local calibrate` tells its speed
    CALIBRATED: bool = opt("calibrated", "", Rule::Switch).rare().on(&[Verb::Tune]).under(RESULT);
    /// With --json: the figures of every memory size as well
    INCLUDE_OUTPUT_RESULTS: Value = field("include-output-results", "", fields::INCLUDE_OUTPUT_RESULTS).rare().under(RESULT);

    /// A run's name, in the order of the runs; may be repeated
    NAME: Vec<String> = opt("name", "NAME", Rule::Any).only_flag().repeated().on(&[Verb::Compare]);

    /// arm64 or x86_64 [default: as deployed (up, preview), else arm64; with --local this machine's]
    ARCHITECTURE: Architecture = opt("architecture", "NAME", Rule::Architecture).on(&[Verb::Up, Verb::Preview, Verb::Synth]);
    /// For AWS: arm64, x86_64 or both [default: quickly, for this machine]
    BUILD_ARCHITECTURE: Vec<Architecture> = opt("architecture", "NAME", Rule::Architectures).on(&[Verb::BuildFunctions]);
    /// arm64, x86_64 or both: the processors of the program and of the functions [default: both]
    RELEASE_ARCHITECTURE: Vec<Architecture> = opt("architecture", "NAME", Rule::Architectures).on(&[Verb::BuildRelease]);
    /// Tags of the stack and its resources: team=web,env=test
    TAGS: Vec<(String, String)> = opt("tags", "LIST", Rule::Tags).repeated().on(&[Verb::Up, Verb::Preview]);
    /// The role CloudFormation takes on
    ROLE_ARN: String = opt("role-arn", "ARN", Rule::Pattern(ROLE, "a role's ARN, arn:aws:iam::ACCOUNT:role/NAME")).on(&[Verb::Up, Verb::Preview]);
    /// A bucket for the assets, instead of one that is made for them
    ASSETS_BUCKET: String = opt("assets-bucket", "BUCKET", Rule::Pattern(BUCKET, BUCKET_SAYS)).on(&[Verb::Up, Verb::Preview]);
    /// End with 0 when nothing would change, 2 when something would, 1 on failure; drift: 2 when something has drifted
    DETAILED_EXITCODE: bool = opt("detailed-exitcode", "", Rule::Switch).on(&[Verb::Preview, Verb::Drift]);
    /// The page that chart links lead to
    VISUALIZATION_URL: String = opt("visualization-url", "URL", Rule::Optional(URL, "an http:// or https:// address without `#`, after which the results stand"))
        .on(&[Verb::Up, Verb::Preview, Verb::Compare])
        .parameter("visualizationURL", "https://lambda-power-tuning.show/", "The page that chart links lead to; the data is in the link's hash, which browsers never send");
    /// Protect the stack against deletion; =false ends that
    TERMINATION_PROTECTION: bool = opt("termination-protection", "BOOL", Rule::Switch).default("as it is").rare().on(&[Verb::Up]);
    /// Host the chart page in the stack; =false ends that
    HOST_VISUALIZATION: bool = opt("host-visualization", "BOOL", Rule::Switch)
        .parameter("hostVisualization", "false", "Whether the stack hosts that page itself, in a private bucket behind CloudFront: links lead there then, whatever visualizationURL says. The bucket is filled by `deployer up`, or by hand");
    /// Functions that may be tuned; may have wildcards
    LAMBDA_RESOURCE: String = opt("lambda-resource", "ARN", Rule::Pattern(
        LAMBDA_RESOURCE_PATTERN,
        "* or the ARN of a function, wildcards allowed, without version or alias: its versions and aliases are covered",
    )).parameter("lambdaResource", "*", "The functions that may be tuned, and pre- and post-processors: a function's ARN without version or alias, a pattern such as arn:aws:lambda:eu-west-1:123456789012:function:shop-*, or * for all of this account");
    /// Further functions that may be pre- and post-processors; may have wildcards
    PROCESSOR_RESOURCE: String = opt("processor-resource", "ARN", Rule::Pattern(
        PROCESSOR_RESOURCE_PATTERN,
        "empty or the ARN of a function, wildcards allowed, without version or alias: its versions and aliases are covered",
    )).rare().parameter("processorResource", "", "Further functions that may be pre- and post-processors, as for lambdaResource, whose functions may be so anyway (optional)");
    /// Aliases that --auto-optimize-alias may name; may have wildcards
    OPTIMIZABLE_ALIASES: Vec<String> = opt("optimizable-aliases", "LIST", Rule::List(r"^[A-Za-z0-9_*?-]+$", "live or team-*"))
        .rare().parameter("optimizableAliases", "*", "Aliases that autoOptimizeAlias may name (comma-separated, wildcards allowed); an execution moves them to another version");
    /// Customer managed KMS keys of the functions to tune
    KMS_KEY_ARNS: Vec<String> = opt("kms-key-arns", "LIST", Rule::List(r"^arn:[^:\s]+:kms:[^:\s]+:[^:\s]+:key/\S+$", "arn:aws:kms:REGION:ACCOUNT:key/ID"))
        .rare().parameter("kmsKeyArns", "", "Customer managed KMS keys of the functions to tune (comma-separated ARNs); used through Lambda only (optional)");
    /// Roles of other accounts that --assume-role may name, so that their functions can be tuned; may have wildcards
    ASSUMABLE_ROLES: Vec<String> = opt("assumable-roles", "LIST", Rule::List(ROLE, "arn:aws:iam::210987654321:role/deployer-tuning"))
        .rare().parameter("assumableRoles", "", "Roles of other accounts that inputs may name in roleARN, so that those accounts' functions can be tuned (comma-separated ARNs, optional); `deployer synth role` writes the stack that makes one");
    /// Account, twelve digits, whose stacks may assume the role
    TRUSTS: String = opt("trusts", "ACCOUNT", Rule::Pattern("^[0-9]{12}$", "an account's number, 12 digits")).on(&[Verb::SynthRole]).required();
    /// Time for one pass of measuring, 10 to 900
    TOTAL_EXECUTION_TIMEOUT: u32 = opt("total-execution-timeout", "SECONDS", Rule::Whole(10, 900))
        .parameter("totalExecutionTimeout", "300", "Seconds that one pass of Publisher and Executor may take, longer than the tuned function's time-out; whatever is left is done in another pass");
    /// Policy that bounds every role of the stack
    PERMISSIONS_BOUNDARY: String = opt("permissions-boundary", "ARN", Rule::Optional(POLICY, "a policy's ARN, arn:aws:iam::ACCOUNT:policy/NAME"))
        .rare().parameter("permissionsBoundary", "", "ARN of a policy that limits every role of this stack (optional)");
    /// Bucket that payloads may be read from
    PAYLOAD_S3_BUCKET: String = opt("payload-s3-bucket", "BUCKET", Rule::Optional(BUCKET, BUCKET_SAYS))
        .parameter("payloadS3Bucket", "", "Bucket that payloads may be read from, for inputs with payloadS3 (optional)");
    /// Keys that may be read in it; may have wildcards
    PAYLOAD_S3_KEY: String = opt("payload-s3-key", "KEY", Rule::Pattern(
        r"^([^s].{0,1023}|s([^3].*)?|s3([^:].*)?)$",
        "an object's key without bucket, 1 to 1024 bytes; `*` stands for any",
    )).parameter("payloadS3Key", "*", "Key, or pattern of keys, that payloads may be read from; without a bucket it has no effect");
    /// How long logs are kept
    LOG_RETENTION_DAYS: u32 = opt("log-retention-days", "DAYS", Rule::OneOf(&RETENTION_DAYS))
        .parameter("logGroupRetentionInDays", "7", "Days until the functions' logs are deleted");
    /// Security groups, to run inside a VPC
    SECURITY_GROUP_IDS: Vec<String> = opt("security-group-ids", "LIST", Rule::List("^sg-[0-9a-f]+$", "sg-0123456789abcdef0"))
        .parameter("securityGroupIds", "", "Security groups of the stack's functions in a VPC, together with subnetIds (optional)");
    /// Subnets, to run inside a VPC
    SUBNET_IDS: Vec<String> = opt("subnet-ids", "LIST", Rule::List("^subnet-[0-9a-f]+$", "subnet-0123456789abcdef0"))
        .parameter("subnetIds", "", "Subnets of the stack's functions in a VPC, with a way to AWS's APIs, together with securityGroupIds (optional)");
    /// Whether functions may be measured by copies: no, also, or only (then nothing can change a function)
    COPIES: String = opt("copies", "HOW", Rule::Word(&["no", "also", "only"]))
        .rare().parameter("copies", "no", "Whether functions may be measured by temporary copies of them: no, also (beside measuring the function itself), or only (then this stack has no permission that could change a function)");
    /// Role that copies run under
    COPY_ROLE: String = opt("copy-role", "ARN", Rule::Optional(ROLE, "a role's ARN, arn:aws:iam::ACCOUNT:role/NAME"))
        .rare().parameter("copyRole", "", "ARN of the role that copies run under whose function's own role is not in copyableRoles (optional)");
    /// Functions' own roles that their copies may have; may have wildcards
    COPYABLE_ROLES: Vec<String> = opt("copyable-roles", "LIST", Rule::List(ROLE, "arn:aws:iam::123456789012:role/my-function"))
        .rare().parameter("copyableRoles", "", "ARNs of functions' own roles that copies of these functions may run under (comma-separated, optional); with copies, this or copyRole is needed");
    /// Bucket with code for other processors
    CODE_BUCKET: String = opt("code-bucket", "BUCKET", Rule::Optional(BUCKET, BUCKET_SAYS))
        .rare().parameter("codeBucket", "", "Bucket that codeArm64 and codeX86 are read from (optional)");
    /// Let deployer fleet tune many functions in one execution; =false ends that
    FLEETS: bool = opt("fleets", "BOOL", Rule::Switch)
        .rare().parameter("fleets", "false", "Whether many functions can be tuned in one execution: with a state machine of their own, which starts the other one, and a bucket for plans and results");
    /// What the state machine's name begins with
    STATE_MACHINE_NAME_PREFIX: String = opt("state-machine-name-prefix", "PREFIX", Rule::Pattern("^[A-Za-z0-9_-]{1,43}$", "1 to 43 of A-Z, a-z, 0-9, _ and -"))
        .rare().parameter("stateMachineNamePrefix", "powerTuningStateMachine", "The beginning of the state machine's name; a part of the stack's id follows");

    /// Where it goes; synth without it prints the template
    OUT: PathBuf = opt("out", "DIR", Rule::Any).on(&[Verb::Synth, Verb::BuildFunctions, Verb::BuildWeb, Verb::BuildRelease]);

    /// The port; 0 takes any free one [default: 8723 for serve, 4566 for local]
    PORT: u16 = opt("port", "N", Rule::Whole(0, 65535)).on(&[Verb::Serve, Verb::Local]);
    /// The address to listen on; 0.0.0.0 lets other machines in
    HOST: IpAddr = opt("host", "ADDR", Rule::Address)
        .default("127.0.0.1").on(&[Verb::Serve]);
    /// Serve this folder instead of the page that belongs to this program
    DIR: PathBuf = opt("dir", "DIR", Rule::Any).on(&[Verb::Serve]);
    /// Let calls of functions fail as this JSON file says: see deployer/local/SPEC.md, Faults
    FAULTS: PathBuf = opt("faults", "FILE", Rule::Any).only_flag().on(&[Verb::Local]);
    /// Let things go wrong, drawn by this number, and see what comes of it
    SEED: u64 = opt("faults", "SEED", Rule::Whole(0, u32::MAX)).only_flag().on(&[Verb::Demo]);
    /// What the sample function `cpu` takes in your account at 1,769 MB
    LAMBDA_MS: f64 = opt("lambda-ms", "MS", Rule::Above0).default("140, which is assumed").on(&[Verb::Calibrate]);

    /// Use the endpoint in this program instead of AWS; no account needed
    LOCAL: bool = opt("local", "", Rule::Switch);
    /// Its state folder
    STATE: PathBuf = opt("state", "DIR", Rule::Any).default("~/.local/state/deployer");
    /// What gives functions their CPU share there
    CPU_SHARE: String = opt("cpu-share", "HOW", Rule::Word(&["cgroup-v2", "cgroup-v1", "duty-cycle"])).rare().default("the best there is");
    /// What becomes of invocations there that other work on this machine disturbed
    DISTURBED: String = opt("disturbed", "HOW", Rule::Word(&["repeat", "say", "ignore"])).rare().default("repeat, at most half as many again");
    /// Profile of ~/.aws/config
    PROFILE: String = opt("profile", "NAME", Rule::Any);
    /// Region
    REGION: String = opt("region", "NAME", Rule::Pattern(REGION_PATTERN, "a region's name, such as eu-west-1")).default("as the AWS CLI finds it");
    /// Another endpoint that speaks AWS's protocols
    ENDPOINT_URL: String = opt("endpoint-url", "URL", Rule::Pattern(URL, "an http:// or https:// address"));
    /// The stack
    STACK_NAME: String = opt("stack-name", "NAME", Rule::Pattern(STACK_NAME_PATTERN, "a letter followed by letters, digits and hyphens, at most 128")).default(DEFAULT_STACK_NAME);
    /// Settings file
    CONFIG: PathBuf = opt("config", "FILE", Rule::Any).only_flag().default("deployer.toml, if there is one here");
    /// Environment of the settings file: what [env.NAME] says there wins over the rest of it
    ENV: String = opt("env", "NAME", Rule::Pattern("^[A-Za-z0-9_-]+$", "the name of an environment, letters, digits, - and _; a variable of the function is --variable NAME=VALUE")).only_flag().rare();
    /// Result as one JSON document on stdout, events as JSON lines on stderr
    JSON: bool = opt("json", "", Rule::Switch);
    /// Ask nothing
    YES: bool = opt("yes", "", Rule::Switch).short('y').only_flag();
    /// Only warnings and errors on stderr
    QUIET: bool = opt("quiet", "", Rule::Switch).rare().short('q').without(&["verbose"]);
    /// Every detail on stderr
    VERBOSE: bool = opt("verbose", "", Rule::Switch).rare().short('v');
    /// No colours
    NO_COLOR: bool = opt("no-color", "", Rule::Switch).rare();
}
