//! A release's folder, the page that it brings along, and the program in it where there is no Rust.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Said, World, built, deployer, executable_zip, isolated};

const PAGE: &str =
    r#"<!doctype html><link rel="stylesheet" href="style.css"><script src="loader.js"></script>"#;

/// A folder such as `build release` makes, from what the tests were built with: the program, the Lambdas of this machine for both
/// processors, and a page.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::copy(built("deployer"), at("deployer")).unwrap();
        let functions = executable_zip(&built("bootstrap"));
        let samples = executable_zip(&built("samples"));
        for architecture in ["arm64", "x86_64"] {
            std::fs::write(at(&format!("functions-{architecture}.zip")), &functions).unwrap();
            std::fs::write(at(&format!("samples-{architecture}.zip")), &samples).unwrap();
        }
        std::fs::create_dir(at("page")).unwrap();
        let folder = Self(folder);
        for (name, text) in
            [("index.html", PAGE), ("style.css", "body{}"), ("loader.js", "1"), ("viz.wasm", "\0asm")]
        {
            folder.write(name, text);
        }
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file of the page.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join("page").join(name), text).unwrap();
    }

    /// The program in it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = isolated(self.path().join("deployer"));
        command.args(arguments).current_dir(self.path());
        command
    }

    /// The program against a world's endpoint.
    fn deployer(&self, world: &World, arguments: &[&str]) -> Said {
        Said::by(self.command(arguments).env("AWS_ENDPOINT_URL", &world.url))
    }
}

fn host() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}

/// An answer to a GET: status, headers by lower-case name, body.
fn get(world: &World, host: &str, path: &str) -> (u16, BTreeMap<String, String>, String) {
    let address = world.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    (status, headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(), body.to_owned())
}

/// Keys and times of the objects in the page's bucket; nothing when there is no such bucket.
async fn page_objects(world: &World) -> BTreeMap<String, String> {
    let buckets = world.s3.list_buckets().send().await.unwrap();
    let name = buckets
        .buckets()
        .iter()
        .filter_map(|bucket| bucket.name())
        .find(|name| name.contains("visualization"));
    let Some(name) = name else { return BTreeMap::new() };
    let listed = world.s3.list_objects_v2().bucket(name).send().await.unwrap();
    listed
        .contents()
        .iter()
        .map(|object| (object.key().unwrap().to_owned(), format!("{:?}", object.last_modified())))
        .collect()
}

fn folders(objects: &BTreeMap<String, String>) -> Vec<&str> {
    let mut folders: Vec<&str> =
        objects.keys().filter_map(|key| key.split_once('/')).map(|(f, _)| f).collect();
    folders.dedup();
    folders
}

