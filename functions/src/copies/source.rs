//! What is copied: read from Lambda by the Initializer, to say what is in the way, and again by the Publisher, to make copies.

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{FunctionConfiguration, PackageType, Runtime, SnapStartApplyOn};

use super::Copies;
use crate::clients::Clients;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::function_api::{Configuration, FunctionApi, transient};
use crate::run::Run;

/// Runtimes of which Lambda creates no functions any more, though those that there are still run and can be updated for some time
/// (recorded on AWS, and "Deprecated runtimes" in Lambda's developer guide). What is missing here is refused by CreateFunction itself.
const NOT_CREATED: [&str; 21] = [
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "go1.x",
    "java8",
    "nodejs",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "provided",
    "python2.7",
    "python3.6",
    "python3.7",
    "ruby2.5",
    "ruby2.7",
    "dotnet5.0",
];

/// The function that is copied, as Lambda shows it.
#[derive(Debug)]
pub struct Source {
    /// Everything that is set, environment included: never to be handed on, written or logged.
    pub(super) shown: FunctionConfiguration,
    /// The same as far as runs know it.
    pub configuration: Configuration,
    /// Where the code is.
    pub(super) code: Code,
    /// The function's reserved concurrency, if it has any; of a version or alias nothing is told.
    pub(super) reserved: Option<u32>,
    obstacles: Vec<String>,
}

/// Where the code of a function is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Code {
    /// A zip behind a URL that is good for ten minutes.
    Zip(String),
    /// An image, by its digest.
    Image(String),
    /// It is not told.
    Hidden,
}

impl Source {
    /// Reads the function at a version or alias.
    ///
    /// # Errors
    /// What AWS refuses.
    pub async fn read(api: &FunctionApi, qualifier: Option<&str>) -> Result<Self, Error> {
        let output = api.read(qualifier).await.map_err(|refusal| {
            let missing = refusal.is_not_found();
            let error = Error::from(refusal);
            if !missing {
                return error;
            }
            let at = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
            let message = format!("there is no function {}{at}: check lambdaARN", api.function());
            Error::new(Kind::FunctionNotFound, message)
        })?;
        Ok(Self::from(output))
    }

    /// Reads what a run copies once more.
    ///
    /// # Errors
    /// [`Kind::FunctionChanged`] when code or settings are others than when the run began.
    pub async fn again(api: &FunctionApi, run: &Run, copies: &Copies) -> Result<Self, Error> {
        let source = Self::read(api, Some(&copies.of)).await?;
        if source.configuration.has_same_settings(&run.code_sha256, &run.settings)
            && source.configuration.architecture == run.architecture
        {
            return Ok(source);
        }
        let message = format!(
            "{} was changed while copies of it were being made: run again when nobody is deploying, or name one of its versions in \
             lambdaARN, which nobody can change",
            api.function()
        );
        Err(Error::new(Kind::FunctionChanged, message))
    }

    /// What is to be known of its copies.
    pub fn copies(&self, role: String) -> Copies {
        let on = self.shown.snap_start.as_ref().and_then(|snap_start| snap_start.apply_on.as_ref());
        Copies {
            of: self.shown.version.clone().unwrap_or_else(|| crate::function_api::LATEST.to_owned()),
            role,
            snapshots: on == Some(&SnapStartApplyOn::PublishedVersions),
            stored: matches!(self.code, Code::Image(_)),
        }
    }

    /// The role that the function itself has.
    pub fn role(&self) -> &str {
        self.shown.role().unwrap_or_default()
    }

    /// What a copy in another account could not have.
    pub fn bound_to_its_account(&self) -> Vec<String> {
        let shown = &self.shown;
        let mut bound = Vec::new();
        if shown.vpc_config().is_some_and(|vpc| !vpc.subnet_ids().is_empty()) {
            bound.push("VpcConfig: a function of another account cannot be in its network".to_owned());
        }
        if !shown.file_system_configs().is_empty() {
            bound.push(
                "FileSystemConfigs: a function of another account cannot mount its file systems".to_owned(),
            );
        }
        if let Some(key) = shown.kms_key_arn().filter(|key| !key.is_empty()) {
            bound.push(format!("KMSKeyArn: the key {key} is its account's"));
        }
        bound
    }

