//! The bucket that assets are uploaded to: made once per account and region, ours, private.

use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint,
    BucketVersioningStatus, CreateBucketConfiguration, Delete, ExpirationStatus, LifecycleRule,
    LifecycleRuleFilter, NoncurrentVersionExpiration, ObjectIdentifier, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use tokio::time::Instant;

use crate::aws::Aws;
use crate::build::{Asset, megabytes};
use crate::call::{Call, CallError};
use crate::events::Events;
use crate::failure::{Advice, hinted};

/// The tag that says a bucket was made, and completely set up, by this program.
const MARK: (&str, &str) = ("deployer", "assets");

/// Days after which replaced or deleted assets go for good.
const NONCURRENT_DAYS: i32 = 30;

/// How long S3 may hold the name of a deleted bucket.
const NAME_HELD: Duration = Duration::from_hours(1);

/// A bucket for assets.
pub struct Bucket<'a> {
    client: Client,
    events: &'a Events,
    account: String,
    region: String,
    name: String,
    /// Whether it is the one this program makes.
    own: bool,
    /// Between two attempts at a name that S3 still holds.
    pause: Duration,
}

/// What is known of a bucket.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Missing,
    There,
}

impl<'a> Bucket<'a> {
    /// The bucket of a name, or the one of this account and region. Nothing is contacted.
    #[must_use]
    pub fn new(aws: &Aws, name: Option<&str>, events: &'a Events) -> Self {
        let place = aws.place();
        let own = format!("deployer-assets-{}-{}", place.account, place.region);
        Self {
            client: aws.s3(),
            events,
            account: place.account.clone(),
            region: place.region.clone(),
            own: name.is_none_or(|name| name == own),
            name: name.map_or(own, str::to_owned),
            pause: aws.poll_interval() * 10,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes the bucket if it is the one of this program, and finishes a set-up that was interrupted.
    ///
    /// # Errors
    /// A bucket of the user's that is not there; one that is another account's; a permission that is missing.
    pub async fn ensure(&self) -> anyhow::Result<()> {
        match self.state().await? {
            State::Missing if !self.own => {
                return Err(anyhow::anyhow!("there is no bucket `{}` in {}", self.name, self.region))
                    .hint("create it, or leave --assets-bucket out: a private bucket is made then");
            }
            State::Missing => {
                self.events.started(format!("making the bucket {}", self.name));
                self.create().await.with_context(|| format!("making the bucket {}", self.name))?;
                if let Err(error) = self.set_up().await {
                    let error = error.context(format!("setting up the bucket {}", self.name));
                    return Err(self.unmade(error).await);
                }
            }
            State::There if !self.own || self.is_marked().await? => return Ok(()),
            State::There => {
                self.events.started(format!("setting up the bucket {}", self.name));
                self.set_up().await.with_context(|| format!("setting up the bucket {}", self.name))?;
            }
        }
        self.events.finished(format!("made the bucket {} (private, encrypted, versioned)", self.name));
        Ok(())
    }

    async fn state(&self) -> anyhow::Result<State> {
        let answer =
            self.client.head_bucket().bucket(&self.name).expected_bucket_owner(&self.account).send().await;
        match answer.called("s3:ListBucket") {
            Ok(_) => Ok(State::There),
            Err(error) if error.is("NotFound") || error.is("NoSuchBucket") => Ok(State::Missing),
            Err(error) if error.is_denied() => Err(hinted(
                anyhow::anyhow!("the bucket `{}` is another account's, or may not be used", self.name),
                "these credentials need the permission s3:ListBucket on it (to use it also s3:GetObject and s3:PutObject, to \
                 make it s3:CreateBucket); or choose another with --assets-bucket",
            )
            .context(format!("looking for the bucket {}", self.name))),
            Err(error) => Err(error).with_context(|| format!("looking for the bucket {}", self.name)),
        }
    }

    /// Creates the bucket. A name that was just deleted is refused for up to an hour: that is waited out.
    async fn create(&self) -> anyhow::Result<()> {
        let until = Instant::now() + NAME_HELD;
        let mut told = false;
        loop {
            match self.create_once().await {
                Err(error) if error.is("OperationAborted") && Instant::now() < until => {
                    if !told {
                        self.events.warning(format!(
                            "S3 does not free the name {} yet: a bucket of that name was just deleted. This can take up to an \
                             hour and is waited for; --assets-bucket takes another bucket instead",
                            self.name
                        ));
                        told = true;
                    }
                    tokio::time::sleep(self.pause).await;
                }
                Err(error) if error.is("OperationAborted") => {
                    return Err(error)
                        .hint("run it again later, or choose another bucket with --assets-bucket");
                }
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(()),
            }
        }
    }

    async fn create_once(&self) -> Result<(), CallError> {
        let mut request = self.client.create_bucket().bucket(&self.name);
        // The oldest region is the one that must not be named.
        if self.region != "us-east-1" {
            let place = CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(self.region.as_str()));
            request = request.create_bucket_configuration(place.build());
        }
        match request.send().await.called("s3:CreateBucket") {
            Err(error) if !error.is("BucketAlreadyOwnedByYou") => Err(error),
            _ => Ok(()),
        }
    }

    /// Everything can be repeated, and the mark comes last: a bucket without it is set up again.
    async fn set_up(&self) -> anyhow::Result<()> {
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .block_public_policy(true)
            .ignore_public_acls(true)
            .restrict_public_buckets(true);
        let request = self.client.put_public_access_block().bucket(&self.name);
        let request = request.public_access_block_configuration(block.build());
        request.send().await.called("s3:PutBucketPublicAccessBlock")?;

        let by_default =
            ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build()?;
        let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default);
        let encryption = ServerSideEncryptionConfiguration::builder().rules(rule.build()).build()?;
        let request = self.client.put_bucket_encryption().bucket(&self.name);
        let request = request.server_side_encryption_configuration(encryption);
        request.send().await.called("s3:PutEncryptionConfiguration")?;

        let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let request =
            self.client.put_bucket_versioning().bucket(&self.name).versioning_configuration(versioning);
        request.send().await.called("s3:PutBucketVersioning")?;

        let rule = LifecycleRule::builder()
            .id("what was replaced goes")
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .noncurrent_version_expiration(
                NoncurrentVersionExpiration::builder().noncurrent_days(NONCURRENT_DAYS).build(),
            )
            .abort_incomplete_multipart_upload(
                AbortIncompleteMultipartUpload::builder().days_after_initiation(7).build(),
            );
        let lifecycle = BucketLifecycleConfiguration::builder().rules(rule.build()?).build()?;
        let request = self
            .client
            .put_bucket_lifecycle_configuration()
            .bucket(&self.name)
            .lifecycle_configuration(lifecycle);
        request.send().await.called("s3:PutLifecycleConfiguration")?;

        let tag = Tag::builder().key(MARK.0).value(MARK.1).build()?;
        let tagging = Tagging::builder().tag_set(tag).build()?;
        let request = self.client.put_bucket_tagging().bucket(&self.name).tagging(tagging);
        request.send().await.called("s3:PutBucketTagging")?;
        Ok(())
    }

