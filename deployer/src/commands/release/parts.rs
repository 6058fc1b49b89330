//! What the program is made of, as CycloneDX says it (<https://cyclonedx.org/docs/1.5/json/>): every crate that the lock file has.

use serde::Deserialize;
use serde_json::{Value, json};

use super::packed::VERSION;

/// What cargo builds from.
const LOCK: &str = include_str!("../../../../Cargo.lock");

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

/// The bill of materials.
///
/// # Errors
/// A lock file that is not as cargo writes it.
pub fn bill() -> anyhow::Result<Value> {
    let lock: Lock = toml::from_str(LOCK)?;
    let component = |package: &Package| {
        let purl = format!("pkg:cargo/{}@{}", package.name, package.version);
        let mut component = json!({
            "type": "library", "bom-ref": purl, "name": package.name, "version": package.version, "purl": purl,
        });
        if let Some(checksum) = &package.checksum {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        }
        component
    };
    let others = lock.package.iter().filter(|package| package.source.is_some());
    Ok(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": {
            "type": "application", "bom-ref": "deployer", "name": "deployer", "version": VERSION,
            "licenses": [{ "license": { "id": "Apache-2.0" } }],
        } },
        "components": others.map(component).collect::<Vec<_>>(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_from_elsewhere_is_in_the_bill_once() {
        let bill = bill().unwrap();
        let components = bill["components"].as_array().unwrap();
        let mut references: Vec<&str> =
            components.iter().map(|component| component["bom-ref"].as_str().unwrap()).collect();
        assert_eq!(references.len(), LOCK.lines().filter(|line| line.starts_with("checksum = ")).count());
        assert!(references.iter().any(|purl| purl.starts_with("pkg:cargo/tokio@1.")), "{references:?}");
        references.dedup();
        assert_eq!(references.len(), components.len());
    }
}
