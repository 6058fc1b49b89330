//! The chart page from the program's side: served, built, opened after a run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::harness::{Said, Terminal, World, built, deployer, isolated};

/// An answer of the server.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Sends a request as it is written, past every client that would tidy it up.
fn raw(address: &str, line: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let host = if headers.iter().any(|(name, _)| *name == "Host") {
        String::new()
    } else {
        format!("Host: {address}\r\n")
    };
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "{line} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("an answer of HTTP");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: answer[end + 4..].to_vec() }
}

/// A running `deployer serve`, ended with the test.
struct Serving {
    child: Child,
    url: String,
    address: String,
}

impl Serving {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        if url.is_empty() {
            panic!("no address: {}", String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr));
        }
        let url = url.trim_end().to_owned();
        let address = url.strip_prefix("http://").unwrap().strip_suffix('/').unwrap().to_owned();
        Self { child, url, address }
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        raw(&self.address, &format!("GET {path}"), headers)
    }

    /// Sends a signal and hands back the exit status and what was said on stderr.
    fn end(mut self, signal: nix::sys::signal::Signal) -> (Option<i32>, String) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A page that needs no building.
fn small_page() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = "<!doctype html><title>small</title>".repeat(50);
    std::fs::write(folder.path().join("index.html"), text).unwrap();
    std::fs::write(folder.path().join("style.css"), "p { color: green }".repeat(20)).unwrap();
    std::fs::write(folder.path().join("loader.js"), "export const x = 1;".repeat(20)).unwrap();
    std::fs::write(folder.path().join("viz_bg.wasm"), [b"\0asm\x01\0\0\0".as_slice(), &[0; 200]].concat())
        .unwrap();
    folder
}

fn serve(folder: &Path, more: &[&str]) -> Command {
    let mut command = deployer(&["serve", "--port", "0", "--dir"]);
    command.arg(folder).args(more);
    command
}

/// The page of the program, built once for all tests that need it.
fn built_page() -> PathBuf {
    static BUILT: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        Said::by(deployer(&["build", "web", "--out"]).arg(folder.path())).success();
        folder
    });
    folder.path().to_owned()
}