    /// Takes the new, empty bucket away again, because it could not be set up.
    async fn unmade(&self, error: anyhow::Error) -> anyhow::Error {
        match self.client.delete_bucket().bucket(&self.name).send().await.called("s3:DeleteBucket") {
            Ok(_) => error,
            Err(_) => {
                let left =
                    format!("the bucket {} is left, empty; the next `deployer up` finishes it", self.name);
                hinted(error, left)
            }
        }
    }

    async fn is_marked(&self) -> anyhow::Result<bool> {
        let answer = self.client.get_bucket_tagging().bucket(&self.name).send().await;
        match answer.called("s3:GetBucketTagging") {
            Ok(answer) => Ok(answer.tag_set().iter().any(|tag| (tag.key(), tag.value()) == MARK)),
            Err(error) if error.is("NoSuchTagSet") => Ok(false),
            Err(error) => Err(error).with_context(|| format!("reading the tags of the bucket {}", self.name)),
        }
    }

    /// Uploads an asset, unless it is there already: its key has its content's hash in it.
    ///
    /// # Errors
    /// A file that cannot be read; a permission that is missing.
    pub async fn upload(&self, asset: &Asset, key: &str) -> anyhow::Result<()> {
        let name = key.rsplit('/').next().unwrap_or(key);
        let doing = || format!("uploading {name} to the bucket {}", self.name);
        if self.holds(key, asset.bytes).await.with_context(doing)? {
            return Ok(());
        }
        self.events.started(format!("uploading {name} ({})", megabytes(asset.bytes)));
        let body = ByteStream::from(tokio::fs::read(&asset.path).await.with_context(doing)?);
        self.put(key, body, "application/zip").await.with_context(doing)?;
        self.events.finished(format!("uploaded {name} ({})", megabytes(asset.bytes)));
        Ok(())
    }

