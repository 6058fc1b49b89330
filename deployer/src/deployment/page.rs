//! The chart page in the stack's bucket: filled after a deployment, emptied before the bucket goes.
//!
//! A page is uploaded as a whole: `index.html`, which is asked for anew each time, and a folder named after the page's content
//! with everything it refers to, which may be kept for ever. So a page changes in one step, its parts never mix, nothing that is
//! cached ever has to be invalidated (no call to CloudFront, no permission for it), and a page that did not change is not
//! uploaded again. The page before stays, for those who are just loading it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use aws_sdk_s3::primitives::ByteStream;
use sha2::{Digest, Sha256};

use super::bucket::Bucket;
use super::parameters::Parameters;
use super::stack::Stack;
use crate::app::PAGE_BUCKET;
use crate::aws::Aws;
use crate::build::{self, megabytes};
use crate::call::Call;
use crate::events::Events;
use crate::failure::{Usage, hinted};
use crate::options::{HOST_VISUALIZATION, VISUALIZATION_URL};

/// What answers for the page's address.
const INDEX: &str = "index.html";

/// Metadata of the index: the folder it refers to.
const FOLDER: &str = "deployer-page";

/// A page that is ready to be uploaded.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// `page-` and the content's hash.
    folder: String,
    /// Keys and contents, the index last.
    objects: Vec<(String, Vec<u8>)>,
}

/// The page for a deployment with these parameters, found or built, when the stack is to host it.
///
/// # Errors
/// Parameters that contradict each other; a place that has no CloudFront of this kind; what stands in the way of building the
/// page.
pub async fn wanted(
    parameters: &Parameters,
    deployed: Option<&Stack>,
    aws: &Aws,
    events: &Events,
) -> anyhow::Result<Option<Page>> {
    if !is_hosted(parameters, deployed) {
        return Ok(None);
    }
    if parameters.value(&VISUALIZATION_URL, None).is_some() {
        return Err(hinted(
            Usage(
                "visualization-url and host-visualization exclude each other: chart links lead to one page"
                    .into(),
            ),
            "say --host-visualization=false to use the page at --visualization-url",
        ));
    }
    let region = &aws.place().region;
    if ["cn-", "us-gov-", "us-iso"].iter().any(|partition| region.starts_with(partition)) {
        return Err(hinted(
            Usage(format!(
                "the chart page cannot be hosted from {region}: there is no CloudFront with AWS's own policies"
            )),
            "host the folder that `deployer build web` writes elsewhere, and name its address with --visualization-url",
        ));
    }
    let folder = build::page_folder(events).await?;
    Page::read(&folder).with_context(|| format!("reading the page in {}", folder.display())).map(Some)
}

/// Whether the stack will host the page.
fn is_hosted(parameters: &Parameters, deployed: Option<&Stack>) -> bool {
    parameters.value(&HOST_VISUALIZATION, deployed.map(|stack| &stack.parameters)) == Some("true")
}

/// The page's bucket, when the deployed stack hosts a page.
///
/// # Errors
/// The call's failure.
pub async fn bucket<'a>(
    aws: &Aws,
    stack: &Stack,
    events: &'a Events,
) -> anyhow::Result<Option<PageBucket<'a>>> {
    let name = bucket_named(aws, stack, PAGE_BUCKET).await?;
    Ok(name.map(|name| PageBucket {
        client: aws.s3(),
        bucket: Bucket::new(aws, Some(&name), events),
        account: aws.place().account.clone(),
        name,
        events,
    }))
}

/// The name of the bucket that has this logical id in the deployed stack, if it has it.
///
/// # Errors
/// The call's failure.
pub async fn bucket_named(aws: &Aws, stack: &Stack, logical_id: &str) -> anyhow::Result<Option<String>> {
    let client = aws.cloudformation();
    let mut pages = client.list_stack_resources().stack_name(&stack.id).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page =
            page.called("cloudformation:ListStackResources").context("listing the stack's resources")?;
        let found = page.stack_resource_summaries.unwrap_or_default().into_iter().find(|resource| {
            resource.logical_resource_id() == Some(logical_id)
                && resource.resource_status().is_none_or(|status| status.as_str() != "DELETE_COMPLETE")
        });
        if let Some(name) = found.and_then(|resource| resource.physical_resource_id) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// A stack's bucket for its page.
pub struct PageBucket<'a> {
    client: aws_sdk_s3::Client,
    bucket: Bucket<'a>,
    account: String,
    name: String,
    events: &'a Events,
}

