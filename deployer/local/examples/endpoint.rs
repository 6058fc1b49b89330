//! The endpoint by itself, for trying clients by hand: `cargo run --example endpoint -- PORT FOLDER`.

#![allow(clippy::print_stdout, reason = "the address is this program's output")]

use local_aws::{Endpoint, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().ok_or("the first argument is the port")?.parse()?;
    let state = arguments.next().ok_or("the second argument is the state folder")?.into();
    let endpoint =
        Endpoint::start(Options { port, state, region: "us-east-1".to_owned(), cpu_share: None }).await?;
    println!("{}", endpoint.url());
    tokio::signal::ctrl_c().await?;
    endpoint.stop().await;
    Ok(())
}
