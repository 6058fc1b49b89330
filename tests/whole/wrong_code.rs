//! Code that Lambda cannot start: the first invocation says so, with the way out.

use std::io::Write as _;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};

use crate::harness::{World, built};

/// A package with one file.
fn package(name: &str, bytes: &[u8], mode: u32) -> Blob {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(mode);
    zip.start_file(name, options).unwrap();
    zip.write_all(bytes).unwrap();
    Blob::new(zip.finish().unwrap().into_inner())
}

#[tokio::test]
async fn code_that_cannot_be_started_is_said_with_the_way_out() {
    let world = World::new().await;
    let for_nobody = [&b"\x7fELF\x02\x01"[..], &[0; 58]].concat();
    let (own, other) = ("x86_64", "arm64");
    let (own, other) = if cfg!(target_arch = "x86_64") { (own, other) } else { (other, own) };
    let samples = std::fs::read(built("samples")).unwrap();
    let mut foreign = samples.clone();
    foreign[18..20].copy_from_slice(&u16::to_le_bytes(if other == "arm64" { 183 } else { 62 }));
    let processor = format!(
        "/var/task/bootstrap: exec format error; the function's architecture is {other}: build its code for {other}"
    );
    let machine = format!(
        "/var/task/bootstrap is for {other}, as the function is, and this machine is {own}: build it for {own}"
    );
    let format = format!(
        "fork/exec /var/task/bootstrap: exec format error; the function's architecture is {own}: build its code for {own}, or set \
         the architecture that it was built for"
    );
    let cases = [
        ("format", "bootstrap", &for_nobody[..], 0o755, own, format.as_str()),
        // It would run here, at the price of the other processor.
        ("processor", "bootstrap", &samples, 0o755, other, &processor),
        ("machine", "bootstrap", &foreign, 0o755, other, &machine),
        (
            "mode",
            "bootstrap",
            b"#!/bin/sh\n",
            0o644,
            own,
            "fork/exec /var/task/bootstrap: permission denied; its program must be \
         executable by everybody (chmod 755)",
        ),
        (
            "name",
            "main",
            b"#!/bin/sh\n",
            0o755,
            own,
            "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]; its \
         program must be called `bootstrap` and lie at the top of the package",
        ),
    ];
    for (name, file, bytes, mode, architecture, words) in cases {
        let code = FunctionCode::builder().zip_file(package(file, bytes, mode)).build();
        let create = world.lambda.create_function().function_name(name).code(code).handler("none");
        let create = create.architectures(architecture.into());
        let create = create.runtime(Runtime::Providedal2023).role("arn:aws:iam::000000000000:role/sample");
        create.send().await.unwrap();
        let said =
            world.deployer(&["tune", name, "--num", "5", "--power-values", "128,512", "--json"]).status(1);
        said.complains(&[words]);
    }
}
