//! Turns a verb with its values into a command.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde_json::Value;

use super::layers::Reader;
use crate::build::Flavour;
use crate::commands::apply::Choice;
use crate::commands::{
    Command, apply, build, calibrate, cleanup, compare, drift, fleet, history, local, logs, preview, release,
    scan, serve, synth, tune, up,
};
use crate::definitions::Definitions;
use crate::deployment::parameters::Parameters;
use crate::fleet::prepared::Limits;
use crate::function::Code;
use crate::options::{self, Spec, Verb};
use crate::settings::{Settings, Target};
use crate::site;

/// The port of `deployer local` when none is given: where other local clouds listen, too.
const LOCAL_PORT: u16 = 4566;

/// The command, or none when something it needs is missing (which the reader then knows).
pub(super) fn command(verb: Verb, reader: &mut Reader<'_>, settings: &Settings) -> Option<Command> {
    Some(match verb {
        Verb::Up => Command::Up(deploy(reader, settings)),
        Verb::Preview => Command::Preview(preview::Options {
            detailed_exit_code: reader.is_on(&options::DETAILED_EXITCODE),
            deploy: deploy(reader, settings),
        }),
        Verb::Tune => Command::Tune(Box::new(tune(reader))),
        Verb::Apply => Command::Apply(apply::Options {
            result: reader.get(&options::KEPT)?,
            function: reader.get(&options::APPLY_FUNCTION),
            definitions: Definitions::new(&reader.get(&options::APPLY_WRITE).unwrap_or_default()),
            check: reader.is_on(&options::CHECK),
            undo: reader.is_on(&options::UNDO),
            verify: reader.is_on(&options::VERIFY),
            choice: Choice {
                min_saving: reader.get(&options::APPLY_MIN_SAVING),
                max_slowdown: reader.get(&options::MAX_SLOWDOWN),
                confidence: reader.get(&options::APPLY_CONFIDENCE),
            },
        }),
        Verb::Scan => Command::Scan(Box::new(scan(reader, settings))),
        Verb::FleetRun => Command::Fleet(Box::new(fleet::Options {
            plan: reader.get(&options::PLAN),
            retry: reader.get(&options::RETRY),
            attach: reader.get(&options::FLEET_ATTACH),
            detach: reader.is_on(&options::FLEET_DETACH),
            limits: Limits {
                at_once: reader.get(&options::AT_ONCE),
                budget: reader.get(&options::FLEET_BUDGET),
                seconds: reader.get(&options::MAX_MINUTES).map(|minutes| u64::from(minutes) * 60),
            },
            form: form(reader),
            json_file: reader.get(&options::JSON_FILE),
        })),
        Verb::History => Command::History(history::Options {
            function: reader.get(&options::HISTORY_FUNCTION)?,
            last: reader.get(&options::LAST).unwrap_or(20),
            markdown: reader.is_on(&options::MARKDOWN),
        }),
        Verb::Logs => Command::Logs(logs::Options {
            function: reader.get(&options::LOGS_FUNCTION),
            execution: reader.get(&options::EXECUTION),
        }),
        Verb::Cleanup => Command::Cleanup(cleanup::Options {
            function: reader.get(&options::CLEANUP_FUNCTION),
            role: reader.get(&options::ASSUME_ROLE).and_then(|role| role.as_str().map(str::to_owned)),
        }),
        Verb::Compare => Command::Compare(compare::Options {
            links: reader.get(&options::LINKS)?,
            names: reader.get(&options::NAME).unwrap_or_default(),
            page: reader.get(&options::VISUALIZATION_URL).filter(|url| !url.is_empty()),
            markdown: reader.is_on(&options::MARKDOWN),
        }),
        Verb::Serve => {
            let host = reader.get(&options::HOST).unwrap_or(Ipv4Addr::LOCALHOST.into());
            let port = reader.get(&options::PORT).unwrap_or(site::PORT);
            Command::Serve(serve::Options {
                address: SocketAddr::new(host, port),
                folder: reader.get(&options::DIR),
                open: reader.is_on(&options::OPEN),
            })
        }
        Verb::Demo => Command::Demo(reader.get(&options::SEED)),
        Verb::Outputs => Command::Outputs,
        Verb::Drift => {
            Command::Drift(drift::Options { detailed_exit_code: reader.is_on(&options::DETAILED_EXITCODE) })
        }
        Verb::Destroy => Command::Destroy,
        Verb::Synth => {
            let out = reader.get(&options::OUT);
            Command::Synth(synth::Options {
                out,
                flavour: flavour(reader, settings).unwrap_or(up::NEW_STACK),
            })
        }
        Verb::SynthRole => Command::SynthRole(reader.get(&options::TRUSTS)?),
        Verb::BuildFunctions => {
            let flavours = match reader.get(&options::BUILD_ARCHITECTURE) {
                Some(architectures) => architectures.into_iter().map(Flavour::Lambda).collect(),
                None => vec![Flavour::Host],
            };
            Command::BuildFunctions(build::Options { out: out(reader, "zips")?, flavours })
        }
        Verb::BuildWeb => Command::BuildWeb(out(reader, "page")?),
        Verb::BuildRelease => Command::BuildRelease(release::Options {
            out: out(reader, "release")?,
            architectures: reader.get(&options::RELEASE_ARCHITECTURE),
        }),
        Verb::Calibrate => {
            let Target::Local { state, .. } = settings.target.clone() else { return None };
            Command::Calibrate(calibrate::Options { state, lambda_ms: reader.get(&options::LAMBDA_MS) })
        }
        Verb::Local => {
            let Target::Local { state, region, cpu_share, disturbed } = settings.target.clone() else {
                return None;
            };
            Command::Local(local::Options {
                port: reader.get(&options::PORT).unwrap_or(LOCAL_PORT),
                state,
                region,
                cpu_share,
                disturbed,
                faults: reader.get(&options::FAULTS),
            })
        }
        Verb::Schema => Command::Schema(reader.get(&options::DOCUMENT)?),
        Verb::Completions => Command::Completions(reader.get(&options::SHELL)?),
    })
}

