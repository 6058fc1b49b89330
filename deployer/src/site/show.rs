//! A result's chart, after the result: opened in a browser if that is wanted, and served first if its link leads to a page
//! on this machine that nobody serves yet.

use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hyper::Uri;

use super::{ListenError, Server, Site, is_served};
use crate::browser;
use crate::build;
use crate::events::Events;
use crate::failure::Failure;
use crate::interrupt;
use crate::outcome::Chart;

/// Shows a chart. Ends at once, unless it serves the page: then with Ctrl-C. Whatever stands in the way is a warning: the
/// result was handed over already.
pub async fn show(chart: &Chart, events: &Events) {
    tokio::select! {
        biased;
        _ = interrupt::unclaimed() => {}
        () = bring_up(chart, events) => {}
    }
}

async fn bring_up(chart: &Chart, events: &Events) {
    let Some(address) = address(&chart.link) else {
        // A page elsewhere is there by itself.
        if chart.open {
            browser::open(&chart.link, events).await;
        }
        return;
    };
    if !chart.serve || !attended() {
        if is_served(address).await {
            return open(chart, events).await;
        }
        let port =
            if address.port() == super::PORT { String::new() } else { format!(" --port {}", address.port()) };
        events.note(format!("to see the chart, run `deployer serve{port}` and open the link"));
        return;
    }
    match Server::listen(address).await {
        Ok(server) => serve(server, chart, events).await,
        Err(ListenError { error, .. })
            if error.kind() == std::io::ErrorKind::AddrInUse && is_served(address).await =>
        {
            events.note("the chart page is served already");
            open(chart, events).await;
        }
        Err(error) => events.warning(format!(
            "the chart cannot be shown: {error}; end the program that uses it, then run `deployer serve` and open the link"
        )),
    }
}

async fn serve(server: Server, chart: &Chart, events: &Events) {
    let site = match build::page_folder(events).await {
        Ok(folder) => Site::load(&folder).map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    match site {
        Ok(site) => {
            events.note(format!("the chart page is served at {}; Ctrl-C ends that", server.url()));
            // Meanwhile, since the browser asks for the page before it comes back.
            let (never, ()) = tokio::join!(server.run(site), open(chart, events));
            match never {}
        }
        Err(error) => {
            let failure = Failure::of(&error);
            let reasons = [vec![failure.message], failure.hints].concat().join("; ");
            events.warning(format!("the chart page cannot be served: {reasons}"));
        }
    }
}

async fn open(chart: &Chart, events: &Events) {
    if chart.open {
        browser::open(&chart.link, events).await;
    }
}

/// Whether somebody is there who can end what would go on for ever.
fn attended() -> bool {
    let automatic = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !automatic
}

/// The address of a page on this machine that [`Server`] could serve: at the root of a loopback address.
fn address(link: &str) -> Option<SocketAddr> {
    let base = link.split_once('#').map_or(link, |(base, _)| base);
    let uri: Uri = base.parse().ok()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let ip: IpAddr = if host == "localhost" { Ipv4Addr::LOCALHOST.into() } else { host.parse().ok()? };
    let ours = uri.scheme_str() == Some("http") && uri.path() == "/" && ip.is_loopback();
    ours.then(|| SocketAddr::new(ip, uri.port_u16().unwrap_or(80)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_at_the_root_of_this_machine_are_ours_to_serve() {
        for (link, expected) in [
            ("http://127.0.0.1:8723/#a;b;c", Some("127.0.0.1:8723")),
            ("http://127.0.0.1:8723#a;b;c", Some("127.0.0.1:8723")),
            ("http://localhost:9000/?currency=CNY#a", Some("127.0.0.1:9000")),
            ("http://[::1]:1/#a", Some("[::1]:1")),
            ("http://127.0.0.1:8723/page/#a", None),
            ("https://127.0.0.1:8723/#a", None),
            ("http://10.0.0.1:8723/#a", None),
            ("https://lambda-power-tuning.show/#a", None),
            ("#a", None),
        ] {
            assert_eq!(address(link).map(|address| address.to_string()).as_deref(), expected, "{link}");
        }
    }
}