#[tokio::test]
async fn a_hosted_page_is_published_kept_up_to_date_and_taken_away() {
    let (world, folder) = (World::empty().await, Folder::new());
    let up = |flags: &[&str]| {
        let arguments = [&["up", "--yes", "--json", "--architecture", host()], flags].concat();
        folder.deployer(&world, &arguments).success().json()
    };
    let created = up(&["--host-visualization", "--power-values", "128,512"]);
    let url = created["outputs"]["visualizationURL"].as_str().unwrap().to_owned();
    let name = url.strip_prefix("https://").and_then(|rest| rest.strip_suffix('/')).unwrap();

    // What the distribution answers: the index anew each time, what it refers to for ever.
    let (status, headers, body) = get(&world, name, "/");
    assert_eq!((status, headers["content-type"].as_str()), (200, "text/html; charset=utf-8"));
    assert_eq!(
        (headers["cache-control"].as_str(), headers["x-content-type-options"].as_str()),
        ("no-cache", "nosniff")
    );
    let references: Vec<&str> =
        body.split("=\"page-").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(references.len(), 2, "{body}");
    for (reference, (kind, content)) in references
        .iter()
        .zip([("text/css; charset=utf-8", "body{}"), ("text/javascript; charset=utf-8", "1")])
    {
        let (status, headers, body) = get(&world, name, &format!("/page-{reference}"));
        assert_eq!((status, headers["content-type"].as_str(), body.as_str()), (200, kind, content));
        assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
    }
    let bucket = world.s3.list_buckets().send().await.unwrap();
    let bucket =
        bucket.buckets().iter().filter_map(|b| b.name()).find(|name| name.contains("visualization")).unwrap();
    let (status, ..) = get(&world, &format!("{bucket}.s3.localhost"), "/index.html");
    assert_eq!(status, 403, "the bucket is for the distribution alone");

    // Links lead there.
    let sample = world.sample("echo", "echo").await;
    let tuned = folder.deployer(&world, &["tune", &sample.name, "--num", "5", "--json"]).success().json();
    let link = tuned["stateMachine"]["visualization"].as_str().unwrap();
    assert!(link.starts_with(&format!("{url}#")), "{link}");

    // Again: nothing is uploaded. Another page: another folder; the one before stays, older ones go.
    let before = page_objects(&world).await;
    assert_eq!(up(&[])["change"], "unchanged");
    assert_eq!(page_objects(&world).await, before);
    let first = folders(&before)[0].to_owned();
    let preview = |status| {
        let said =
            folder.deployer(&world, &["preview", "--json", "--detailed-exitcode", "--architecture", host()]);
        said.status(status).json()["pageChanges"].clone()
    };
    assert_eq!(preview(0), false);
    folder.write("style.css", "body{color:red}");
    assert_eq!(preview(2), true);
    let again = up(&[]);
    assert_eq!(
        (&again["change"], &again["outputs"]["visualizationURL"]),
        (&"unchanged".into(), &url.as_str().into())
    );
    let second = page_objects(&world).await;
    assert!(folders(&second).len() == 2 && folders(&second).contains(&first.as_str()), "{second:?}");
    folder.write("style.css", "body{color:blue}");
    up(&[]);
    let third = page_objects(&world).await;
    assert!(folders(&third).len() == 2 && !folders(&third).contains(&first.as_str()), "{third:?}");

    // Ended, and begun again.
    let ended = up(&["--host-visualization=false"]);
    assert_eq!((&ended["change"], ended["outputs"].get("visualizationURL")), (&"updated".into(), None));
    assert!(page_objects(&world).await.is_empty());
    up(&["--host-visualization"]);
    assert_eq!(page_objects(&world).await.len(), 4);

    // What somebody else has put there is not ours to delete.
    let buckets = world.s3.list_buckets().send().await.unwrap();
    let bucket = buckets
        .buckets()
        .iter()
        .filter_map(|b| b.name())
        .find(|name| name.contains("visualization"))
        .unwrap();
    world.s3.put_object().bucket(bucket).key("mine.txt").send().await.unwrap();
    let said = folder.deployer(&world, &["destroy", "--yes"]).status(1);
    said.complains(&["mine.txt", bucket, "hint: move it elsewhere"]);
    folder.deployer(&world, &["outputs"]).success();
    world.s3.delete_object().bucket(bucket).key("mine.txt").send().await.unwrap();
    folder.deployer(&world, &["destroy", "--yes"]).success();
    let buckets = world.s3.list_buckets().send().await.unwrap();
    assert!(buckets.buckets().is_empty(), "{buckets:?}");
}

#[tokio::test]
async fn what_cannot_be_hosted_is_refused_before_anything_is_touched() {
    let (world, folder) = (World::empty().await, Folder::new());
    let up =
        |flags: &[&str]| folder.deployer(&world, &[&["up", "--yes", "--host-visualization"], flags].concat());
    up(&["--visualization-url", "https://x.example/"]).status(2).complains(&[
        "visualization-url and host-visualization exclude each other",
        "--host-visualization=false",
    ]);
    up(&["--region", "cn-north-1"]).status(2).complains(&["cn-north-1", "deployer build web"]);
    let said = folder.deployer(&world, &["up", "--yes", "--host-visualization=maybe"]);
    said.status(2).complains(&["host-visualization", "maybe", "true or false"]);
    let buckets = world.s3.list_buckets().send().await.unwrap();
    assert!(buckets.buckets().is_empty(), "{buckets:?}");
}

