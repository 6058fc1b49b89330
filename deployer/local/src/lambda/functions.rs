//! Functions as a whole: create, read, list, change, delete.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Aws, Caller, Result};

use super::code::{Code, Source};
use super::configuration::Configured;
use super::errors::{conflict, invalid, no_function};
use super::input::{Constraints, Named, Page, flag, is_word, read};
use super::name::{LATEST, Target, version_number};
use super::publish::{Publishing, changeable, publish};
use super::record::{
    ALIAS, ARCHITECTURES, Alias, Configuration, FUNCTION, Function, Phase, ROUTE, VERSION, alias_id,
    version_id,
};
use super::{Lambda, keys, record, tags};

/// What AWS's model says of MasterRegion.
const MASTER_REGION: &str = r"ALL|[a-z]{2}(-gov)?-[a-z]+-\d{1}";

fn is_master_region(text: &str) -> bool {
    regex_lite::Regex::new(&format!("^({MASTER_REGION})$")).is_ok_and(|pattern| pattern.is_match(text))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    function_name: Option<String>,
    code: Option<Code>,
    #[serde(flatten)]
    configured: Configured,
    architectures: Option<Vec<String>>,
    package_type: Option<String>,
    code_signing_config_arn: Option<String>,
    publish_to: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    publish: bool,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateCode {
    function_name: Option<String>,
    #[serde(flatten)]
    code: Code,
    architectures: Option<Vec<String>>,
    #[serde(default, deserialize_with = "flag")]
    publish: bool,
    #[serde(default, deserialize_with = "flag")]
    dry_run: bool,
    publish_to: Option<String>,
    revision_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateConfiguration {
    function_name: Option<String>,
    #[serde(flatten)]
    configured: Configured,
    revision_id: Option<String>,
}

impl Lambda {
    pub(super) async fn create_function(
        &self,
        aws: &Arc<Aws>,
        caller: &Caller,
        input: Value,
    ) -> Result<Value> {
        let input: Create = read(input)?;
        let mut constraints = Constraints::default();
        constraints.required("code", input.code.as_ref());
        constraints.one_of("packageType", input.package_type.as_deref(), &["Image", "Zip"]);
        input.configured.constrain(&mut constraints);
        constraints.check()?;
        input.configured.check_quota(self.behaviour().memory_quota)?;
        let target = Target::whole(aws, input.function_name.as_deref())?;
        target.check_new()?;
        target.authorize(aws, caller, "CreateFunction")?;
        if !input.tags.is_empty() {
            target.authorize(aws, caller, "TagResource")?;
        }
        tags::check(&input.tags)?;
        if input.code_signing_config_arn.is_some() {
            return Err(invalid(
                "CodeSigningConfigArn is not supported: the local endpoint checks no signatures",
            ));
        }
        refuse_publish_to(input.publish_to.as_deref())?;
        let architecture =
            architecture(input.architectures.as_deref())?.unwrap_or_else(|| ARCHITECTURES[0].to_owned());
        input.configured.check_role(aws, caller)?;
        let exists = || conflict(format!("Function already exist: {}", target.name));
        if aws.store.get::<Function>(FUNCTION, &target.name).is_some() {
            return Err(exists());
        }
        let Some(code) = input.code else {
            return Err(invalid("Please provide a source for function code."));
        };
        let layers = self.layers(aws, caller, input.configured.layers.as_deref().unwrap_or_default())?;
        let is_image = input.package_type.as_deref() == Some("Image");
        let source = self.source(aws, caller, code, (is_image, "creating")).await?;
        let mut content = input.configured.create(&target.name, source, architecture)?;
        self.check_code_storage(aws, content.code_size)?;
        content.layers = layers;
        self.fits(&content.code_sha256, &content.layers).await?;
        Configured::check_network_of_caller(aws, caller, &content)?;
        Configured::check_network(aws, &content)?;
        Configured::check_file_systems(aws, caller, &content)?;
        keys::check_grant(aws, caller, &content)?;
        let delay = self.settle_ms();
        // The version comes with the function, and is ready when that is.
        let publishing = Publishing { zip_ms: delay, ..self.publishing() };
        let function = Function {
            name: target.name.clone(),
            latest: Configuration::new(LATEST.to_owned(), content, Phase::Creating, delay),
            previous: None,
            next_version: 1,
            last_published: None,
            last_description: None,
            tags: input.tags,
            reserved_concurrency: None,
            policies: BTreeMap::new(),
            policy_revisions: BTreeMap::new(),
        };
        aws.store.transaction(|records| {
            if records.get::<Function>(FUNCTION, &target.name).is_some() {
                return Err(exists());
            }
            records.put(FUNCTION, &target.name, &function);
            if input.publish {
                let mut function = function.clone();
                let version = publish(records, &mut function, None, publishing);
                return Ok(version.shown(aws, &target.name, Some(&version.version)));
            }
            Ok(function.latest.shown(aws, &target.name, None))
        })
    }

    pub(super) fn get_function(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let (target, function, configuration) = self.find(aws, caller, input, "GetFunction")?;
        let sha256 = &configuration.content.code_sha256;
        let code = match &configuration.content.image {
            Some(image) => {
                json!({"RepositoryType": "ECR", "ImageUri": image.uri, "ResolvedImageUri": image.resolved()})
            }
            None => {
                let location = self.presigner.url(aws, "snapshots", &target.name, sha256);
                json!({"RepositoryType": "S3", "Location": location})
            }
        };
        let mut configured = configuration.shown(aws, &target.name, target.qualifier.as_deref());
        keys::hide(aws, caller, &configuration.content, &mut configured);
        let mut shown = json!({
            "Configuration": configured,
            "Code": code,
        });
        if !function.tags.is_empty() {
            shown["Tags"] = json!(function.tags);
        }
        if let Some(reserved) = function.reserved_concurrency {
            shown["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
        }
        Ok(shown)
    }

    pub(super) fn get_configuration(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let (target, _, configuration) = self.find(aws, caller, input, "GetFunctionConfiguration")?;
        let mut shown = configuration.shown(aws, &target.name, target.qualifier.as_deref());
        keys::hide(aws, caller, &configuration.content, &mut shown);
        Ok(shown)
    }

    /// The function, and the version that the request's qualifier stands for.
    fn find(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
        action: &str,
    ) -> Result<(Target, Function, Configuration)> {
        let input: Named = read(input)?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        target.authorize_qualified(aws, caller, action)?;
        let function = self.function(aws, &target)?;
        let configuration = match target.qualifier.as_deref() {
            None => function.latest.clone(),
            Some(q) if q == LATEST || version_number(q).is_some() => {
                record::version(&aws.store, &function, q).ok_or_else(|| no_function(target.arn(aws)))?
            }
            Some(q) => {
                let alias: Alias = aws
                    .store
                    .get(ALIAS, &alias_id(&function.name, q))
                    .ok_or_else(|| no_function(target.arn(aws)))?;
                record::version(&aws.store, &function, &alias.version)
                    .ok_or_else(|| no_function(target.arn(aws)))?
            }
        };
        Ok((target, function, configuration))
    }

    /// The function a request names.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub(super) fn function(&self, aws: &Aws, target: &Target) -> Result<Function> {
        aws.store.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.arn(aws)))
    }

    pub(super) fn list_functions(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Page = read(input)?;
        let mut constraints = Constraints::default();
        constraints.one_of("functionVersion", input.function_version.as_deref(), &["ALL"]);
        if let Some(region) = &input.master_region {
            constraints.pattern("masterRegion", region, is_master_region(region), MASTER_REGION);
        }
        constraints.check()?;
        let limit = input.limit()?;
        aws.iam.authorize(aws, caller, "lambda:ListFunctions", "*")?;
        let all = input.function_version.is_some();
        if input.master_region.is_some() {
            if !all {
                return Err(invalid("FunctionVersion must be set to ALL if MasterRegion is specified."));
            }
            // Nothing is replicated here.
            return Ok(json!({"Functions": []}));
        }
        let mut shown = Vec::new();
        let mut marker = None;
        // A marker is the last entry shown: a function's name, or the id of one of its versions.
        let (from, within) = match input.marker.as_deref().map(|m| m.split_once('/').unwrap_or((m, ""))) {
            Some((name, number)) => (Some(name.to_owned()), Some((name.to_owned(), number.to_owned()))),
            None => (None, None),
        };
        let resumed = if all { within } else { None };
        let mut functions: Vec<(String, Function)> = resumed
            .iter()
            .filter_map(|(name, _)| Some((name.clone(), aws.store.get(FUNCTION, name)?)))
            .collect();
        functions.extend(aws.store.range(FUNCTION, "", from.as_deref(), limit + 1));
        'functions: for (name, function) in functions {
            let after = resumed.as_ref().filter(|(n, _)| *n == name).map(|(_, number)| number.as_str());
            if after.is_none() {
                if shown.len() == limit {
                    break;
                }
                shown.push(function.latest.summary(aws, &name, all.then_some(LATEST)));
                marker = Some(name.clone());
            }
            if !all {
                continue;
            }
            let after = after.filter(|a| !a.is_empty()).map(|a| format!("{name}/{a}"));
            let page: Vec<(String, Configuration)> =
                aws.store.range(VERSION, &format!("{name}/"), after.as_deref(), limit + 1);
            for (id, version) in page {
                if shown.len() == limit {
                    break 'functions;
                }
                shown.push(version.summary(aws, &name, Some(&version.version)));
                marker = Some(id);
            }
        }
        let mut answer = json!({"Functions": shown});
        if shown.len() == limit && self.more_follow(aws, marker.as_deref(), all) {
            answer["NextMarker"] = json!(marker);
        }
        Ok(answer)
    }

    fn more_follow(&self, aws: &Aws, marker: Option<&str>, all: bool) -> bool {
        let Some(marker) = marker else { return false };
        let name = marker.split_once('/').map_or(marker, |(name, _)| name);
        let after = marker.contains('/').then_some(marker);
        (all && !aws.store.range::<Configuration>(VERSION, &format!("{name}/"), after, 1).is_empty())
            || !aws.store.range::<Function>(FUNCTION, "", Some(name), 1).is_empty()
    }

    pub(super) async fn update_code(&self, aws: &Arc<Aws>, caller: &Caller, input: Value) -> Result<Value> {
        let input: UpdateCode = read(input)?;
        let target = Target::whole(aws, input.function_name.as_deref())?;
        target.authorize(aws, caller, "UpdateFunctionCode")?;
        refuse_publish_to(input.publish_to.as_deref())?;
        let architecture = architecture(input.architectures.as_deref())?;
        let function = self.function(aws, &target)?;
        changeable(aws, &function, input.revision_id.as_deref())?;
        let is_image = function.latest.content.image.is_some();
        let source = self.source(aws, caller, input.code, (is_image, "updating")).await?;
        if let Source::Zip(package) = &source {
            self.fits(&package.sha256, &function.latest.content.layers).await?;
        }
        let delay = self.settle_ms();
        let publishing = Publishing { zip_ms: delay, ..self.publishing() };
        let answer = aws.store.transaction(|records| {
            let mut function: Function =
                records.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.arn(aws)))?;
            changeable(aws, &function, input.revision_id.as_deref())?;
            let mut content = function.latest.content.clone();
            content.take(source);
            content.architecture = architecture.unwrap_or(content.architecture);
            function.change(content, delay);
            if input.dry_run {
                return Ok(function.latest.shown(aws, &target.name, None));
            }
            if input.publish {
                let version = publish(records, &mut function, None, publishing);
                return Ok(version.shown(aws, &target.name, Some(&version.version)));
            }
            records.put(FUNCTION, &target.name, &function);
            Ok(function.latest.shown(aws, &target.name, None))
        })?;
        self.retire_soon(aws, &target.name);
        Ok(answer)
    }

    pub(super) async fn update_configuration(
        &self,
        aws: &Arc<Aws>,
        caller: &Caller,
        input: Value,
    ) -> Result<Value> {
        let input: UpdateConfiguration = read(input)?;
        let mut constraints = Constraints::default();
        input.configured.constrain(&mut constraints);
        constraints.check()?;
        input.configured.check_quota(self.behaviour().memory_quota)?;
        let target = Target::whole(aws, input.function_name.as_deref())?;
        target.authorize(aws, caller, "UpdateFunctionConfiguration")?;
        let function = self.function(aws, &target)?;
        input.configured.check_role(aws, caller)?;
        let layers =
            input.configured.layers.as_deref().map(|arns| self.layers(aws, caller, arns)).transpose()?;
        if let Some(layers) = &layers {
            self.fits(&function.latest.content.code_sha256, layers).await?;
        }
        let delay = self.settle_ms();
        let answer = aws.store.transaction(|records| {
            let mut function: Function =
                records.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.arn(aws)))?;
            changeable(aws, &function, input.revision_id.as_deref())?;
            let mut content = function.latest.content.clone();
            input.configured.change(&target.name, &mut content)?;
            content.layers = layers.unwrap_or(content.layers);
            if content.vpc != function.latest.content.vpc || content.role != function.latest.content.role {
                Configured::check_network(aws, &content)?;
            }
            Configured::check_file_systems(aws, caller, &content)?;
            keys::check_grant(aws, caller, &content)?;
            function.change(content, delay);
            records.put(FUNCTION, &target.name, &function);
            Ok(function.latest.shown(aws, &target.name, None))
        })?;
        self.retire_soon(aws, &target.name);
        Ok(answer)
    }

    pub(super) fn delete_function(&self, aws: &Arc<Aws>, caller: &Caller, input: Value) -> Result<Value> {
        let input: Named = read(input)?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        target.authorize_qualified(aws, caller, "DeleteFunction")?;
        let number = match target.qualifier.as_deref() {
            None => None,
            Some(LATEST) => {
                return Err(invalid("$LATEST version cannot be deleted without deleting the function."));
            }
            Some(q) => match version_number(q) {
                None if is_word(q) => {
                    return Err(invalid("Deletion of aliases is not currently supported."));
                }
                number => Some(number),
            },
        };
        aws.store.transaction(|records| {
            let Some(mut function) = records.get::<Function>(FUNCTION, &target.name) else {
                return Err(no_function(target.function_arn(aws)));
            };
            let Some(number) = number else {
                records.delete(FUNCTION, &target.name);
                for kind in [VERSION, ALIAS, ROUTE] {
                    records.delete_prefix(kind, &format!("{}/", target.name));
                }
                return Ok(());
            };
            // A version that is not there, or no longer, is as good as deleted: AWS answers the same.
            let Some(number) = number else { return Ok(()) };
            let version = version_id(&target.name, number);
            let routes: Vec<(String, ())> = records.range(ROUTE, &format!("{version}/"), None, 50);
            if !routes.is_empty() {
                let aliases: Vec<&str> = routes.iter().filter_map(|(id, ())| id.rsplit('/').next()).collect();
                return Err(conflict(format!(
                    "Unable to delete version because the following aliases reference it: [{}]",
                    aliases.join(", ")
                )));
            }
            records.delete(VERSION, &version);
            let qualifier = number.to_string();
            if function.forget_policy(&qualifier) {
                records.put(FUNCTION, &target.name, &function);
            }
            Ok(())
        })?;
        if number.is_none() {
            self.engine.concurrency.reserve(&target.name, None);
        }
        self.engine.retire(&target.name, number.flatten().map(|n| n.to_string()).as_deref());
        Ok(json!({}))
    }
}

fn refuse_publish_to(publish_to: Option<&str>) -> Result<()> {
    if publish_to.is_none() {
        return Ok(());
    }
    Err(invalid("PublishTo is not supported: the local endpoint runs no functions of capacity providers"))
}

fn architecture(given: Option<&[String]>) -> Result<Option<String>> {
    match given {
        None | Some([]) => Ok(None),
        Some([one]) => {
            let mut constraints = Constraints::default();
            constraints.each_of("architectures", std::slice::from_ref(one), &ARCHITECTURES);
            constraints.check()?;
            Ok(Some(one.clone()))
        }
        Some(several) => {
            let mut constraints = Constraints::default();
            constraints.items("architectures", several, 1);
            constraints.check()?;
            Ok(None)
        }
    }
}
