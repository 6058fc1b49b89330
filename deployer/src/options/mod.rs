//! The one table of options: what each is called, which values it takes, and where the value goes.
//!
//! From [`ALL`] come the command line (`cli`), the variables `DEPLOYER_*` and the keys of `deployer.toml` (`resolve`), the fields of
//! the execution input, the template's parameters (`app::parameters`) and `docs/options.md`. Depends on `tuning`, which owns the
//! rules of the execution input, and on nothing else of this program.
//!
//! To add an option: one entry in [`table`], and one `reader.get(&options::NAME)` where the verb's options are put together. One that is
//! a field of the execution input, or a parameter of the template, needs no more than the entry.

#[cfg(test)]
mod reference;
mod rule;
mod table;

use std::marker::PhantomData;

pub use rule::Rule;
pub use table::*;
use tuning::input::Field;

/// The heading of the template's parameters in `up` and `preview`.
pub const PARAMETERS: &str = "Parameters (those not given keep their deployed value)";

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `up`
    Up,
    /// `preview`
    Preview,
    /// `tune`
    Tune,
    /// `apply`
    Apply,
    /// `logs`
    Logs,
    /// `scan`
    Scan,
    /// `fleet run`
    FleetRun,
    /// `history`
    History,
    /// `compare`
    Compare,
    /// `serve`
    Serve,
    /// `cleanup`
    Cleanup,
    /// `demo`
    Demo,
    /// `outputs`
    Outputs,
    /// `drift`
    Drift,
    /// `destroy`
    Destroy,
    /// `synth`
    Synth,
    /// `synth role`
    SynthRole,
    /// `build functions`
    BuildFunctions,
    /// `build web`
    BuildWeb,
    /// `build release`
    BuildRelease,
    /// `local`
    Local,
    /// `local calibrate`
    Calibrate,
    /// `schema`
    Schema,
    /// `completions`
    Completions,
}

impl Verb {
    /// Every verb with the words that name it and what it does, in the order that help shows them.
    pub const ALL: [(Self, &str, &str); 24] = [
        (Self::Up, "up", "Deploy the stack, or bring it up to date"),
        (Self::Preview, "preview", "Show what `up` would change, and change nothing"),
        (Self::Tune, "tune", "Measure a function at several memory sizes and say which one to choose"),
        (
            Self::Apply,
            "apply",
            "Put a result's memory size where the function is defined, or into the function",
        ),
        (
            Self::Scan,
            "scan",
            "Find out what the functions of an account cost, and which of them are worth tuning",
        ),
        (
            Self::FleetRun,
            "fleet run",
            "Tune the functions of a plan in one execution, and say what that would save",
        ),
        (Self::History, "history", "Show the runs of a function that Step Functions still knows"),
        (Self::Logs, "logs", "Show what the tuning Lambdas have logged of a run"),
        (
            Self::Compare,
            "compare",
            "Put results side by side: the differences, and a link to the chart of all of them",
        ),
        (Self::Serve, "serve", "Serve the chart page, so that links to this machine open"),
        (
            Self::Cleanup,
            "cleanup",
            "Put a function back that an interrupted run has left changed, or delete its copies",
        ),
        (
            Self::Demo,
            "demo",
            "Show all of it on this machine: deploy, tune a sample function, read the result",
        ),
        (Self::Outputs, "outputs", "Show the deployed stack's outputs"),
        (Self::Drift, "drift", "Show what of the stack was changed or deleted outside CloudFormation"),
        (Self::Destroy, "destroy", "Delete the stack and the assets uploaded for it"),
        (Self::Synth, "synth", "Write the CloudFormation template"),
        (
            Self::SynthRole,
            "synth role",
            "Write the template of a role for another account, whose functions are then tuned from here",
        ),
        (Self::BuildFunctions, "build functions", "The zip that holds the six Lambda functions"),
        (Self::BuildWeb, "build web", "The chart page, ready for any static host"),
        (
            Self::BuildRelease,
            "build release",
            "A folder with all that is needed to deploy, for machines without Rust",
        ),
        (Self::Local, "local", "Run the local AWS endpoint in the foreground, for any AWS client"),
        (
            Self::Calibrate,
            "local calibrate",
            "Measure how fast a core of this machine is against one of Lambda's, for tune --calibrated",
        ),
        (Self::Schema, "schema", "Print the JSON Schema of what tune reads and writes"),
        (Self::Completions, "completions", "Print a completion script for a shell"),
    ];
}

/// A value of a file as it would be written on the command line: lists become comma-separated texts, tables `key=value` lists.
#[must_use]
pub fn text_of_toml(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(values) => values.iter().map(text_of_toml).collect::<Vec<_>>().join(","),
        toml::Value::Table(table) => {
            let pairs = table.iter().map(|(key, value)| format!("{key}={}", text_of_toml(value)));
            pairs.collect::<Vec<_>>().join(",")
        }
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(flag) => flag.to_string(),
        toml::Value::Datetime(time) => time.to_string(),
    }
}

/// A parameter of the template.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name, that of aws-lambda-power-tuning where that has one.
    pub name: &'static str,
    /// Its default.
    pub default: &'static str,
    /// What CloudFormation's console says about it.
    pub about: &'static str,
}

