//! YAML and JSON as one tree that knows where everything stands in its text.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use jsonc_parser::ast;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use saphyr_parser::{Event, Parser, ScanError, Span, StrInput, Tag};

use crate::Problem;
use crate::place::{Place, excerpt, line_of};

/// As deep as other readers of JSON go.
const DEPTH: usize = 120;
/// YAML's key for what a mapping takes over from others.
const MERGE: &str = "<<";

/// A document.
pub struct Document {
    file: PathBuf,
    text: Rc<str>,
    root: Rc<Node>,
}

/// A part of a document.
#[derive(Debug)]
struct Node {
    /// In bytes.
    span: Range<usize>,
    /// A local tag of YAML without its exclamation mark: the short form of a function.
    tag: Option<String>,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Scalar(String),
    List(Vec<Rc<Node>>),
    Map(Vec<(String, Rc<Node>)>),
    Alias(Rc<Node>, String),
}

/// A place in a document, and the way there as far as it went through anchors.
#[derive(Clone)]
pub struct Cursor<'d> {
    document: &'d Document,
    node: &'d Node,
    through: Vec<String>,
}

/// Reads a document.
///
/// # Errors
/// What is neither JSON nor YAML, with its line.
pub fn read(file: &Path, text: &str) -> Result<Document, Problem> {
    let root = if text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        json(file, text)
    } else {
        yaml(file, text)
    }?;
    Ok(Document { file: file.to_owned(), text: text.into(), root })
}

impl Document {
    /// The whole of it.
    pub fn root(&self) -> Cursor<'_> {
        Cursor::at(self, &self.root, Vec::new())
    }
}

impl<'d> Cursor<'d> {
    fn at(document: &'d Document, node: &'d Node, mut through: Vec<String>) -> Self {
        let mut node = node;
        while let Data::Alias(target, name) = &node.data {
            through
                .push(format!("the anchor &{name} in line {}", line_of(&document.text, target.span.start)));
            node = target;
        }
        Self { document, node, through }
    }

    /// The value of a key of a mapping, be it one that the mapping takes over.
    pub fn get(&self, key: &str) -> Option<Self> {
        let Data::Map(entries) = &self.node.data else { return None };
        let own = entries.iter().find(|(name, _)| name == key);
        if let Some((_, value)) = own {
            return Some(Self::at(self.document, value, self.through.clone()));
        }
        let merged = entries.iter().filter(|(name, _)| name == MERGE);
        merged
            .flat_map(|(_, from)| Self::at(self.document, from, self.through.clone()).each())
            .find_map(|from| from.get(key))
    }

    /// The value at the end of several keys.
    pub fn path(&self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self.clone(), |at, key| at.get(key))
    }

    /// The entries of a mapping, without those that it takes over.
    pub fn entries(&self) -> Vec<(&'d str, Self)> {
        let Data::Map(entries) = &self.node.data else { return Vec::new() };
        let own = entries.iter().filter(|(name, _)| name != MERGE);
        own.map(|(name, value)| (name.as_str(), Self::at(self.document, value, self.through.clone())))
            .collect()
    }

    /// The items of a list; of anything else that alone.
    pub fn each(&self) -> Vec<Self> {
        let Data::List(items) = &self.node.data else { return vec![self.clone()] };
        items.iter().map(|item| Self::at(self.document, item, self.through.clone())).collect()
    }

    /// The text of a scalar that is no function's.
    pub fn scalar(&self) -> Option<&'d str> {
        match &self.node.data {
            Data::Scalar(text) if self.node.tag.is_none() => Some(text),
            _ => None,
        }
    }

    /// A call of one of CloudFormation's functions in either form: its name without `Fn::`, and its argument.
    pub fn call(&self) -> Option<(&'d str, Self)> {
        if let Some(tag) = &self.node.tag {
            return Some((tag, self.clone()));
        }
        let Data::Map(entries) = &self.node.data else { return None };
        let [(name, argument)] = entries.as_slice() else { return None };
        let function = name.strip_prefix("Fn::").or_else(|| (name == "Ref").then_some(name.as_str()))?;
        Some((function, Self::at(self.document, argument, self.through.clone())))
    }

    /// The argument of a call as text.
    pub fn argument(&self) -> Option<&'d str> {
        match &self.node.data {
            Data::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The same with one more step of the way behind it.
    #[must_use]
    pub fn after(mut self, way: &[String], step: impl Into<String>) -> Self {
        let inside = std::mem::take(&mut self.through);
        self.through = way.iter().cloned().chain([step.into()]).chain(inside).collect();
        self
    }

    /// The way here.
    pub fn through(&self) -> &[String] {
        &self.through
    }

    /// The line it begins in, from 1.
    pub fn line(&self) -> usize {
        line_of(&self.document.text, self.node.span.start)
    }

    /// What is wrong with it.
    pub fn problem(&self, what: impl Into<String>) -> Problem {
        Problem::at_line(&self.document.file, self.line(), what)
    }

    /// As it is written, in one line.
    pub fn written(&self) -> String {
        let text = self.document.text.get(self.node.span.clone()).unwrap_or_default();
        // A comment behind it may be counted to it.
        excerpt(text.split(" #").next().unwrap_or_default())
    }

    /// The scalar here as the place of a number.
    pub fn place(&self) -> Place {
        Place {
            file: self.document.file.clone(),
            text: self.document.text.clone(),
            span: self.node.span.clone(),
            through: self.through.clone(),
            allowed: None,
        }
    }
}

fn json(file: &Path, text: &str) -> Result<Rc<Node>, Problem> {
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let begins = text.len() - body.len();
    let parsed = parse_to_ast(body, &CollectOptions::default(), &strict);
    let parsed = parsed.map_err(|error| {
        Problem::at_line(
            file,
            line_of(body, error.range().start),
            format!("it is not JSON: {}", error.kind()),
        )
    })?;
    let root = parsed.value.ok_or_else(|| Problem::in_file(file, "it is empty"))?;
    Ok(json_node(&root, begins))
}

