//! The functions of a Terraform module: resources, those of the modules it calls that are on this machine, and calls of other
//! modules that make a function.
//!
//! [`follow`] leads from an attribute to the literal that decides it.

mod follow;

use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};

use crate::named::Named;
use crate::place::{Function, Place, line_of};
use crate::{Files, Problem, is_tfvars};
use follow::{Located, Scope};

/// Modules in modules, at most.
const DEPTH: usize = 10;

/// A file.
struct Source {
    file: PathBuf,
    text: Rc<str>,
    body: Body,
}

impl Source {
    fn read(file: &Path, files: &dyn Files) -> Result<Rc<Self>, Problem> {
        let text = files.read(file).map_err(|why| Problem::in_file(file, why))?;
        let body = hcl_edit::parser::parse_body(&text).map_err(|error| {
            let what = format!("it is not Terraform's language: {}", error.message());
            Problem::at_line(file, error.location().line(), what)
        })?;
        Ok(Rc::new(Self { file: file.to_owned(), text: text.into(), body }))
    }

    /// What is wrong with what stands at a byte.
    fn problem(&self, byte: usize, what: impl Into<String>) -> Problem {
        Problem::at_line(&self.file, line_of(&self.text, byte), what)
    }
}

/// A folder of files, as it is called.
struct Module {
    folder: PathBuf,
    /// What stands before the names of its resources: `module.orders.`, nothing for the one that is looked in.
    address: String,
    sources: Vec<Rc<Source>>,
    /// Files with values of its variables; the last one that has a value wins.
    values: Vec<Rc<Source>>,
    /// The block that calls it, and where that stands.
    call: Option<(Scope, Rc<Source>, Block)>,
}

/// The functions of the module that a file belongs to.
pub fn functions(file: &Path, tfvars: &[PathBuf], files: &dyn Files) -> Result<Vec<Function>, Problem> {
    // A file that is not there is said as such, though its folder may have others.
    let named = Source::read(file, files)?;
    let folder = named.file.parent().unwrap_or(Path::new("")).to_owned();
    let own: Vec<PathBuf> = files.list(&folder).into_iter().filter(|file| is_tfvars(file)).collect();
    let is_auto = |file: &&PathBuf| file.to_string_lossy().ends_with(".auto.tfvars");
    let first = own.iter().filter(|file| file.ends_with("terraform.tfvars"));
    let values = first.chain(own.iter().filter(is_auto)).chain(tfvars);
    let module = Module {
        sources: sources(&folder, files)?,
        values: values.map(|file| Source::read(file, files)).collect::<Result<_, _>>()?,
        folder,
        address: String::new(),
        call: None,
    };
    let mut found = Vec::new();
    gather(&Rc::new(module), files, 0, &mut found)?;
    Ok(found)
}

/// The configuration files of a folder.
fn sources(folder: &Path, files: &dyn Files) -> Result<Vec<Rc<Source>>, Problem> {
    let all = files.list(folder);
    let all = all.iter().filter(|file| file.extension().is_some_and(|extension| extension == "tf"));
    all.map(|file| Source::read(file, files)).collect()
}

/// A block, once for each instance that is known: with what `each` is there, and what the instance's address ends with.
fn instances(scope: &Scope, source: &Rc<Source>, block: &Block) -> Vec<(Scope, String)> {
    let attribute = block.body.get_attribute("for_each");
    let over = attribute.and_then(|attribute| Located::new(scope, source, &attribute.value).followed().ok());
    let entries = over.as_ref().map(Located::entries).unwrap_or_default();
    if entries.is_empty() {
        return vec![(scope.clone(), String::new())];
    }
    let instance = |(key, value): (String, Located)| {
        let suffix = format!("[\"{key}\"]");
        (scope.with_each(key, value), suffix)
    };
    entries.into_iter().map(instance).collect()
}

fn gather(
    module: &Rc<Module>,
    files: &dyn Files,
    depth: usize,
    found: &mut Vec<Function>,
) -> Result<(), Problem> {
    let scope = Scope::new(module);
    for source in &module.sources {
        for block in source.body.blocks() {
            let labels: Vec<&str> = block.labels.iter().map(|label| label.as_str()).collect();
            match (block.ident.as_str(), labels.as_slice()) {
                ("resource", ["aws_lambda_function", name]) => {
                    for (scope, suffix) in instances(&scope, source, block) {
                        let name = format!("{}aws_lambda_function.{name}{suffix}", module.address);
                        found.push(function(&scope, source, block, &name));
                    }
                }
                ("module", [name]) => {
                    for (scope, suffix) in instances(&scope, source, block) {
                        let address = format!("{}module.{name}{suffix}", module.address);
                        called(&scope, source, block, &address, files, depth, found)?;
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The functions of a module that is called.
fn called(
    scope: &Scope,
    source: &Rc<Source>,
    block: &Block,
    address: &str,
    files: &dyn Files,
    depth: usize,
    found: &mut Vec<Function>,
) -> Result<(), Problem> {
    let from = block.body.get_attribute("source").and_then(|attribute| attribute.value.as_str());
    let local = from.filter(|from| from.starts_with("./") || from.starts_with("../"));
    if let Some(local) = local.filter(|_| depth < DEPTH) {
        let folder = joined(&scope.module().folder, local);
        let module = Module {
            sources: sources(&folder, files)?,
            folder,
            address: format!("{address}."),
            values: Vec::new(),
            call: Some((scope.clone(), source.clone(), block.clone())),
        };
        return gather(&Rc::new(module), files, depth + 1, found);
    }
    // What it makes is not known here; the modules for functions that are in use have the names of the resource.
    if block.body.has_attribute("function_name") || block.body.has_attribute("memory_size") {
        found.push(function(scope, source, block, address));
    }
    Ok(())
}

/// A path relative to a folder, without `.` and `..` as far as that goes.
fn joined(folder: &Path, relative: &str) -> PathBuf {
    let mut path = folder.to_owned();
    for part in Path::new(relative).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if path.file_name().is_some() => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    path
}

fn function(scope: &Scope, source: &Rc<Source>, block: &Block, name: &str) -> Function {
    let attribute = |name: &str| {
        let attribute = block.body.get_attribute(name)?;
        Some(Located::new(scope, source, &attribute.value))
    };
    Function {
        short: block.labels.last().map(|label| label.as_str().to_owned()),
        logical_id: None,
        named: attribute("function_name").map_or(Named::Unknown, |name| name.named()),
        generated: None,
        size: match attribute("memory_size") {
            Some(size) => size.followed().and_then(|size| size.place()).map(|place| ignored(place, block)),
            None => {
                let at = hcl_edit::Span::span(block).map_or(0, |span| span.start);
                let what =
                    format!("{name} has no memory_size, so that it gets 128 MB: add memory_size to it first");
                Err(source.problem(at, what))
            }
        },
        name: name.to_owned(),
    }
}

/// Says that Terraform will not look at the number.
fn ignored(mut place: Place, block: &Block) -> Place {
    let lifecycle = block.body.get_blocks("lifecycle").next();
    let ignores = lifecycle.and_then(|lifecycle| lifecycle.body.get_attribute("ignore_changes"));
    let ignored = ignores.is_some_and(|ignores| match &ignores.value {
        Expression::Array(names) => {
            names.iter().any(|name| name.as_variable().is_some_and(|name| name.as_str() == "memory_size"))
        }
        other => other.as_variable().is_some_and(|name| name.as_str() == "all"),
    });
    if ignored {
        place.through.push(
            "its ignore_changes, by which Terraform leaves the size of a function that exists as it is"
                .to_owned(),
        );
    }
    place
}