/// An option, without the type of its value.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// `--NAME`, `DEPLOYER_NAME` and `NAME = …`; of operands only their name.
    pub name: &'static str,
    /// What stands for the value in help; empty for a switch.
    pub value: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// The values it takes.
    pub rule: Rule,
    /// What it is when it is not given, in words; empty when there is no such thing.
    pub default: &'static str,
    /// The verbs that have it; none for one that all have.
    pub verbs: &'static [Verb],
    /// The heading it stands under in help.
    pub section: &'static str,
    /// The field of the execution input that it sets.
    pub field: Option<Field>,
    /// The template's parameter that it sets.
    pub parameter: Option<Parameter>,
    /// The letter that stands for it.
    pub short: Option<char>,
    /// Given by its place among the arguments; otherwise by its name.
    pub operand: bool,
    /// Cannot be left out.
    pub required: bool,
    /// May be given more than once.
    pub repeated: bool,
    /// Has no effect in the environment and in the file: it belongs to one call.
    pub only_flag: bool,
    /// Shown by `--help`, not by `-h`.
    pub rare: bool,
    /// Options that it cannot be combined with.
    pub conflicts: &'static [&'static str],
    /// An option that it needs.
    pub requires: Option<&'static str>,
}

impl Spec {
    /// Whether a verb has this option, be it as one that all have.
    #[must_use]
    pub fn is_of(&self, verb: Verb) -> bool {
        self.verbs.is_empty() || self.verbs.contains(&verb)
    }

    /// What it is for, in the help of a verb; a parameter of the template that is not given keeps its deployed value.
    #[must_use]
    pub fn about(&self, verb: Option<Verb>) -> String {
        let help = self.help.trim();
        let keeps = self.parameter.is_some() && matches!(verb, Some(Verb::Up | Verb::Preview));
        if self.default.is_empty() || keeps {
            help.to_owned()
        } else {
            format!("{help} [default: {}]", self.default)
        }
    }

    /// The heading it stands under in a verb's help.
    #[must_use]
    pub fn section(&self, verb: Verb) -> &'static str {
        match verb {
            Verb::Up | Verb::Preview if self.parameter.is_some() => PARAMETERS,
            Verb::Compare | Verb::Serve | Verb::History | Verb::Scan | Verb::FleetRun => "",
            _ => self.section,
        }
    }
}

/// An option whose value is a `T`.
#[derive(Debug)]
pub struct Opt<T> {
    /// What it is.
    pub spec: Spec,
    kind: PhantomData<fn() -> T>,
}

/// An entry of the table: name, placeholder of the value, rule.
const fn opt<T>(name: &'static str, value: &'static str, rule: Rule) -> Opt<T> {
    let spec = Spec {
        name,
        value,
        help: "",
        rule,
        default: "",
        verbs: &[],
        section: "",
        field: None,
        parameter: None,
        short: None,
        operand: false,
        required: false,
        repeated: false,
        only_flag: false,
        rare: false,
        conflicts: &[],
        requires: None,
    };
    Opt { spec, kind: PhantomData }
}

/// An entry that sets a field of the execution input, and takes the field's own rule and default.
const fn field(name: &'static str, value: &'static str, field: Field) -> Opt<serde_json::Value> {
    let mut entry = opt(name, value, Rule::Field(field.form));
    entry.spec.field = Some(field);
    entry.spec.default = match field.form {
        tuning::input::Form::Flag => "",
        _ => field.default,
    };
    entry.spec.verbs = &[Verb::Tune];
    entry
}

impl<T> Opt<T> {
    const fn help(mut self, help: &'static str) -> Self {
        self.spec.help = help;
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.spec.default = default;
        self
    }

    const fn on(mut self, verbs: &'static [Verb]) -> Self {
        self.spec.verbs = verbs;
        self
    }

    const fn under(mut self, section: &'static str) -> Self {
        self.spec.section = section;
        self
    }

    const fn parameter(mut self, name: &'static str, default: &'static str, about: &'static str) -> Self {
        self.spec.parameter = Some(Parameter { name, default, about });
        if self.spec.verbs.is_empty() {
            self.spec.verbs = &[Verb::Up, Verb::Preview];
        }
        self
    }

    const fn short(mut self, letter: char) -> Self {
        self.spec.short = Some(letter);
        self
    }

    const fn operand(mut self) -> Self {
        self.spec.operand = true;
        self.only_flag()
    }

    const fn required(mut self) -> Self {
        self.spec.required = true;
        self
    }

    const fn repeated(mut self) -> Self {
        self.spec.repeated = true;
        self
    }

    const fn only_flag(mut self) -> Self {
        self.spec.only_flag = true;
        self
    }

    const fn rare(mut self) -> Self {
        self.spec.rare = true;
        self
    }

    const fn without(mut self, conflicts: &'static [&'static str]) -> Self {
        self.spec.conflicts = conflicts;
        self
    }

    const fn with(mut self, requires: &'static str) -> Self {
        self.spec.requires = Some(requires);
        self
    }
}
