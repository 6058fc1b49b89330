//! The power-tuning stack, in Rust: what `up` deploys and `synth` prints.
//!
//! [`Stack::synth`] puts the rooms together: [`parameters`] (what may be chosen at deployment), [`functions`] (the six
//! Lambdas, each with its own role and log), [`grants`] (what each handler may do), [`machine`] (the order of things),
//! [`aborts`] (cleaning up after executions that were stopped), [`copies`] (what copies of functions need), [`fleets`] (many functions at once), [`elsewhere`] (a role in another account) and [`page`] (the chart page's place, if it is to have one). Only `constructs` and the table of options are needed here: no AWS client,
//! no file, no clock.

mod aborts;
mod copies;
pub mod elsewhere;
mod fleets;
mod functions;
mod grants;
mod machine;
mod page;
pub mod parameters;
#[cfg(test)]
mod tests;

use constructs::{Asset, Location, Problems, Template, Val, pseudo, text};
use serde_json::Value;

pub use tuning::pricing::Architecture;

/// The output that holds the state machine's ARN.
pub const STATE_MACHINE_OUTPUT: &str = "StateMachineARN";

/// The output that holds the hosted chart page's address, where there is one.
pub const PAGE_OUTPUT: &str = "visualizationURL";

/// The logical id of the hosted chart page's bucket.
pub const PAGE_BUCKET: &str = "visualizationBucket";

/// The logical id of the bucket for the code of copies.
pub const COPIES_BUCKET: &str = "copiesBucket";

/// The output that holds the ARN of the machine of fleets, where there is one.
pub const FLEET_MACHINE_OUTPUT: &str = "FleetStateMachineARN";

/// The output that holds the name of the bucket for plans and results of fleets.
pub const FLEETS_BUCKET_OUTPUT: &str = "FleetsBucket";

/// The logical id of the bucket for plans and results of fleets.
pub const FLEETS_BUCKET: &str = "fleetsBucket";

/// The logical id of the function that cleans up after a run; `deployer cleanup` invokes it by hand.
pub const CLEANER: &str = "cleaner";

/// The logical id of the state machine.
pub const STATE_MACHINE: &str = "powerTuningStateMachine";

/// What is decided at synthesis; everything else is a template parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// What the functions were built for.
    pub architecture: Architecture,
    /// The zip with the one `bootstrap` of all six functions.
    pub functions: Asset,
}

impl Stack {
    /// The stack for functions whose zip has this SHA-256 (hexadecimal) and is, or will be, at the location.
    pub fn new(architecture: Architecture, functions_sha256: impl Into<String>, location: Location) -> Self {
        Stack { architecture, functions: Asset::zip("functions", functions_sha256, location) }
    }

    /// The template.
    ///
    /// # Errors
    /// A hash that is none; anything else would be a mistake in this module.
    pub fn synth(&self) -> Result<Template, Problems> {
        let mut stack = constructs::Stack::new(
            "deployer: finds the memory size at which a Lambda function is cheapest or fastest, by measuring it",
        );
        stack.asset(&self.functions);
        let choices = parameters::declare(&mut stack);
        let name = machine::name(&choices);
        let page = page::add(&mut stack, &choices);
        let copies = copies::add(&mut stack, &choices);
        let functions = functions::add(&mut stack, self, &choices, &copies, &name, &page);
        let machine = machine::add(&mut stack, &choices, &name, &functions);
        aborts::add(&mut stack, &machine, &functions.cleaner);
        fleets::add(&mut stack, &choices, &machine);
        stack.output(STATE_MACHINE_OUTPUT, "The state machine that runs power tuning", &machine.arn());
        stack.synth()
    }
}

/// What the functions of a deployed template are built for; none when it has no functions.
#[must_use]
pub fn deployed_architecture(template: &Value) -> Option<Architecture> {
    let resources = template["Resources"].as_object()?.values();
    let function = resources.into_iter().find(|resource| resource["Type"] == "AWS::Lambda::Function")?;
    // CloudFormation's default is Lambda's own.
    let name = function["Properties"]["Architectures"][0].as_str();
    name.map_or(Some(Architecture::default()), |name| name.parse().ok())
}

/// The default name of the bucket for assets: one per account and region.
#[must_use]
pub fn asset_bucket() -> Val<String> {
    text!["deployer-assets-", pseudo::account_id(), "-", pseudo::region()]
}

/// The default name of the bucket for assets where account and region are known.
#[must_use]
pub fn asset_bucket_in(account: &str, region: &str) -> String {
    format!("deployer-assets-{account}-{region}")
}
