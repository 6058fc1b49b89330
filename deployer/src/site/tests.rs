//! The rules of answering that no browser shows: which encodings, which tags, which hosts.

use hyper::{Method, Request, Response};

use super::*;

fn site() -> Site {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "<p>page</p>\n".repeat(100)).unwrap();
    std::fs::write(folder.path().join("tiny.css"), "a{}").unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("sub/index.html"), "below").unwrap();
    std::fs::write(folder.path().join("sub/a b.txt"), "spaced").unwrap();
    std::fs::write(folder.path().join(".secret"), "no").unwrap();
    Site::load(folder.path()).unwrap()
}

fn ask<T: Default>(path: &str, headers: &[(&str, &str)]) -> Response<T> {
    let mut request = Request::builder().method(Method::GET).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, _) = answer(&site(), true, &request.body(()).unwrap()).into_parts();
    Response::from_parts(parts, T::default())
}

fn status(path: &str, headers: &[(&str, &str)]) -> u16 {
    ask::<()>(path, headers).status().as_u16()
}

const HERE: (&str, &str) = ("host", "127.0.0.1:8723");

#[test]
fn brotli_or_gzip_is_sent_to_those_that_take_it() {
    let encoded = |accepted: &str| {
        let answer: Response<()> = ask("/", &[HERE, ("accept-encoding", accepted)]);
        let coding = answer.headers().get("content-encoding");
        coding.map(|coding| coding.to_str().unwrap().to_owned())
    };
    for accepted in ["gzip", "GZIP", "br;q=0, gzip;q=0.1", "br;q=0, *", "x-gzip", "gzip; q=1"] {
        assert_eq!(encoded(accepted).as_deref(), Some("gzip"), "{accepted}");
    }
    for accepted in ["br", "gzip, deflate, br, zstd", "deflate, *", "gzip;q=0, BR;q=0.5", "gzip;q=0.0, *"] {
        assert_eq!(encoded(accepted).as_deref(), Some("br"), "{accepted}");
    }
    for accepted in ["", "zstd", "gzip;q=0, br;q=0", "*;q=0", "identity", "gzip;q=x", "notgzip"] {
        assert_eq!(encoded(accepted), None, "{accepted}");
    }
    let tiny: Response<()> = ask("/tiny.css", &[HERE, ("accept-encoding", "gzip")]);
    assert_eq!(tiny.headers().get("content-encoding"), None, "what does not get smaller stays as it is");
}

#[test]
fn a_tag_is_known_by_itself_weakly_in_a_list_or_by_a_star() {
    let tag = ask::<()>("/", &[HERE]).headers()["etag"].to_str().unwrap().to_owned();
    let gzip = [HERE, ("accept-encoding", "gzip")];
    let compressed = ask::<()>("/", &gzip).headers()["etag"].to_str().unwrap().to_owned();
    assert_ne!(tag, compressed, "different bytes, different strong tags");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        assert_eq!(status("/", &[HERE, ("if-none-match", &known)]), 304, "{known}");
    }
    for other in ["\"x\"", tag.trim_matches('"'), &compressed] {
        assert_eq!(status("/", &[HERE, ("if-none-match", other)]), 200, "{other}");
    }
}

#[test]
fn only_this_machine_s_names_are_answered_to() {
    for host in ["127.0.0.1:8723", "localhost", "LOCALHOST:1", "[::1]:8723", "page.localhost", "127.0.0.2"] {
        assert_eq!(status("/", &[("host", host)]), 200, "{host}");
    }
    for host in
        ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "0.0.0.0", "", "@"]
    {
        assert_eq!(status("/", &[("host", host)]), 403, "{host}");
    }
    assert_eq!(status("/", &[]), 403, "no host at all");
    assert_eq!(status("http://evil.example/", &[HERE]), 403);
    let elsewhere = Request::builder().uri("/").header("host", "page.example").body(()).unwrap();
    assert_eq!(answer(&site(), false, &elsewhere).status(), 200, "whoever lets others in has other names");
}

#[test]
fn paths_lead_to_the_page_s_files_and_nowhere_else() {
    for path in ["/", "/index.html", "/?currency=CNY", "/sub/", "/sub/a%20b.txt", "/%69ndex.html"] {
        assert_eq!(status(path, &[HERE]), 200, "{path}");
    }
    for path in [
        "/sub",
        "/../Cargo.toml",
        "/sub/../index.html",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2fetc%2fpasswd",
        "//etc/passwd",
        "/.secret",
        "/index.html/",
        "/index.html%00",
        "/%ff",
        "/tiny.css%2F..%2Findex.html",
    ] {
        assert_eq!(status(path, &[HERE]), 404, "{path}");
    }
}

#[test]
fn a_folder_that_is_no_page_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let no_index = Site::load(folder.path()).unwrap_err().to_string();
    assert!(no_index.ends_with("is not a page: it has no index.html"), "{no_index}");
    for number in 0..=MOST_FILES {
        std::fs::write(folder.path().join(number.to_string()), "").unwrap();
    }
    let many = Site::load(folder.path()).unwrap_err();
    assert!(matches!(many, SiteError::TooMuch(_)), "{many}");
    assert!(Site::load(&folder.path().join("missing")).is_err());
}