#[test]
fn a_release_works_where_there_is_no_rust() {
    let (folder, elsewhere) = (Folder::new(), tempfile::tempdir().unwrap());
    let release = elsewhere.path().join("release");
    let out = release.to_str().unwrap();
    let built = Said::by(&mut folder.command(&["build", "release", "--out", out, "--json"])).success().json();
    let files: Vec<&str> =
        built["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    let samples = format!("samples-{}.zip", host());
    let processor = std::env::consts::ARCH;
    let wheel = format!("deployer-0.1.0-py3-none-linux_{processor}.whl");
    let name = format!("deployer-0.1.0-{processor}-unknown-linux-gnu");
    let tarball = format!("{name}.tar.gz");
    assert_eq!(
        files,
        [
            "LICENSE",
            "README.md",
            "deployer",
            &wheel,
            &tarball,
            "deployer.cdx.json",
            "functions-arm64.zip",
            "functions-x86_64.zip",
            "page/index.html",
            "page/loader.js",
            "page/style.css",
            "page/viz.wasm",
            &samples,
        ]
    );
    let sums =
        Said::by(isolated("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&release));
    assert_eq!(sums.success().stdout.lines().count(), files.len());

    // No cargo, no compiler, no home: nothing but the folder.
    let alone = |arguments: &[&str]| {
        let mut command = Command::new(release.join("deployer"));
        command.env_clear().env("HOME", elsewhere.path().join("home")).env("PATH", "").args(arguments);
        Said::by(command.current_dir(elsewhere.path()))
    };
    assert!(alone(&["--version"]).success().stdout.starts_with("deployer 0."), "version");
    let template = alone(&["synth"]).success().json();
    assert_eq!(template["Resources"]["executor"]["Properties"]["Architectures"][0], "arm64");
    let up = alone(&["up", "--local", "--yes", "--power-values", "128,512"]).success();
    assert!(up.stdout.contains("was created"), "{}", up.stdout);
    let synth = alone(&["synth", "--out", "synth", "--architecture", "x86_64"]).success();
    assert_eq!(synth.stdout.lines().count(), 2, "{}", synth.stdout);
    Said::by(&mut folder.command(&["build", "release", "--out", out, "--architecture", "both"]))
        .status(2)
        .complains(&["a release has the program for", "leave --architecture out"]);

    // One file is enough: the assets are inside of it.
    let (bin, home) = (elsewhere.path().join("bin"), elsewhere.path().join("another home"));
    std::fs::create_dir_all(&home).unwrap();
    std::fs::create_dir_all(&bin).unwrap();
    Said::by(isolated("tar").arg("-xzf").arg(release.join(&tarball)).arg("-C").arg(&bin)).success();
    let mut unpacked: Vec<_> =
        std::fs::read_dir(bin.join(&name)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    unpacked.sort();
    assert_eq!(unpacked, ["LICENSE", "README.md", "deployer"]);
    let one = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", &home)
            .env("PATH", "")
            .env("DEPLOYER_DISTURBED", "ignore")
            .args(arguments);
        Said::by(command.current_dir(elsewhere.path()))
    };
    let template = one(&bin.join(&name).join("deployer"), &["synth"]).success();
    assert_eq!(template.json()["Resources"]["executor"]["Properties"]["Architectures"][0], "arm64");

    // Python's installer takes the wheel, and what it installs measures a function.
    let python = elsewhere.path().join("python");
    Said::by(isolated("python3").args(["-m", "venv"]).arg(&python)).success();
    let mut pip = isolated(python.join("bin/pip"));
    Said::by(pip.args(["install", "--quiet", "--no-index"]).arg(release.join(&wheel))).success();
    let said = one(&python.join("bin/deployer"), &["demo", "--json"]).success();
    assert!(said.json()["tuned"]["power"].is_number(), "{}", said.stdout);
    assert_eq!(std::fs::read_dir(home.join(".cache/deployer")).unwrap().count(), 1);
}

#[test]
fn a_release_takes_no_folder_that_holds_something_else() {
    let (folder, elsewhere) = (Folder::new(), tempfile::tempdir().unwrap());
    let release =
        |out: &Path| Said::by(&mut folder.command(&["build", "release", "--out", out.to_str().unwrap()]));
    let other = elsewhere.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("letter.txt"), "dear").unwrap();
    release(&other).status(1).complains(&["holds something that is no release", "--out"]);
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 1);
    release(folder.path()).status(1).complains(&["the folder this program runs in"]);

    // An older release is written over, its page replaced.
    let out = elsewhere.path().join("release");
    release(&out).success();
    std::fs::remove_file(folder.path().join("page/viz.wasm")).unwrap();
    release(&out).success();
    let pages: Vec<PathBuf> =
        std::fs::read_dir(out.join("page")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(pages.len(), 3, "{pages:?}");
}

#[test]
fn the_short_help_of_every_verb_fits_a_screen_and_is_no_longer_than_the_long_one() {
    let verbs = Said::by(&mut deployer(&["--help"])).success().stdout;
    let verbs =
        verbs.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs: Vec<&str> = verbs.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(verbs.contains(&"up") && verbs.contains(&"build"), "{verbs:?}");
    for verb in verbs {
        let lines = |flag| Said::by(&mut deployer(&[verb, flag])).success().stdout.lines().count();
        assert!(lines("-h") <= 52, "{verb} -h: {} lines", lines("-h"));
        assert!(lines("-h") <= lines("--help"), "{verb}");
    }
}

#[test]
fn every_shell_has_its_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = Said::by(&mut deployer(&["completions", shell])).success().stdout;
        for word in ["deployer", "tune", "power-values"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
}

#[test]
fn the_version_names_the_commit() {
    let said = Said::by(&mut deployer(&["--version"])).success().stdout;
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.git").exists();
    let commit = said.trim().strip_prefix("deployer 0.1.0 (").and_then(|rest| rest.strip_suffix(')'));
    match commit {
        Some(commit) => assert!(commit.len() >= 7 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{said}"),
        None => assert!(!repository && said == "deployer 0.1.0\n", "{said}"),
    }
}
