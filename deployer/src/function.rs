//! The function to tune: found by name or ARN, or on this machine created from its code.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Environment, FunctionCode, FunctionConfiguration, LastUpdateStatus, Runtime, State,
};
use serde_json::{Map, Value};
use tuning::strategy::Strategy;

use crate::aws::{Aws, Call};
use crate::context::Context;
use crate::events::Events;
use crate::failure::{Usage, hinted};

/// Where a function's code is and how it is run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Code {
    /// A folder or a zip.
    pub path: PathBuf,
    /// The handler.
    pub handler: Option<String>,
    /// The environment's variables.
    pub environment: Vec<(String, String)>,
    /// The time-out, in seconds.
    pub timeout: Option<u32>,
}

/// A function's time-out when none is given, in seconds. Lambda's own default of 3 s is too short for small sizes.
const TIMEOUT: u32 = 60;

/// Code that was read and found to be runnable.
#[derive(Debug)]
pub struct Package {
    /// A name for the function, made from the file's.
    pub name: String,
    zip: Vec<u8>,
    code: Code,
}

impl Package {
    /// Reads and checks the code: a zip, or a folder to be zipped, with an executable `bootstrap` at its top.
    ///
    /// # Errors
    /// [`Usage`] that names the path and what is wrong with it.
    pub fn read(code: &Code) -> anyhow::Result<Self> {
        let path = &code.path;
        let usage = |problem: &dyn std::fmt::Display| Usage(format!("--code {}: {problem}", path.display()));
        let path = path.canonicalize().map_err(|error| usage(&error))?;
        let zip = if path.is_dir() {
            zip_folder(&path)?
        } else {
            std::fs::read(&path).map_err(|error| usage(&error))?
        };
        let mut archive = zip::ZipArchive::new(Cursor::new(&zip))
            .map_err(|error| usage(&format!("is neither a folder nor a zip ({error})")))?;
        if archive.by_name("bootstrap").is_err() {
            return Err(usage(
                &"has no `bootstrap` at its top, the executable that Lambda starts; for Rust, build a binary of that name",
            )
            .into());
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name: String = stem
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .take(64)
            .collect();
        Ok(Self { name: if name.is_empty() { "function".to_owned() } else { name }, zip, code: code.clone() })
    }
}

fn zip_folder(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(&inside)
            .and_then(Iterator::collect::<Result<_, _>>)
            .with_context(|| format!("reading the folder {}", inside.display()))?;
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            let path = entry.path();
            let metadata = std::fs::metadata(&path).with_context(|| format!("reading {}", path.display()))?;
            if metadata.is_dir() {
                folders.push(path);
                continue;
            }
            use std::os::unix::fs::PermissionsExt as _;
            let options = zip::write::SimpleFileOptions::default()
                .last_modified_time(zip::DateTime::default())
                .unix_permissions(metadata.permissions().mode());
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            zip.start_file(name, options).with_context(|| format!("zipping {}", path.display()))?;
            let mut bytes = Vec::new();
            std::fs::File::open(&path)
                .and_then(|mut file| file.read_to_end(&mut bytes))
                .with_context(|| format!("reading {}", path.display()))?;
            zip.write_all(&bytes).with_context(|| format!("zipping {}", path.display()))?;
        }
    }
    Ok(zip.finish().context("finishing the zip")?.into_inner())
}

/// Judges an execution input before anything is called, by the rules of the state machine itself. Fields that it would
/// ignore are warned about. Hands back what will be chosen by.
///
/// # Errors
/// [`Usage`] with every problem.
pub fn check(input: &Map<String, Value>, named: &str, context: &Context) -> Result<Strategy, Usage> {
    let mut whole = input.clone();
    let arn = if named.starts_with("arn:") {
        named.to_owned()
    } else {
        // Only its form matters here: the real one is looked up afterwards.
        format!("arn:aws:lambda:us-east-1:000000000000:function:{named}")
    };
    whole.insert("lambdaARN".to_owned(), arn.into());
    let whole = Value::Object(whole);
    for unknown in tuning::input::unknown_fields(&whole) {
        context.events.warning(unknown.to_string());
    }
    // The stack has its own default sizes; any will do for judging the rest.
    let defaults = tuning::input::Defaults { power_values: vec![128] };
    let input =
        tuning::input::Input::parse(&whole, &defaults).map_err(|problems| Usage(problems.to_string()))?;
    for warning in &input.warnings {
        context.events.warning(warning.to_string());
    }
    Ok(input.strategy)
}

