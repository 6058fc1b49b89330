//! What is refused before it is read: requests that a web page made the user's browser send. A page elsewhere can reach
//! a loopback port by its address (a cross-origin request) or by a name that resolves to it (DNS rebinding); the first
//! carries an `Origin` or `Sec-Fetch-Site`, the second a `Host` that is not ours.

use std::net::IpAddr;

use http::Method;
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::uri::Uri;

use super::host;
use crate::{ApiError, Result};

/// The most bytes of all headers together; the server's own limit is about twice that.
const MOST_HEADER_BYTES: usize = 64 << 10;

/// Refuses requests for other hosts and from other origins, and those with too much in their headers.
pub fn check(parts: &Parts) -> Result<()> {
    let bytes: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > MOST_HEADER_BYTES {
        let message = format!("the request's headers are larger than {MOST_HEADER_BYTES} bytes");
        return Err(ApiError::new(431, "RequestHeaderSectionTooLarge", message));
    }
    let host = host(&parts.headers);
    if !host.as_deref().is_some_and(is_loopback) {
        return Err(refused(
            "Host",
            parts.headers.get(HOST).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()),
        ));
    }
    if let Some(authority) = parts.uri.authority()
        && !is_loopback(authority.host())
    {
        return Err(refused("Host", Some(authority.to_string())));
    }
    if let Some(origin) = parts.headers.get(ORIGIN) {
        let uri: Option<Uri> = origin.to_str().ok().and_then(|o| o.parse().ok());
        if !uri.as_ref().and_then(Uri::host).is_some_and(is_loopback) {
            return Err(refused("Origin", Some(String::from_utf8_lossy(origin.as_bytes()).into_owned())));
        }
    }
    let fetch = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok());
    // A link that the user follows to a page hosted here is no request of the page it is on.
    let follows_a_link = parts.method == Method::GET && fetch("sec-fetch-mode") == Some("navigate");
    if fetch("sec-fetch-site") == Some("cross-site") && !follows_a_link {
        return Err(refused("Sec-Fetch-Site", Some("cross-site".to_owned())));
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|ip| ip.is_loopback())
}

fn refused(header: &str, value: Option<String>) -> ApiError {
    let value = value.map_or("nothing".to_owned(), |v| format!("\"{v}\""));
    let message = format!(
        "the local endpoint answers requests to 127.0.0.1 or localhost that no web page elsewhere sends, not {header}: \
         {value}"
    );
    ApiError::new(403, "AccessDenied", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(uri: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap().into_parts().0).is_ok()
    }

    #[test]
    fn only_loopback_hosts_are_answered() {
        for host in
            ["127.0.0.1:4566", "127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:80", "bucket.s3.localhost:9"]
        {
            assert!(allowed("/", &[("host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "0.0.0.0",
            "",
            "@",
        ] {
            assert!(!allowed("/", &[("host", host)]), "{host}");
        }
        assert!(!allowed("/", &[]), "no host at all");
        assert!(!allowed("http://evil.example/", &[("host", "127.0.0.1")]));
    }

    #[test]
    fn pages_elsewhere_are_refused() {
        let host = ("host", "127.0.0.1:4566");
        for origin in ["https://evil.example", "null", "file://", "http://localhost.evil.example"] {
            assert!(!allowed("/", &[host, ("origin", origin)]), "{origin}");
        }
        assert!(allowed("/", &[host, ("origin", "http://127.0.0.1:8080")]));
        assert!(!allowed("/", &[host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")]));
        assert!(allowed("/", &[host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]));
    }
}