impl PageBucket<'_> {
    /// Whether [`PageBucket::publish`] would upload anything.
    ///
    /// # Errors
    /// A permission that is missing.
    pub async fn differs(&self, page: &Page) -> anyhow::Result<bool> {
        let there = self.sizes().await?;
        Ok(!page.is(&there, self.folder_in_use().await?.as_deref()))
    }

    /// Uploads the page, unless it is there already, and removes those before the last. Says whether anything was uploaded.
    ///
    /// # Errors
    /// A permission that is missing.
    pub async fn publish(&self, page: &Page) -> anyhow::Result<bool> {
        let there = self.sizes().await?;
        let before = self.folder_in_use().await?;
        let published = !page.is(&there, before.as_deref());
        if published {
            self.upload(page, &there)
                .await
                .with_context(|| format!("uploading the page to {}", self.name))?;
        }
        let kept: Vec<&str> = [Some(page.folder.as_str()), before.as_deref()].into_iter().flatten().collect();
        let stale = |key: &str| is_ours(key) && key != INDEX && !kept.iter().any(|f| is_in(f, key));
        // While nothing changes, what is stale is what an interrupted upload has left.
        if published && there.keys().any(|key| stale(key)) {
            self.bucket.clear("page-", stale).await?;
        }
        Ok(published)
    }

    async fn upload(&self, page: &Page, there: &BTreeMap<String, u64>) -> anyhow::Result<()> {
        self.events.started(format!("uploading the chart page ({})", megabytes(page.bytes())));
        for (key, body) in &page.objects {
            if key != INDEX && there.get(key) == Some(&(body.len() as u64)) {
                continue;
            }
            let keep = if key == INDEX { "no-cache" } else { "public, max-age=31536000, immutable" };
            let request = self.client.put_object().bucket(&self.name).key(key).cache_control(keep);
            let request = request.content_type(content_type(key)).metadata(FOLDER, &page.folder);
            let request = request.body(ByteStream::from(body.clone())).expected_bucket_owner(&self.account);
            request.send().await.called("s3:PutObject").with_context(|| format!("uploading {key}"))?;
        }
        self.events.finished("uploaded the chart page");
        Ok(())
    }

    /// Refuses a bucket with objects that this program did not put there: they would be in the way of deleting the stack, and they
    /// are not ours to delete.
    ///
    /// # Errors
    /// Naming them; a permission that is missing.
    pub async fn check(&self) -> anyhow::Result<()> {
        let there = self.sizes().await?;
        let foreign: Vec<&str> = there.keys().map(String::as_str).filter(|key| !is_ours(key)).collect();
        if foreign.is_empty() {
            return Ok(());
        }
        let more = if foreign.len() > 5 { format!(" and {} more", foreign.len() - 5) } else { String::new() };
        let named = foreign.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        Err(hinted(
            anyhow::anyhow!(
                "the page's bucket {} holds what was not put there by `up`: {named}{more}",
                self.name
            ),
            format!("move it elsewhere (aws s3 mv --recursive s3://{}/…), then run it again", self.name),
        ))
    }

    /// Deletes the page. Says whether there was one.
    ///
    /// # Errors
    /// A permission that is missing.
    pub async fn empty(&self) -> anyhow::Result<bool> {
        let emptied = self.bucket.clear("", is_ours).await? > 0;
        if emptied {
            self.events.finished(format!("emptied the page's bucket {}", self.name));
        }
        Ok(emptied)
    }

    /// What is in the bucket, with its sizes in bytes; nothing when somebody has deleted it.
    async fn sizes(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let mut pages = self.client.list_objects_v2().bucket(&self.name).into_paginator().send();
        let mut sizes = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = match page.called("s3:ListBucket") {
                Err(error) if error.is("NoSuchBucket") => return Ok(sizes),
                page => page.with_context(|| format!("listing the page's bucket {}", self.name))?,
            };
            let size =
                |bytes: Option<i64>| bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default();
            sizes.extend(
                page.contents.unwrap_or_default().into_iter().filter_map(|o| Some((o.key?, size(o.size)))),
            );
        }
        Ok(sizes)
    }

    /// The folder that the uploaded index refers to.
    async fn folder_in_use(&self) -> anyhow::Result<Option<String>> {
        let answer = self.client.head_object().bucket(&self.name).key(INDEX).send().await;
        match answer.called("s3:GetObject") {
            Ok(answer) => Ok(answer.metadata().and_then(|metadata| metadata.get(FOLDER)).cloned()),
            Err(error) if error.is("NotFound") || error.is("NoSuchKey") => Ok(None),
            Err(error) => Err(error).with_context(|| format!("looking at the page in {}", self.name)),
        }
    }
}

