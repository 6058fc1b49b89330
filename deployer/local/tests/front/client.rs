//! An endpoint on a folder of its own, and a client that sends what it is told to.

use std::path::Path;
use std::time::Duration;

use local_aws::{Endpoint, Options};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Local {
    pub endpoint: Endpoint,
    pub folder: TempDir,
}

pub struct Call {
    address: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Local {
    pub async fn start() -> Self {
        Self::on(tempfile::tempdir().unwrap()).await
    }

    pub async fn on(folder: TempDir) -> Self {
        Self { endpoint: Endpoint::start(options(folder.path())).await.unwrap(), folder }
    }

    pub async fn restart(self) -> Self {
        self.endpoint.stop().await;
        Self::on(self.folder).await
    }

    pub fn address(&self) -> String {
        self.endpoint.url().strip_prefix("http://").unwrap().to_owned()
    }

    /// A request signed for a service with a key of the owner's.
    pub fn call(&self, service: &str, method: &str, path: &str) -> Call {
        self.unsigned(method, path).key("test", service)
    }

    pub fn unsigned(&self, method: &str, path: &str) -> Call {
        let address = self.address();
        Call {
            address,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A request of the query protocol.
    pub async fn query(&self, service: &str, form: &str) -> Reply {
        let call =
            self.call(service, "POST", "/").header("content-type", "application/x-www-form-urlencoded");
        call.body(form).send().await
    }

    pub async fn s3(&self, method: &str, path: &str, body: &str) -> Reply {
        self.call("s3", method, path).body(body).send().await
    }
}

pub fn options(state: &Path) -> Options {
    Options { port: 0, state: state.to_owned(), region: "us-east-1".to_owned(), cpu_share: None }
}

impl Call {
    pub fn key(self, key: &str, service: &str) -> Self {
        let scope = format!("{key}/20260101/us-east-1/{service}/aws4_request");
        let value = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        self.header("authorization", &value)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    pub async fn send(self) -> Reply {
        Reply::parse(&exchange(&self.address, &self.request(), false).await)
    }

    /// Sends it; whether the connection ended without an answer.
    pub async fn got_no_answer(self) -> bool {
        exchange(&self.address, &self.request(), false).await.is_empty()
    }

    fn request(&self) -> Vec<u8> {
        let has = |wanted: &str| self.headers.iter().any(|(name, _)| name == wanted);
        let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", self.method, self.path);
        if !has("host") {
            head += &format!("host: {}\r\n", self.address);
        }
        if !has("content-length")
            && !has("transfer-encoding")
            && (!self.body.is_empty() || self.method == "PUT" || self.method == "POST")
        {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut request = format!("{head}\r\n").into_bytes();
        request.extend_from_slice(&self.body);
        request
    }
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer in {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        };
        Self { status, headers: lines.map(header).collect(), body: bytes[end + 4..].to_vec() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The texts of the elements of a name, in order.
    pub fn all(&self, element: &str) -> Vec<String> {
        let text = self.text();
        let open = format!("<{element}>");
        let inside = |part: &str| part.split(&format!("</{element}>")).next().unwrap().to_owned();
        text.split(&open).skip(1).map(inside).collect()
    }

    pub fn first(&self, element: &str) -> String {
        self.all(element).into_iter().next().unwrap_or_else(|| panic!("no {element} in {}", self.text()))
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text());
        self
    }

    /// Status and code of an error in XML.
    pub fn error(&self) -> (u16, String) {
        (self.status, self.first("Code"))
    }
}

/// Sends bytes and reads until the endpoint closes, which it must do soon. With `end` the endpoint learns that nothing
/// more comes, whatever the bytes promised.
pub async fn exchange(address: &str, request: &[u8], end: bool) -> Vec<u8> {
    let talk = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The endpoint may answer and close before it has read everything.
        let _ = stream.write_all(request).await;
        if end {
            let _ = stream.shutdown().await;
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    tokio::time::timeout(Duration::from_secs(20), talk).await.expect("the endpoint hangs")
}
