//! Packages of functions and layers, fetched as GetFunction and GetLayerVersion say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::client::{Local, Reply};
use super::support::package_of;

async fn published(local: &Local) -> (String, Vec<u8>) {
    let zip = package_of(&[("lib/data", b"1", 0o644)]);
    let body = json!({"Content": {"ZipFile": zip}}).to_string();
    let call = local.call("lambda", "POST", "/2018-10-31/layers/libs/versions").body(body);
    let answer: Value = serde_json::from_slice(&call.send().await.body).unwrap();
    let location = answer["Content"]["Location"].as_str().unwrap().to_owned();
    (location.strip_prefix(local.endpoint.url()).unwrap().to_owned(), STANDARD.decode(zip).unwrap())
}

#[tokio::test]
async fn a_package_is_fetched_by_the_url_given_for_it_and_no_other() {
    let local = Local::start().await;
    let (path, zip) = published(&local).await;
    let get = async |path: &str| -> Reply { local.unsigned("GET", path).send().await };
    for parameter in ["X-Amz-Algorithm=AWS4-HMAC-SHA256&", "X-Amz-Expires=600&", "X-Amz-SignedHeaders=host&"]
    {
        assert!(path.contains(parameter), "{path}");
    }
    let reply = get(&path).await.ok();
    assert_eq!(
        (reply.body.as_slice(), reply.header("content-type")),
        (zip.as_slice(), Some("application/zip"))
    );
    let head = local.unsigned("HEAD", &path).send().await.ok();
    assert_eq!(head.header("content-length"), Some(zip.len().to_string().as_str()));
    let longer = path.replace("Expires=600", "Expires=6000");
    assert_eq!(get(&longer).await.error(), (403, "SignatureDoesNotMatch".to_owned()));
    let other = path.replace("/libs-", "/other-");
    assert_eq!(get(&other).await.error(), (403, "SignatureDoesNotMatch".to_owned()));
    let (bare, _) = path.split_once('?').unwrap();
    assert_eq!(get(bare).await.error(), (403, "AccessDenied".to_owned()));
    // Ten minutes later it has ended.
    let (before, after) = path.split_once("X-Amz-Date=").unwrap();
    let ended = format!("{before}X-Amz-Date=20200101T000000Z{}", &after[16..]);
    assert_eq!(get(&ended).await.status, 403);
}