fn out(reader: &mut Reader<'_>, what: &str) -> Option<PathBuf> {
    let out = reader.get(&options::OUT);
    if out.is_none() {
        reader.problem(format!("`out` is missing: name the folder for the {what} with --out DIR"));
    }
    out
}

/// Those that are fields of the execution input become one, the others are the program's own.
fn tune(reader: &mut Reader<'_>) -> tune::Options {
    tune::Options {
        function: reader.get(&options::FUNCTION),
        input: reader.get(&options::INPUT),
        payload_file: reader.get(&options::PAYLOAD_FILE),
        fields: set(reader, |spec| spec.field.map(|field| field.name)),
        gate: tuning::gate::Gate {
            max_duration_ms: reader.get(&options::MAX_DURATION_MS),
            max_cost: reader.get(&options::MAX_COST),
        },
        ask_above: reader.get(&options::ASK_ABOVE).unwrap_or(1.0),
        invocations_per_month: reader.get(&options::INVOCATIONS_PER_MONTH),
        markdown: reader.is_on(&options::MARKDOWN),
        files: tune::Files {
            json: reader.get(&options::JSON_FILE),
            markdown: reader.get(&options::MARKDOWN_FILE),
        },
        definitions: Definitions::new(&reader.get(&options::WRITE).unwrap_or_default()),
        baseline: reader.get(&options::BASELINE),
        max_regression: max_regression(reader),
        open: reader.is_on(&options::OPEN),
        state_machine: reader.get(&options::STATE_MACHINE_ARN),
        detach: reader.is_on(&options::DETACH),
        attach: reader.get(&options::ATTACH),
        watch: reader.is_on(&options::WATCH),
        calibrated: reader.is_on(&options::CALIBRATED),
        code: code(reader),
    }
}