/// The ARN of a function that exists.
///
/// # Errors
/// One that does not, with a hint.
pub async fn find(aws: &Aws, named: &str, local: bool) -> anyhow::Result<String> {
    if named.starts_with("arn:") {
        crate::execution::same_region(named, aws)?;
    }
    match configuration(aws, named).await? {
        Some(found) => arn(&found),
        None => {
            let place = aws.place();
            let hint = if local {
                "create it from its code with --code DIR, or name one that exists on this machine"
            } else {
                "check the name, the region (--region) and the account (--profile)"
            };
            Err(hinted(anyhow::anyhow!("the function {named} does not exist in {}", place.region), hint))
        }
    }
}

async fn configuration(aws: &Aws, named: &str) -> anyhow::Result<Option<FunctionConfiguration>> {
    let found = aws.lambda().get_function().function_name(named).send().await;
    match found.called("lambda:GetFunction") {
        Ok(found) => Ok(found.configuration().cloned()),
        Err(error) if error.is("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(error).with_context(|| format!("looking up the function {named}")),
    }
}

fn arn(found: &FunctionConfiguration) -> anyhow::Result<String> {
    found.function_arn().map(str::to_owned).context("the function has no ARN")
}

/// Creates the function, or brings it up to date, and waits until it is ready.
///
/// # Errors
/// What Lambda refused.
pub async fn put(aws: &Aws, name: &str, package: &Package, events: &Events) -> anyhow::Result<String> {
    let code = &package.code;
    let handler = code.handler.clone().unwrap_or_else(|| "bootstrap".to_owned());
    let timeout = i32::try_from(code.timeout.unwrap_or(TIMEOUT)).unwrap_or(900);
    let environment =
        Environment::builder().set_variables(Some(code.environment.iter().cloned().collect())).build();
    let zip = Blob::new(package.zip.clone());
    if configuration(aws, name).await?.is_some() {
        events.started(format!("bringing {name} up to date"));
        aws.lambda()
            .update_function_code()
            .function_name(name)
            .zip_file(zip)
            .send()
            .await
            .called("lambda:UpdateFunctionCode")
            .with_context(|| format!("updating the code of {name}"))?;
        ready(aws, name).await?;
        aws.lambda()
            .update_function_configuration()
            .function_name(name)
            .handler(handler)
            .timeout(timeout)
            .environment(environment)
            .send()
            .await
            .called("lambda:UpdateFunctionConfiguration")
            .with_context(|| format!("updating the configuration of {name}"))?;
    } else {
        events.started(format!("creating {name}"));
        aws.lambda()
            .create_function()
            .function_name(name)
            .runtime(Runtime::Providedal2023)
            .handler(handler)
            .timeout(timeout)
            .environment(environment)
            .role(aws.local_function_role().await?)
            .code(FunctionCode::builder().zip_file(zip).build())
            .send()
            .await
            .called("lambda:CreateFunction")
            .with_context(|| format!("creating {name}"))?;
    }
    let ready = ready(aws, name).await?;
    events.finished(format!("{name} is ready"));
    arn(&ready)
}

async fn ready(aws: &Aws, name: &str) -> anyhow::Result<FunctionConfiguration> {
    loop {
        let found = configuration(aws, name).await?.with_context(|| format!("{name} has gone"))?;
        match (found.state(), found.last_update_status()) {
            (Some(State::Failed), _) | (_, Some(LastUpdateStatus::Failed)) => {
                let reason =
                    found.state_reason().or(found.last_update_status_reason()).unwrap_or("no reason given");
                anyhow::bail!("{name} cannot be used: {reason}");
            }
            (Some(State::Pending), _) | (_, Some(LastUpdateStatus::InProgress)) => {
                tokio::time::sleep(aws.poll_interval()).await;
            }
            _ => return Ok(found),
        }
    }
}
