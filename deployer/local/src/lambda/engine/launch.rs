//! What an environment is started with: the package, what interprets it, layers, credentials and variables.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{ApiError, Aws, Result};

use super::super::errors::{service, unwritten};
use super::super::name::LATEST;
use super::super::record::{Configuration, Content, now_ms};
use super::environment::{Code, Environment, Session, Start};
use super::in_process::{Candidate, Handler};
use super::journal::Stream;
use super::language::{self, Language};
use super::opt::{self, Opt};
use super::outcome::Failure;
use super::sandbox::Package;
use super::{Engine, Key, Runtime};

/// Where Lambda has a function's package.
const TASK: &str = "/var/task";

/// The variable that names a program which Lambda's own runtimes start in place of the interpreter, with the interpreter's
/// command line as its arguments. Packages with a `bootstrap` of their own start that.
const WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// Where a path of Lambda's leads to here: into the package, or into the layers.
fn here(path: &str, root: &Path, layers: Option<&Path>) -> PathBuf {
    let path = Path::new(path);
    let inside = |folder: &str, real: &Path| path.strip_prefix(folder).ok().map(|rest| real.join(rest));
    inside(TASK, root)
        .or_else(|| layers.and_then(|layers| inside(opt::OPT, layers)))
        .unwrap_or_else(|| path.to_owned())
}

impl Engine {
    /// Starts an environment of a version: the process with what Lambda gives it.
    ///
    /// # Errors
    /// `ServiceException` when the endpoint itself cannot; inside, why the function does not start.
    pub(super) async fn environment(
        &self,
        aws: &Arc<Aws>,
        key: Key,
        configuration: &Configuration,
        stream: Stream,
    ) -> Result<Result<Environment, Failure>> {
        let content = &configuration.content;
        let credentials = aws.iam.session(aws, &content.role, &key.function)?;
        let handler = self.handler(&key.function, content);
        let (root, ready, opt) = match &handler {
            Some(_) => (PathBuf::from(TASK), None, None),
            None => match self.runtime(content).await? {
                Ok(found) => found,
                Err(why) => return Ok(Err(Failure::new("Runtime.StartError", format!("Error: {why}")))),
            },
        };
        let scratch = self.scratch().map_err(|e| unwritten("make a folder for the function", &e))?;
        let session = Session { aws: Arc::downgrade(aws), access_key_id: credentials.access_key_id.clone() };
        let lasts = u64::try_from(credentials.expiration - now_ms() / 1000).unwrap_or_default();
        let layers = opt.as_ref().map(|opt| opt.path.clone());
        let layers = layers.as_deref();
        let libraries = layers.map(|l| format!(":{}/lib", l.display())).unwrap_or_default();
        let opt_bin = layers.unwrap_or(Path::new(opt::OPT)).join("bin");
        let snapshot = content.snap_start && key.version != LATEST;
        let initialization = if snapshot { "snap-start" } else { "on-demand" };
        let own = [
            ("AWS_ACCESS_KEY_ID", credentials.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key),
            ("AWS_SESSION_TOKEN", credentials.session_token),
            ("AWS_REGION", aws.settings.region.clone()),
            ("AWS_DEFAULT_REGION", aws.settings.region.clone()),
            ("AWS_ENDPOINT_URL", aws.settings.url.clone()),
            ("AWS_LAMBDA_FUNCTION_NAME", key.function.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", key.version.clone()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", content.memory_size.to_string()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", initialization.to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", content.logging.group.clone()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", stream.name.clone()),
            ("LAMBDA_TASK_ROOT", root.display().to_string()),
            ("LAMBDA_RUNTIME_DIR", root.display().to_string()),
            ("_HANDLER", content.dispatches_on().to_owned()),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("TZ", ":UTC".to_owned()),
            ("PATH", format!("/usr/local/bin:/usr/bin:/bin:{}", opt_bin.display())),
            ("LD_LIBRARY_PATH", format!("{0}:{0}/lib{libraries}", root.display())),
            // On AWS a function finds no profile of a user and has /tmp to itself.
            ("HOME", scratch.path().display().to_string()),
            ("TMPDIR", scratch.path().display().to_string()),
        ];
        let mut variables: Vec<(String, String)> = own.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        variables.extend(ready.iter().flat_map(|r| r.variables(&content.runtime, &root, layers)));
        if content.logging.json {
            let level = content.logging.application_level.clone();
            variables.push(("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned()));
            variables.push(("AWS_LAMBDA_LOG_LEVEL".to_owned(), level.unwrap_or_else(|| "INFO".to_owned())));
        }
        variables.extend(content.environment.iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
        let code = match handler {
            Some(handler) => Code::InProcess(handler),
            None => {
                let wrapper = content.environment.as_ref().and_then(|own| own.get(WRAPPER));
                let wrapper = wrapper.map(|wrapper| here(wrapper, &root, layers));
                let launch = ready.map(|r| r.launch(content.memory_size, layers));
                let launch = match (launch, wrapper) {
                    (Some(launch), Some(wrapper)) => Some(launch.wrapped(wrapper)),
                    (launch, _) => launch,
                };
                Code::Package(Package { root, launch, opt, architecture: content.architecture.clone() })
            }
        };
        let start = Start {
            key,
            code,
            scratch,
            variables,
            memory_mb: content.memory_size,
            stream,
            session,
            expires: Instant::now()
                + Duration::from_secs(lasts.saturating_sub(u64::from(content.timeout) + 60)),
        };
        Ok(Environment::start(start, &self.machine.machinery).await)
    }

    /// The handler in this process that runs a function, when there is one.
    pub fn handler(&self, function: &str, content: &Content) -> Option<Handler> {
        self.handlers.find(Candidate { function, handler: content.dispatches_on() })
    }

    /// What runs a function: its unpacked package, the interpreter when it needs one, and its layers.
    ///
    /// # Errors
    /// `ServiceException`; inside, what is missing on this machine and how to get it.
    pub async fn runtime(&self, content: &Content) -> Result<Result<Runtime, String>> {
        if let Some(image) = &content.image {
            return Ok(Err(format!(
                "{} is a container image, and the local endpoint runs zip packages only: give the code as a zip",
                image.uri
            )));
        }
        let (packages, content) = (self.packages.clone(), content.clone());
        let language = Language::of(&content.runtime);
        let unpack = move || {
            let root = packages.folder(&content.code_sha256)?;
            let layers = packages.layers(&content.layer_zips())?;
            let sdk = language.map(|l| language::sdk(l, &root, layers.as_deref())).unwrap_or_default();
            Ok::<_, ApiError>((root, layers, sdk))
        };
        let unpacked = tokio::task::spawn_blocking(unpack).await.map_err(|e| service(e.to_string()))?;
        let (root, layers, sdk) = unpacked?;
        let ready = match language {
            Some(language) => match self.runtimes.ready(language, sdk).await {
                Ok(ready) => Some(ready),
                Err(why) => return Ok(Err(why)),
            },
            None => None,
        };
        let runtimes = self.packages.runtimes();
        let needed: Vec<&Path> =
            [root.as_path(), &runtimes].into_iter().chain(ready.as_ref().map(|r| r.program())).collect();
        let opt = layers.map(|folder| Opt::new(folder, &needed));
        Ok(Ok((root, ready, opt)))
    }

    fn scratch(&self) -> std::io::Result<tempfile::TempDir> {
        let folder = {
            let mut state = self.lock();
            match &state.scratch {
                Some(folder) => folder.clone(),
                None => state.scratch.insert(self.packages.scratch()?).clone(),
            }
        };
        tempfile::tempdir_in(folder)
    }
}