fn scan(reader: &mut Reader<'_>, settings: &Settings) -> scan::Options {
    let regions = reader.get(&options::REGIONS).unwrap_or_default();
    if let Target::Local { region, .. } = &settings.target
        && let Some(other) = regions.iter().find(|named| *named != region)
    {
        reader.problem(format!(
            "--regions has {other}, and the endpoint in this program has one region, {region}: leave --regions out"
        ));
    }
    scan::Options {
        names: reader.get(&options::SCANNED).unwrap_or_default(),
        tags: reader.get(&options::TAG).unwrap_or_default(),
        regions,
        days: reader.get(&options::DAYS).unwrap_or(14),
        min_saving: reader.get(&options::MIN_SAVING).unwrap_or(1.0),
        ask_above: reader.get(&options::SCAN_ASK_ABOVE).unwrap_or(1.0),
        form: form(reader),
        write: reader.get(&options::SCAN_WRITE),
        force: reader.is_on(&options::FORCE),
    }
}

fn form(reader: &mut Reader<'_>) -> scan::Form {
    match (reader.is_on(&options::MARKDOWN), reader.is_on(&options::CSV)) {
        (true, _) => scan::Form::Markdown,
        (false, true) => scan::Form::Csv,
        (false, false) => scan::Form::Text,
    }
}

fn max_regression(reader: &mut Reader<'_>) -> f64 {
    let given = reader.get(&options::MAX_REGRESSION);
    if given.is_some() && reader.get(&options::BASELINE).is_none() {
        reader.problem("`max-regression` is against a former result: name it with --baseline");
    }
    given.unwrap_or(0.1)
}

fn code(reader: &mut Reader<'_>) -> Option<Code> {
    let environment = reader.get(&options::VARIABLE).unwrap_or_default();
    let environment = environment.iter().filter_map(|variable| variable.split_once('='));
    Some(Code {
        path: reader.get(&options::CODE)?,
        runtime: reader.get(&options::RUNTIME),
        handler: reader.get(&options::HANDLER),
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        timeout: reader.get(&options::TIMEOUT),
        layers: reader.get(&options::LAYER).unwrap_or_default(),
        allow: reader.get(&options::ALLOW).unwrap_or_default(),
        policy: reader.get(&options::POLICY_FILE),
    })
}

/// The values of all options that set something, by the name of what they set.
fn set<M: FromIterator<(String, Value)>>(
    reader: &mut Reader<'_>,
    what: fn(&Spec) -> Option<&'static str>,
) -> M {
    let specs = reader.specs();
    specs.filter_map(|spec| Some((what(spec)?.to_owned(), reader.value(spec)?))).collect()
}

fn deploy(reader: &mut Reader<'_>, settings: &Settings) -> up::Options {
    let given: BTreeMap<String, Value> = set(reader, |spec| spec.parameter.map(|parameter| parameter.name));
    let mut parameters = Parameters::new(given.iter().map(|(name, value)| (name.clone(), as_text(value))));
    if settings.is_local() {
        parameters = parameters.with_default(&options::VISUALIZATION_URL, site::local_url());
    }
    up::Options {
        flavour: flavour(reader, settings),
        tags: reader.get(&options::TAGS),
        role_arn: reader.get(&options::ROLE_ARN),
        assets_bucket: reader.get(&options::ASSETS_BUCKET),
        parameters,
        protection: reader.get(&options::TERMINATION_PROTECTION),
    }
}

/// A value as CloudFormation takes it.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(as_text).collect::<Vec<_>>().join(","),
        Value::Object(search) if search.contains_key("auto") => {
            format!("AUTO:{}-{}", search["auto"]["from"], search["auto"]["to"])
        }
        other => other.to_string(),
    }
}

/// What is asked for; what runs on this machine is built for it.
fn flavour(reader: &mut Reader<'_>, settings: &Settings) -> Option<Flavour> {
    let asked = reader.get(&options::ARCHITECTURE).map(Flavour::Lambda);
    asked.or_else(|| settings.is_local().then_some(Flavour::Host))
}