/// A browser that writes the address it is given into a file; the variable and the file.
fn browser(folder: &Path) -> (PathBuf, PathBuf) {
    let (script, opened) = (folder.join("browser"), folder.join("opened"));
    let text = format!("#!/bin/sh\nprintf '%s' \"$1\" > {0}.new && mv {0}.new {0}\n", opened.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    (script, opened)
}

/// What a file holds, once it is there: a browser is started, not waited for.
fn soon(path: &Path) -> String {
    for _ in 0..1200 {
        if let Ok(text) = std::fs::read_to_string(path) {
            return text;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{} is not there after a minute", path.display());
}

#[test]
fn files_are_served_with_type_tag_and_compression() {
    let page = small_page();
    let serving = Serving::start(&mut serve(page.path(), &[]));
    for (path, file, media_type) in [
        ("/", "index.html", "text/html; charset=utf-8"),
        ("/?currency=CNY", "index.html", "text/html; charset=utf-8"),
        ("/style.css", "style.css", "text/css; charset=utf-8"),
        ("/loader.js", "loader.js", "text/javascript; charset=utf-8"),
        ("/viz_bg.wasm", "viz_bg.wasm", "application/wasm"),
    ] {
        let content = std::fs::read(page.path().join(file)).unwrap();
        let plain = serving.get(path, &[]);
        assert_eq!(plain.status, 200, "{path}");
        assert_eq!(plain.body, content, "{path}");
        for (name, value) in [
            ("content-type", media_type),
            ("content-length", &content.len().to_string()),
            ("cache-control", "no-cache"),
            ("vary", "accept-encoding"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "frame-ancestors 'none'"),
        ] {
            assert_eq!(plain.header(name), Some(value), "{path}\n{}", plain.head);
        }
        assert_eq!(plain.header("content-encoding"), None, "{path}");

        let brotli = serving.get(path, &[("Accept-Encoding", "gzip, deflate, br")]);
        assert_eq!(brotli.header("content-encoding"), Some("br"), "{path}");
        assert!(brotli.body.len() < content.len(), "{path}");
        let mut inflated = Vec::new();
        brotli::Decompressor::new(&brotli.body[..], 4096).read_to_end(&mut inflated).unwrap();
        assert_eq!(inflated, content, "{path}");

        let gzip = serving.get(path, &[("Accept-Encoding", "gzip, deflate")]);
        assert_eq!(gzip.header("content-encoding"), Some("gzip"), "{path}");
        assert!(gzip.body.len() < content.len(), "{path}");
        let mut inflated = Vec::new();
        flate2::read::GzDecoder::new(&gzip.body[..]).read_to_end(&mut inflated).unwrap();
        assert_eq!(inflated, content, "{path}");

        for (answer, encoding) in [(&plain, "identity"), (&gzip, "gzip"), (&brotli, "br")] {
            let tag = answer.header("etag").unwrap();
            let again = serving.get(path, &[("Accept-Encoding", encoding), ("If-None-Match", tag)]);
            assert_eq!((again.status, again.body.len()), (304, 0), "{path} {encoding}");
            assert_eq!(again.header("etag"), Some(tag), "{path} {encoding}");
        }
        assert_ne!(plain.header("etag"), gzip.header("etag"), "{path}");
        assert_ne!(brotli.header("etag"), gzip.header("etag"), "{path}");

        let head = raw(&serving.address, &format!("HEAD {path}"), &[]);
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-length"), plain.header("content-length"), "{path}");
    }
}

#[test]
fn nothing_else_is_served() {
    let page = small_page();
    std::fs::write(page.path().join(".hidden"), "hidden").unwrap();
    std::fs::write(page.path().with_extension("secret"), "secret").unwrap();
    let name = page.path().with_extension("secret");
    let name = name.file_name().unwrap().to_str().unwrap();
    let serving = Serving::start(&mut serve(page.path(), &[]));
    let beside = [format!("/../{name}"), format!("/%2e%2e/{name}"), format!("/..%2f{name}")];
    let paths = ["/missing", "/.hidden", "//etc/passwd", "/style.css/", "/index.html/../style.css"];
    for path in beside.iter().map(String::as_str).chain(paths) {
        let answer = serving.get(path, &[]);
        assert_eq!((answer.status, answer.text()), (404, "there is no such file here\n"), "{path}");
    }
    std::fs::remove_file(page.path().with_extension("secret")).unwrap();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let answer = raw(&serving.address, &format!("{method} /"), &[("Content-Length", "0")]);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    for host in ["page.example", "page.example:80", "127.0.0.1.page.example", "10.0.0.1"] {
        let answer = serving.get("/", &[("Host", host)]);
        assert_eq!(answer.status, 403, "{host}");
        assert!(answer.text().contains(host), "{}", answer.text());
    }
    assert_eq!(serving.get("/", &[("Host", "localhost")]).status, 200);
    assert_eq!(serving.get("http://page.example/", &[]).status, 403);
}

#[test]
fn a_signal_ends_it_well() {
    let page = small_page();
    for signal in [nix::sys::signal::Signal::SIGINT, nix::sys::signal::Signal::SIGTERM] {
        let serving = Serving::start(&mut serve(page.path(), &[]));
        // A connection that is kept open does not hold it up.
        let _open = TcpStream::connect(&serving.address).unwrap();
        let (status, said) = serving.end(signal);
        assert_eq!(status, Some(0), "{signal}: {said}");
        assert!(said.contains("this machine can reach it. Stop it with Ctrl-C"), "{said}");
    }
}

#[test]
fn the_address_is_one_document_of_json() {
    let page = small_page();
    let mut command = serve(page.path(), &["--json", "--quiet"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let document: Value = serde_json::from_str(&line).unwrap();
    assert!(document["url"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{document}");
    assert_eq!(document["page"], page.path().to_str().unwrap());
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let page = small_page();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let refuses = std::thread::spawn(move || drop(other.accept()));
    let ask = |port: &str| Said::by(deployer(&["serve", "--port", port, "--dir"]).arg(page.path())).status(1);
    let said = ask(&address.port().to_string());
    refuses.join().unwrap();
    assert_eq!(
        said.stderr,
        format!(
            "error: cannot listen on {address}: the port is in use\n\
             hint: name another port with --port N; --port 0 takes any free one\n"
        )
    );
    let serving = Serving::start(&mut serve(page.path(), &[]));
    let port = serving.address.rsplit(':').next().unwrap();
    ask(port).complains(&["the port is in use", &format!("is served there already: {}", serving.url)]);
}

#[test]
fn a_folder_or_an_address_that_cannot_be_is_wrong_usage() {
    let empty = tempfile::tempdir().unwrap();
    let said = Said::by(&mut serve(empty.path(), &[])).status(2);
    said.complains(&[
        "--dir",
        empty.path().to_str().unwrap(),
        "has no index.html",
        "deployer build web --out DIR",
    ]);
    Said::by(&mut deployer(&["serve", "--host", "everywhere"]))
        .status(2)
        .complains(&["--host `everywhere`", "127.0.0.1"]);
    Said::by(&mut deployer(&["serve", "--port", "99999"])).status(2).complains(&["--port `99999`"]);
    // An address of the documentation's network, which no machine has.
    let said = Said::by(&mut serve(small_page().path(), &["--host", "192.0.2.1"])).status(1);
    said.complains(&["192.0.2.1", "this machine has no such address"]);
}

#[test]
fn open_opens_the_browser_that_is_wanted() {
    let page = small_page();
    let folder = tempfile::tempdir().unwrap();
    let (script, opened) = browser(folder.path());
    let serving = Serving::start(serve(page.path(), &["--open"]).env("BROWSER", script));
    assert_eq!(soon(&opened), serving.url);
}

#[test]
fn without_a_browser_the_link_is_said_and_the_page_is_served() {
    let page = small_page();
    let nothing = tempfile::tempdir().unwrap();
    let mut command = serve(page.path(), &["--open"]);
    command.env("PATH", nothing.path()).env_remove("BROWSER");
    let mut serving = Serving::start(&mut command);
    assert_eq!(serving.get("/", &[]).status, 200);
    let stderr = BufReader::new(serving.child.stderr.take().unwrap());
    let warning = stderr.lines().map(Result::unwrap).find(|line| line.starts_with("warning: "));
    let warning = warning.expect("a warning");
    assert!(warning.contains("no browser could be opened"), "{warning}");
    assert!(warning.ends_with(&format!("the link is {}", serving.url)), "{warning}");
}

#[test]
fn the_program_s_own_page_is_built_once_and_is_what_build_web_writes() {
    let built = built_page();
    let serving = Serving::start(&mut deployer(&["serve", "--port", "0", "-v"]));
    let mut count = 0;
    for entry in std::fs::read_dir(&built).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let answer = serving.get(&format!("/{name}"), &[]);
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.body, std::fs::read(&path).unwrap(), "{name}");
        if name.ends_with(".wasm") {
            assert_eq!(answer.header("content-type"), Some("application/wasm"));
            assert!(answer.body.starts_with(b"\0asm"));
            count += 1;
        }
    }
    assert_eq!(count, 1, "the page has its code");
    assert!(serving.get("/", &[]).text().contains("Content-Security-Policy"));
    let (_, said) = serving.end(nix::sys::signal::Signal::SIGINT);
    assert!(said.contains("is up to date") && !said.contains("building"), "{said}");
    let again = tempfile::tempdir().unwrap();
    let said = Said::by(deployer(&["build", "web", "--json", "--out"]).arg(again.path())).success();
    let files = said.json()["files"].as_array().unwrap().len();
    assert_eq!(files, std::fs::read_dir(&built).unwrap().count());
    assert!(!said.stderr.contains("building"), "{}", said.stderr);
}

#[tokio::test]
async fn a_stack_on_this_machine_links_to_the_page_on_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let up = |flags: &[&str]| {
        let mut command = deployer(&["up", "--local", "--yes", "--json", "--state"]);
        Said::by(command.arg(folder.path().join("state")).args(flags)).success().json()
    };
    let parameter =
        |document: &Value| document["parameters"]["visualizationURL"].as_str().unwrap().to_owned();
    assert_eq!(parameter(&up(&[])), "http://127.0.0.1:8723/");
    let chosen = "https://charts.example/";
    assert_eq!(parameter(&up(&["--visualization-url", chosen])), chosen);
    assert_eq!(parameter(&up(&[])), chosen, "what was chosen stays");
}

#[tokio::test]
async fn tune_says_how_to_open_its_link_and_opens_one_elsewhere() {
    let page = format!("http://127.0.0.1:{}/", free_port());
    let world = World::with(&["--power-values", "128,256", "--visualization-url", &page]).await;
    world.sample("echo", "echo").await;
    let said = world.deployer(&["tune", "echo", "--num", "5"]).success();
    assert!(
        said.stdout.trim_end().lines().last().unwrap().starts_with(&format!("Chart: {page}#")),
        "{said:?}"
    );
    let port = page.trim_end_matches('/').rsplit(':').next().unwrap();
    said.complains(&[&format!("to see the chart, run `deployer serve --port {port}` and open the link")]);

    // Without a terminal nothing is served for ever, but what is served already is opened.
    let small = small_page();
    let mut command = deployer(&["serve", "--port", port, "--dir"]);
    let serving = Serving::start(command.arg(small.path()));
    let (script, opened) = browser(world.folder());
    let mut command = world.command(&["tune", "echo", "--num", "5", "--open", "--json"]);
    let said = Said::by(command.env("BROWSER", script)).success();
    let link = said.json()["stateMachine"]["visualization"].as_str().unwrap().to_owned();
    assert_eq!(soon(&opened), link);
    assert!(!said.stderr.contains("to see the chart"), "{}", said.stderr);
    drop(serving);
}

#[tokio::test]
async fn in_a_terminal_tune_open_serves_the_page_until_ctrl_c() {
    built_page();
    let port = free_port();
    let page = format!("http://127.0.0.1:{port}/");
    let world = World::with(&["--power-values", "128,256", "--visualization-url", &page]).await;
    world.sample("echo", "echo").await;
    let (script, opened) = browser(world.folder());
    let mut command = world.command(&["tune", "echo", "--num", "5", "--open"]);
    let mut terminal = Terminal::start(command.env("BROWSER", script).env_remove("CI"));
    let link = soon(&opened);
    assert!(link.starts_with(&format!("{page}#")), "{link}");
    let answer = raw(&format!("127.0.0.1:{port}"), "GET /", &[]);
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("loader.js"), "{}", answer.text());
    terminal.types("\x03");
    let (status, screen) = terminal.end();
    assert_eq!(status, Some(0), "{screen}");
    let (result, after) = screen.split_once("Chart: ").expect("the result is printed first");
    assert!(result.contains("echo should have"), "{screen}");
    assert!(after.contains(&format!("the chart page is served at {page}; Ctrl-C ends that")), "{screen}");
}

#[test]
fn the_demo_ends_by_itself_without_a_terminal_and_its_second_run_builds_and_deploys_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let demo = |flags: &[&str]| {
        let mut command = deployer(&["demo", "--state"]);
        Said::by(command.arg(folder.path().join("state")).args(flags).current_dir(folder.path())).success()
    };
    let first = demo(&[]);
    let chart = first.stdout.lines().find_map(|line| line.strip_prefix("Chart: ")).expect("a link");
    let runs = tuning::url::decode(chart.strip_prefix("http://127.0.0.1:8723/#").expect(chart)).unwrap();
    assert_eq!(runs[0].sizes, [128, 512, 1024, 1769, 3008]);
    assert!(first.stdout.starts_with("sample-cpu should have "), "{}", first.stdout);
    assert!(first.stdout.contains("deployer tune --code ./a-folder"), "{}", first.stdout);
    let costs = first.stderr.lines().filter(|line| line.ends_with(" per million"));
    let costs: Vec<&str> = costs.filter_map(|line| line.split_whitespace().rev().nth(2)).collect();
    assert!(costs.len() == 5 && costs.iter().all(|cost| cost.starts_with('$')), "{}", first.stderr);
    let second = demo(&["--json"]);
    assert!(!second.stderr.contains("building"), "{}", second.stderr);
    let document = second.json();
    assert_eq!(document["deployed"]["change"], "unchanged", "{document}");
    assert_eq!(document["deployed"]["parameters"]["visualizationURL"], "http://127.0.0.1:8723/");
    assert!(document["tuned"]["power"].is_number(), "{document}");
    assert!(!second.stderr.contains("served at"), "{}", second.stderr);

    // What it says to do by hand does not need what it did.
    std::fs::remove_dir_all(folder.path().join("state")).unwrap();
    for command in &document["commands"].as_array().unwrap()[..2] {
        let line = command.as_str().unwrap().replacen("deployer", "\"$0\"", 1);
        let mut shell = isolated("sh");
        shell.args(["-c", &line]).arg(built("deployer")).current_dir(folder.path());
        let said = Said::by(&mut shell).success();
        assert!(
            said.stdout.contains("was created") || said.stdout.starts_with("sample-cpu should have "),
            "{said:?}"
        );
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
