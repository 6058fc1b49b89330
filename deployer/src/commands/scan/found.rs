//! Which functions there are: ListFunctions, page by page, and of these the ones that are asked for.

use std::fmt;

use anyhow::Context as _;
use aws_sdk_lambda::types::FunctionConfiguration;
use tuning::copies;
use tuning::pricing::{Architecture, FREE_STORAGE};
use wildmatch::WildMatch;

use crate::aws::{Aws, RetryBudget};
use crate::call::Call;
use crate::events::Events;

/// What the descriptions of the stack's own functions begin with.
const OWN: &str = "deployer: ";
/// The most that a page has.
const PAGE: i32 = 50;

/// Which functions are asked for.
pub struct Chosen {
    names: Vec<WildMatch>,
    tags: Vec<(String, String)>,
}

impl Chosen {
    /// Those with one of the names, `*` and `?` standing for any, and all of the tags.
    #[must_use]
    pub fn new(names: &[String], tags: &[(String, String)]) -> Self {
        Self { names: names.iter().map(|name| WildMatch::new(name)).collect(), tags: tags.to_vec() }
    }

    fn is_named(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|pattern| pattern.matches(name))
    }
}

/// A function.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its region.
    pub region: String,
    /// Its runtime; `image` for a container image.
    pub runtime: String,
    /// Its processor.
    pub architecture: Architecture,
    /// Memory in MB.
    pub memory_mb: u32,
    /// In seconds.
    pub timeout_s: u32,
    /// Ephemeral storage in MB.
    pub storage_mb: u32,
    /// Whether it runs on instances that are billed whole.
    pub on_instances: bool,
}

impl Found {
    fn of(listed: &FunctionConfiguration, region: &str) -> Self {
        let positive =
            |value: Option<i32>, other: u32| value.and_then(|n| u32::try_from(n).ok()).unwrap_or(other);
        let architecture = listed.architectures().first().and_then(|name| name.as_str().parse().ok());
        Self {
            name: listed.function_name().unwrap_or_default().to_owned(),
            arn: listed.function_arn().unwrap_or_default().to_owned(),
            region: region.to_owned(),
            runtime: listed.runtime().map_or("image", |runtime| runtime.as_str()).to_owned(),
            architecture: architecture.unwrap_or_default(),
            memory_mb: positive(listed.memory_size(), 128),
            timeout_s: positive(listed.timeout(), 3),
            storage_mb: positive(listed.ephemeral_storage().map(|storage| storage.size()), FREE_STORAGE),
            on_instances: listed.capacity_provider_config().is_some(),
        }
    }
}

/// What listing a region came to.
pub struct Listed {
    /// Those that are asked for.
    pub functions: Vec<Found>,
    region: String,
    all: usize,
    own: usize,
}

impl Listed {
    fn take(&mut self, function: &FunctionConfiguration, chosen: &Chosen) {
        self.all += 1;
        let found = Found::of(function, &self.region);
        let described = function.description().is_some_and(|text| text.starts_with(OWN));
        if described || copies::parse(&found.name).is_some() {
            self.own += 1;
        } else if chosen.is_named(&found.name) {
            self.functions.push(found);
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.all == 1 { "" } else { "s" };
        write!(f, "{} function{plural} in {}", self.all, self.region)?;
        if self.own > 0 {
            write!(f, " ({} of deployer itself left out)", self.own)?;
        }
        if self.functions.len() + self.own < self.all {
            write!(f, ", {} of them asked for", self.functions.len())?;
        }
        Ok(())
    }
}

/// Lists the functions of a region.
///
/// # Errors
/// A call that failed: `lambda:ListFunctions`, and with tags `lambda:ListTags`.
pub async fn list(aws: &Aws, events: &Events, region: &str, chosen: &Chosen) -> anyhow::Result<Listed> {
    let client = aws.lambda_in(region);
    let mut retries = RetryBudget::new(aws.poll_interval(), events);
    let mut listed = Listed { functions: Vec::new(), region: region.to_owned(), all: 0, own: 0 };
    let mut marker: Option<String> = None;
    loop {
        let page = client.list_functions().max_items(PAGE).set_marker(marker.clone()).send().await;
        let page = retries.spend(page.called("lambda:ListFunctions")).await;
        let page = page.with_context(|| format!("listing the functions in {region}"))?;
        let Some(page) = page else { continue };
        for function in page.functions() {
            listed.take(function, chosen);
        }
        marker = page.next_marker().map(str::to_owned);
        if marker.is_none() {
            break;
        }
        events.progress(format!("{} functions so far", listed.all));
    }
    if !chosen.tags.is_empty() {
        let mut tagged = Vec::new();
        for found in std::mem::take(&mut listed.functions) {
            let tags = loop {
                let answer = client.list_tags().resource(&found.arn).send().await;
                let answer = retries.spend(answer.called("lambda:ListTags")).await;
                let answer = answer.with_context(|| format!("reading the tags of {}", found.name))?;
                if let Some(answer) = answer {
                    break answer.tags.unwrap_or_default();
                }
            };
            if chosen.tags.iter().all(|(key, value)| tags.get(key) == Some(value)) {
                tagged.push(found);
            }
        }
        listed.functions = tagged;
    }
    Ok(listed)
}