    /// Its layers of which there is no version any more, which only functions that there are already keep.
    ///
    /// # Errors
    /// What AWS refuses otherwise.
    pub async fn missing_layers(
        &self,
        clients: &Clients,
        region: &str,
        deadline: Deadline,
    ) -> Result<Vec<String>, Error> {
        let mut missing = Vec::new();
        for arn in self.shown.layers().iter().filter_map(|layer| layer.arn()) {
            let client = clients.lambda(region)?;
            let found = transient::call("GetLayerVersionByArn", deadline, false, || {
                client.get_layer_version_by_arn().arn(arn).send()
            });
            match found.await {
                Ok(_) => {}
                Err(refusal) if refusal.is_not_found() => {
                    missing
                        .push(format!("Layers: {arn} was deleted, and Lambda creates no functions with it"));
                }
                Err(refusal) if refusal.is_denied() => {
                    missing.push(format!("Layers: {arn} may not be used here ({})", refusal.message));
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
        Ok(missing)
    }

    /// Whether it is a container image.
    pub fn is_image(&self) -> bool {
        self.shown.package_type() == Some(&PackageType::Image)
    }

    /// Why it cannot be copied, each with what is in the way.
    pub fn obstacles(&self) -> &[String] {
        &self.obstacles
    }
}

/// The reserved concurrency that is shown of a function.
pub(super) fn reserved(shown: &GetFunctionOutput) -> Option<u32> {
    let concurrency = shown.concurrency.as_ref()?;
    concurrency.reserved_concurrent_executions.and_then(|reserved| u32::try_from(reserved).ok())
}

impl From<GetFunctionOutput> for Source {
    fn from(mut output: GetFunctionOutput) -> Self {
        let reserved = reserved(&output);
        let code = output.code.take();
        let shown = output.configuration.clone().unwrap_or_else(|| FunctionConfiguration::builder().build());
        let configuration = Configuration::from(output);
        let mut obstacles = configuration.obstacles.clone();
        if let Some(runtime) = shown.runtime().map(Runtime::as_str).filter(|r| NOT_CREATED.contains(r)) {
            obstacles.push(format!("Runtime {runtime}: Lambda creates no functions of it any more"));
        }
        if let Some(profile) = shown.signing_profile_version_arn().or(shown.signing_job_arn()) {
            obstacles.push(format!(
                "code signing: its package is signed ({profile}), and a copy would not be checked"
            ));
        }
        let hidden = code.as_ref().and_then(|code| code.error()).map(|error| {
            let code = error.error_code().unwrap_or("no code");
            format!("Code: Lambda does not hand it out ({code}: {})", error.message().unwrap_or("no reason"))
        });
        if let Some(key) = code.as_ref().and_then(|code| code.source_kms_key_arn()) {
            obstacles.push(format!(
                "Code: its package is encrypted with the key {key}, and a copy of it would not be"
            ));
        }
        let is_image = shown.package_type() == Some(&PackageType::Image);
        let found = code.and_then(|code| if is_image { code.resolved_image_uri } else { code.location });
        let code = match found {
            Some(uri) if is_image => Code::Image(uri),
            Some(url) => Code::Zip(url),
            None => Code::Hidden,
        };
        if code == Code::Hidden {
            obstacles
                .push(hidden.unwrap_or_else(|| "Code: Lambda does not say where its package is".to_owned()));
        }
        Self { shown, configuration, code, reserved, obstacles }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{
        FileSystemConfig, FunctionCodeLocation, FunctionCodeLocationError, VpcConfigResponse,
    };

    use super::*;

    fn of(shown: FunctionConfiguration, code: FunctionCodeLocation) -> Source {
        Source::from(GetFunctionOutput::builder().configuration(shown).code(code).build())
    }

    fn shown() -> aws_sdk_lambda::types::builders::FunctionConfigurationBuilder {
        FunctionConfiguration::builder().runtime(Runtime::Python313).version("7")
    }

    fn located() -> FunctionCodeLocation {
        FunctionCodeLocation::builder().location("https://bucket/key").build()
    }

    #[test]
    fn what_cannot_be_copied_is_said() {
        assert_eq!(of(shown().build(), located()).obstacles(), Vec::<String>::new());
        let past = of(shown().runtime(Runtime::from("python3.7")).build(), located());
        assert_eq!(past.obstacles(), ["Runtime python3.7: Lambda creates no functions of it any more"]);
        let signed = of(shown().signing_profile_version_arn("arn:profile").build(), located());
        assert!(signed.obstacles()[0].starts_with("code signing"), "{:?}", signed.obstacles());
        let error = FunctionCodeLocationError::builder().error_code("AccessDenied").message("no").build();
        let hidden = of(shown().build(), FunctionCodeLocation::builder().error(error).build());
        assert_eq!(hidden.obstacles(), ["Code: Lambda does not hand it out (AccessDenied: no)"]);
        let encrypted = FunctionCodeLocation::builder().location("x").source_kms_key_arn("arn:key").build();
        assert!(of(shown().build(), encrypted).obstacles()[0].contains("arn:key"));
    }

    #[test]
    fn what_belongs_to_an_account_cannot_leave_it() {
        assert_eq!(of(shown().build(), located()).bound_to_its_account(), Vec::<String>::new());
        let vpc = VpcConfigResponse::builder().subnet_ids("subnet-1").build();
        let file = FileSystemConfig::builder().arn("arn:efs").local_mount_path("/mnt/a").build().unwrap();
        let bound = shown().vpc_config(vpc).file_system_configs(file).kms_key_arn("arn:key").build();
        let bound = of(bound, located()).bound_to_its_account();
        let names: Vec<_> = bound.iter().filter_map(|text| text.split(':').next()).collect();
        assert_eq!(names, ["VpcConfig", "FileSystemConfigs", "KMSKeyArn"]);
    }

    #[test]
    fn an_image_is_copied_by_its_digest() {
        let code = FunctionCodeLocation::builder()
            .image_uri("r.dkr.ecr/image:latest")
            .resolved_image_uri("r.dkr.ecr/image@sha256:0b1c")
            .build();
        let image = of(FunctionConfiguration::builder().package_type(PackageType::Image).build(), code);
        assert_eq!(image.code, Code::Image("r.dkr.ecr/image@sha256:0b1c".to_owned()));
        assert!(image.copies("role".to_owned()).stored);
        let zip = of(shown().build(), located());
        assert_eq!(zip.code, Code::Zip("https://bucket/key".to_owned()));
        let copies = zip.copies("role".to_owned());
        assert_eq!((copies.of.as_str(), copies.stored), ("7", false));
    }
}