impl Page {
    /// Whether this is what a bucket holds, which objects of which sizes, and what its index refers to.
    fn is(&self, there: &BTreeMap<String, u64>, in_use: Option<&str>) -> bool {
        in_use == Some(&self.folder)
            && self.objects.iter().all(|(key, body)| there.get(key) == Some(&(body.len() as u64)))
    }

    /// Reads a folder of `index.html` and the files it refers to. Compressed copies are left out: CloudFront makes its own.
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        gather(folder, "", &mut files)?;
        let index = files.remove(INDEX).with_context(|| format!("there is no {INDEX}"))?;
        let index = String::from_utf8(index).with_context(|| format!("{INDEX} is not UTF-8"))?;
        let mut hash = Sha256::new();
        for (name, body) in files
            .iter()
            .map(|(name, body)| (name.as_str(), body.as_slice()))
            .chain([(INDEX, index.as_bytes())])
        {
            hash.update(format!("{name} {}\n", body.len()));
            hash.update(body);
        }
        let hash = hex::encode(&hash.finalize()[..8]);
        let folder = format!("page-{hash}");
        let names: BTreeSet<&String> = files.keys().collect();
        let index = names.iter().fold(index, |text, name| {
            text.replace(&format!("=\"{name}\""), &format!("=\"{folder}/{name}\""))
        });
        let mut objects: Vec<_> =
            files.into_iter().map(|(name, body)| (format!("{folder}/{name}"), body)).collect();
        objects.push((INDEX.to_owned(), index.into_bytes()));
        Ok(Self { folder, objects })
    }

    fn bytes(&self) -> u64 {
        self.objects.iter().map(|(_, body)| body.len() as u64).sum()
    }
}

fn gather(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.is_dir() {
            gather(&path, &format!("{prefix}{name}/"), files)?;
        } else if !name.starts_with('.') && !name.ends_with(".gz") && !name.ends_with(".br") {
            let body = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            files.insert(format!("{prefix}{name}"), body);
        }
    }
    Ok(())
}

fn is_in(folder: &str, key: &str) -> bool {
    key.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a key is one that publishing a page writes.
fn is_ours(key: &str) -> bool {
    let hash = key.strip_prefix("page-").and_then(|rest| rest.split_once('/')).map(|(hash, _)| hash);
    key == INDEX || hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn content_type(key: &str) -> &'static str {
    match key.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(files: &[(&str, &str)]) -> Page {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Page::read(folder.path()).unwrap()
    }

    #[test]
    fn the_index_refers_into_the_page_s_own_folder_and_comes_last() {
        let page = page(&[
            ("index.html", r#"<link href="style.css"><script src="a/b.js"></script><a href="data:,">x</a>"#),
            ("style.css", "body{}"),
            ("a/b.js", "1"),
            ("style.css.gz", "packed"),
        ]);
        let folder = &page.folder;
        assert!(is_ours(&format!("{folder}/x")), "{folder}");
        let keys: Vec<&str> = page.objects.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, [&format!("{folder}/a/b.js"), &format!("{folder}/style.css"), "index.html"]);
        assert_eq!(
            String::from_utf8(page.objects[2].1.clone()).unwrap(),
            format!(
                r#"<link href="{folder}/style.css"><script src="{folder}/a/b.js"></script><a href="data:,">x</a>"#
            )
        );
    }

    #[test]
    fn another_content_is_another_folder_and_the_same_is_the_same() {
        let files = [("index.html", "i"), ("a.js", "1")];
        assert_eq!(page(&files), page(&files));
        assert_ne!(page(&files).folder, page(&[("index.html", "i"), ("a.js", "2")]).folder);
        assert_ne!(page(&files).folder, page(&[("index.html", "j"), ("a.js", "1")]).folder);
        assert_ne!(page(&files).folder, page(&[("index.html", "i"), ("b.js", "1")]).folder);
    }

    #[test]
    fn what_scripts_load_lies_beside_them_and_not_beside_the_index() {
        let loader = include_str!("../../../web/loader.js");
        assert!(loader.contains("import('./viz.js')"), "{loader}");
        // As a name that is loaded; a message names it too.
        assert!(loader.contains("new URL('viz_bg.wasm', import.meta.url)"), "{loader}");
        assert_eq!(loader.matches("'viz_bg.wasm'").count(), 1, "{loader}");
    }

    #[test]
    fn only_what_publishing_writes_is_ours() {
        for ours in ["index.html", "page-0123456789abcdef/viz.js", "page-0123456789abcdef/a/b"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["a/index.html", "page-0123/viz.js", "page-0123456789abcdef", "robots.txt", "page-x/y"] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