/// A value whose text begins at this byte of the file.
fn json_node(value: &ast::Value<'_>, begins: usize) -> Rc<Node> {
    let (range, data) = match value {
        ast::Value::StringLit(text) => (text.range, Data::Scalar(text.value.clone().into_owned())),
        ast::Value::NumberLit(number) => (number.range, Data::Scalar(number.value.to_owned())),
        ast::Value::BooleanLit(boolean) => (boolean.range, Data::Scalar(boolean.value.to_string())),
        ast::Value::NullKeyword(null) => (null.range, Data::Scalar("null".to_owned())),
        ast::Value::Array(array) => {
            (array.range, Data::List(array.elements.iter().map(|item| json_node(item, begins)).collect()))
        }
        ast::Value::Object(object) => {
            let entries = object.properties.iter();
            let entries =
                entries.map(|entry| (entry.name.as_str().to_owned(), json_node(&entry.value, begins)));
            (object.range, Data::Map(entries.collect()))
        }
    };
    Rc::new(Node { span: begins + range.start..begins + range.end, tag: None, data })
}

fn yaml(file: &Path, text: &str) -> Result<Rc<Node>, Problem> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let begins = text.len() - body.len();
    let mut bytes: Vec<usize> = body.char_indices().map(|(byte, _)| begins + byte).collect();
    bytes.push(text.len());
    let parser = Parser::new_from_str(body);
    let mut reader = Yaml { file, text, bytes, parser, anchors: HashMap::new(), at: Span::default() };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd | Event::DocumentEnd => return Err(Problem::in_file(file, "it is empty")),
            first => return reader.node(first, 0),
        }
    }
}

struct Yaml<'t> {
    file: &'t Path,
    text: &'t str,
    /// Where each character begins: the parser counts characters.
    bytes: Vec<usize>,
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Rc<Node>>,
    at: Span,
}

impl<'t> Yaml<'t> {
    fn next(&mut self) -> Result<Event<'t>, Problem> {
        match self.parser.next() {
            None => Ok(Event::StreamEnd),
            Some(Ok((event, span))) => {
                self.at = span;
                Ok(event)
            }
            Some(Err(error)) => {
                let error: ScanError = error;
                let what = format!("it is not YAML: {}", error.info());
                Err(Problem::at_line(self.file, error.marker().line(), what))
            }
        }
    }

    fn byte(&self, character: usize) -> usize {
        self.bytes.get(character).copied().unwrap_or(self.text.len())
    }

    fn problem(&self, what: &str) -> Problem {
        Problem::at_line(self.file, self.at.start.line(), what)
    }

    fn node(&mut self, event: Event<'t>, depth: usize) -> Result<Rc<Node>, Problem> {
        if depth > DEPTH {
            return Err(self.problem("it is nested too deeply to be read"));
        }
        let start = self.byte(self.at.start.index());
        let (anchor, tag, data) = match event {
            Event::Scalar(text, _, anchor, tag) => (anchor, tag, Data::Scalar(text.into_owned())),
            Event::SequenceStart(anchor, tag) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        item => items.push(self.node(item, depth + 1)?),
                    }
                }
                (anchor, tag, Data::List(items))
            }
            Event::MappingStart(anchor, tag) => (anchor, tag, Data::Map(self.entries(depth)?)),
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).cloned();
                let target =
                    target.ok_or_else(|| self.problem("an alias stands inside of its own anchor"))?;
                let end = self.byte(self.at.end.index());
                let name = self.text.get(start..end).unwrap_or_default().trim().trim_start_matches('*');
                (0, None, Data::Alias(target, name.to_owned()))
            }
            _ => return Err(self.problem("a value is missing")),
        };
        let end = self.byte(self.at.end.index()).max(start);
        // The parser may count a comment that stands behind a scalar.
        let end = match (&data, self.text.get(start..end)) {
            (Data::Scalar(_), Some(written)) => start + scalar_length(written),
            _ => end,
        };
        let node = Rc::new(Node { span: start..end, tag: tag.as_deref().and_then(short), data });
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(String, Rc<Node>)>, Problem> {
        let mut entries: Vec<(String, Rc<Node>)> = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(entries);
            }
            let key = self.node(event, depth + 1)?;
            let Data::Scalar(name) = &key.data else {
                return Err(self.problem("a key is not a text"));
            };
            if name != MERGE && entries.iter().any(|(other, _)| other == name) {
                return Err(self.problem(&format!("the key {name} is there twice")));
            }
            let event = self.next()?;
            entries.push((name.clone(), self.node(event, depth + 1)?));
        }
    }
}

/// How long a scalar is that a text begins with, behind a tag and an anchor.
fn scalar_length(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start().len();
        let rest = &rest[blank..];
        match rest.find(char::is_whitespace) {
            Some(word) if rest.starts_with(['&', '!']) => at += blank + word,
            _ => break at += blank,
        }
    }
    let scalar = &text[at..];
    let quoted = ['"', '\''].into_iter().find(|quote| scalar.starts_with(*quote));
    let length = match quoted.map(|quote| scalar[1..].find(quote)) {
        Some(Some(end)) => end + 2,
        Some(None) => scalar.len(),
        None => scalar.find(" #").unwrap_or(scalar.len()),
    };
    at + scalar[..length].trim_end().len()
}

/// The function that a local tag, `!Name`, stands for.
fn short(tag: &Tag) -> Option<String> {
    (tag.handle == "!" && !tag.suffix.is_empty()).then(|| tag.suffix.clone())
}