    /// Uploads a text, unless it is there already: its key has its hash in it.
    ///
    /// # Errors
    /// A permission that is missing.
    pub async fn upload_text(&self, key: &str, text: &str) -> anyhow::Result<()> {
        if self.holds(key, text.len() as u64).await.with_context(|| format!("uploading {key}"))? {
            return Ok(());
        }
        let body = ByteStream::from(text.as_bytes().to_vec());
        self.put(key, body, "application/json").await.with_context(|| format!("uploading {key}"))
    }

    /// Whether there is an object of this key and size.
    async fn holds(&self, key: &str, bytes: u64) -> Result<bool, CallError> {
        let there = self.client.head_object().bucket(&self.name).key(key).send().await.called("s3:GetObject");
        match there {
            Ok(there) => {
                let same =
                    there.content_length().and_then(|length| u64::try_from(length).ok()) == Some(bytes);
                if same {
                    self.events.detail(format!("{key} is in the bucket {} already", self.name));
                }
                Ok(same)
            }
            Err(error) if error.is("NotFound") || error.is("NoSuchKey") => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn put(&self, key: &str, body: ByteStream, content_type: &str) -> anyhow::Result<()> {
        let request =
            self.client.put_object().bucket(&self.name).key(key).body(body).content_type(content_type);
        request.expected_bucket_owner(&self.account).send().await.called("s3:PutObject")?;
        Ok(())
    }

    /// Deletes every version of the objects that `is_ours` knows among those under `prefix`, and the bucket itself when this
    /// program made it and nothing is left in it. Says how many objects went.
    ///
    /// # Errors
    /// A permission that is missing.
    pub async fn clear(&self, prefix: &str, is_ours: impl Fn(&str) -> bool) -> anyhow::Result<usize> {
        if self.state().await? == State::Missing {
            return Ok(0);
        }
        let ours: Vec<_> =
            self.versions(prefix).await?.into_iter().filter(|object| is_ours(object.key())).collect();
        // As many as AWS takes at once.
        for batch in ours.chunks(1000) {
            let delete = Delete::builder().set_objects(Some(batch.to_vec())).quiet(true).build()?;
            let request = self.client.delete_objects().bucket(&self.name).delete(delete);
            let answer =
                request.send().await.called("s3:DeleteObjectVersion").context("deleting uploaded assets")?;
            if let Some(error) = answer.errors().first() {
                let message = error.message().unwrap_or_else(|| error.code().unwrap_or("no reason given"));
                let error = CallError {
                    operation: "s3:DeleteObjectVersion",
                    code: error.code().map(str::to_owned),
                    message: format!("cannot delete {}: {message}", error.key().unwrap_or_default()),
                    transient: false,
                };
                return Err(error).context("deleting uploaded assets");
            }
        }
        if self.own && self.is_marked().await? && self.versions("").await?.is_empty() {
            let answer =
                self.client.delete_bucket().bucket(&self.name).send().await.called("s3:DeleteBucket");
            match answer {
                Ok(_) => self.events.finished(format!("deleted the bucket {}", self.name)),
                Err(error) if error.is("BucketNotEmpty") || error.is("NoSuchBucket") => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("deleting the bucket {}", self.name));
                }
            }
        }
        Ok(ours.len())
    }

    /// All versions and delete markers under a prefix.
    async fn versions(&self, prefix: &str) -> Result<Vec<ObjectIdentifier>, CallError> {
        let mut found = Vec::new();
        let mut from: (Option<String>, Option<String>) = (None, None);
        loop {
            let request = self.client.list_object_versions().bucket(&self.name).prefix(prefix);
            let request = request.set_key_marker(from.0).set_version_id_marker(from.1);
            let page = request.send().await.called("s3:ListBucketVersions")?;
            let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
            let markers = page.delete_markers().iter().map(|m| (m.key(), m.version_id()));
            let identifier = |(key, version): (Option<&str>, Option<&str>)| {
                ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build().ok()
            };
            found.extend(versions.chain(markers).filter_map(identifier));
            if !page.is_truncated().unwrap_or_default() {
                return Ok(found);
            }
            from = (page.next_key_marker, page.next_version_id_marker);
        }
    }
}
