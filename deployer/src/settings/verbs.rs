//! Turns a verb with its values into a command.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::layers::Reader;
use super::{Settings, Target, values};
use crate::app::parameters::VISUALIZATION_URL;
use crate::build::{Architecture, Flavour};
use crate::cli::{BuildWhat, LocalArgs, LocalWhat, Verb};
use crate::commands::{Command, build, calibrate, compare, local, preview, serve, synth, up};
use crate::deployment::parameters::Parameters;
use crate::site;

/// The port of `deployer local` when none is given: where other local clouds listen, too.
const LOCAL_PORT: u16 = 4566;

/// The command, or none when something it needs is missing (which the reader then knows).
pub(super) fn command(verb: &Verb, reader: &mut Reader, settings: &Settings) -> Option<Command> {
    Some(match verb {
        Verb::Up(arguments) => {
            reader.flags(arguments);
            Command::Up(deploy(reader, settings))
        }
        Verb::Preview(arguments) => {
            reader.flags(arguments);
            Command::Preview(preview::Options {
                detailed_exit_code: reader.flag("detailed-exitcode"),
                deploy: deploy(reader, settings),
            })
        }
        Verb::Tune(arguments) => Command::Tune(Box::new(super::tuning::options(arguments, reader))),
        Verb::Cleanup(arguments) => Command::Cleanup(arguments.function.clone()),
        Verb::Compare(arguments) => {
            reader.flags(arguments);
            Command::Compare(compare::Options {
                links: arguments.links.clone(),
                names: arguments.name.clone(),
                page: reader.take("visualization-url", values::page_url).filter(|url| !url.is_empty()),
                markdown: reader.flag("markdown"),
            })
        }
        Verb::Serve(arguments) => {
            reader.flags(arguments);
            let host = reader.take("host", values::host).unwrap_or(Ipv4Addr::LOCALHOST.into());
            let port = reader.take("port", values::port).unwrap_or(site::PORT);
            Command::Serve(serve::Options {
                address: SocketAddr::new(host, port),
                folder: reader.take("dir", values::path),
                open: reader.flag("open"),
            })
        }
        Verb::Demo(arguments) => Command::Demo(arguments.faults),
        Verb::Outputs => Command::Outputs,
        Verb::Destroy => Command::Destroy,
        Verb::Synth(arguments) => {
            reader.flags(arguments);
            let out = reader.take("out", values::path);
            Command::Synth(synth::Options { out, flavour: flavour(reader, settings) })
        }
        Verb::Build(arguments) => match &arguments.what {
            BuildWhat::Functions(arguments) => {
                reader.flags(arguments);
                let flavours = match reader.take("architecture", values::architectures) {
                    Some(architectures) => architectures.into_iter().map(Flavour::Lambda).collect(),
                    None => vec![Flavour::Host],
                };
                let out = out(reader, "zips");
                Command::BuildFunctions(build::Options { out: out?, flavours })
            }
            BuildWhat::Web(arguments) => {
                reader.flags(arguments);
                Command::BuildWeb(out(reader, "page")?)
            }
            BuildWhat::Release(arguments) => {
                reader.flags(arguments);
                Command::BuildRelease(out(reader, "release")?)
            }
        },
        Verb::Local(LocalArgs { what: Some(LocalWhat::Calibrate(arguments)), .. }) => {
            reader.flags(arguments);
            let Target::Local { state, .. } = settings.target.clone() else { return None };
            Command::Calibrate(calibrate::Options {
                state,
                lambda_ms: reader.take("lambda-ms", values::above_zero),
            })
        }
        Verb::Local(arguments) => {
            reader.flags(arguments);
            let port = reader.take("port", values::port).unwrap_or(LOCAL_PORT);
            let Target::Local { state, region, cpu_share } = settings.target.clone() else { return None };
            Command::Local(local::Options {
                port,
                state,
                region,
                cpu_share,
                faults: arguments.faults.clone(),
            })
        }
        Verb::Completions { shell } => Command::Completions(*shell),
    })
}

fn out(reader: &mut Reader, what: &str) -> Option<PathBuf> {
    let out = reader.take("out", values::path);
    if out.is_none() {
        reader.problem(format!("`out` is missing: name the folder for the {what} with --out DIR"));
    }
    out
}

fn deploy(reader: &mut Reader, settings: &Settings) -> up::Options {
    let mut parameters = Parameters::read(reader);
    if settings.is_local() {
        parameters = parameters.with_default(VISUALIZATION_URL, site::local_url());
    }
    up::Options {
        flavour: flavour(reader, settings),
        tags: reader.take("tags", values::tags),
        role_arn: reader.take("role-arn", values::role_arn),
        assets_bucket: reader.take("assets-bucket", values::bucket),
        parameters,
    }
}

/// What runs on this machine is built for it; what goes to AWS is arm64 unless told otherwise (a fifth cheaper there).
fn flavour(reader: &mut Reader, settings: &Settings) -> Flavour {
    match reader.take("architecture", values::architecture) {
        Some(architecture) => Flavour::Lambda(architecture),
        None if settings.is_local() => Flavour::Host,
        None => Flavour::Lambda(Architecture::Arm64),
    }
}
