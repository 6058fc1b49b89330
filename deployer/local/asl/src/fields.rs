//! Reading the fields of a definition's objects, each by its kind, with a problem for what is missing or wrong.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::definition::{Amount, Text};
use crate::intrinsic::Expression;
use crate::path::{Path, Reference, ResultPath, Selection};
use crate::problems::Problems;
use crate::retry::LONGEST_SECONDS;
use crate::template::Template;

/// Collects what is wrong while fields are read.
#[derive(Default)]
pub struct Reader {
    /// What was found so far.
    pub problems: Problems,
    /// The labels of distributed Maps so far: each is given once.
    pub labels: BTreeSet<String>,
}

/// An object of the definition and where it stands.
pub struct Fields<'v> {
    map: &'v Map<String, Value>,
    /// Its location in the definition.
    pub at: String,
}

impl<'v> Fields<'v> {
    /// A field's value.
    pub fn get(&self, name: &str) -> Option<&'v Value> {
        self.map.get(name)
    }

    /// A field's location.
    pub fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.at)
    }
}

impl Reader {
    /// Reads an object that has no other than the allowed fields.
    pub fn object<'v>(&mut self, value: &'v Value, at: &str, allowed: &[&str]) -> Option<Fields<'v>> {
        let Some(map) = value.as_object() else {
            self.problems.schema(at, "Expected value of type Object");
            return None;
        };
        for name in map.keys().filter(|name| !allowed.contains(&name.as_str())) {
            self.problems.schema(at, format!("Field '{name}' is not supported"));
        }
        let fields = Fields { map, at: at.to_owned() };
        if let Some(language) = fields.get("QueryLanguage")
            && language != "JSONPath"
        {
            let message = format!("the only QueryLanguage here is 'JSONPath', not {language}");
            self.problems.schema(&fields.place("QueryLanguage"), message);
        }
        Some(fields)
    }

    /// Reports a field as missing.
    pub fn required(&mut self, fields: &Fields<'_>, name: &str) {
        self.problems.schema(&fields.at, format!("These fields are required: [{name}]"));
    }

    /// Reports when more than one of these fields is given.
    pub fn exclusive(&mut self, fields: &Fields<'_>, names: &[&str]) {
        let given: Vec<_> = names.iter().copied().filter(|name| fields.get(name).is_some()).collect();
        if given.len() > 1 {
            self.problems
                .schema(&fields.at, format!("Only one of these fields is allowed: [{}]", given.join(", ")));
        }
    }

    /// A text, when given.
    pub fn text(&mut self, fields: &Fields<'_>, name: &str) -> Option<String> {
        let value = fields.get(name)?;
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.problems.schema(&fields.place(name), "Expected value of type String");
        }
        text
    }

    /// A whole number of at least so much, when given.
    pub fn integer(&mut self, fields: &Fields<'_>, name: &str, least: u64) -> Option<u64> {
        self.integer_within(fields, name, least..=LONGEST_SECONDS)
    }

    /// A whole number within bounds, when given.
    pub fn integer_within(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        bounds: RangeInclusive<u64>,
    ) -> Option<u64> {
        let value = fields.get(name)?;
        match value.as_u64() {
            Some(number) if bounds.contains(&number) => Some(number),
            Some(_) => {
                let (least, most) = (bounds.start(), bounds.end());
                let message = format!("Value must be from {least} to {most}, not {value}");
                self.problems.schema(&fields.place(name), message);
                None
            }
            None => {
                self.problems.schema(&fields.place(name), "Expected value of type Integer");
                None
            }
        }
    }

    /// A text that is read further, when given.
    pub fn read<T>(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        what: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(fields, name)?;
        match parse(&text) {
            Ok(read) => Some(read),
            Err(why) => {
                self.problems.schema(&fields.place(name), format!("Value is not a valid {what} ({why})"));
                None
            }
        }
    }

    /// A path, when given.
    pub fn path(&mut self, fields: &Fields<'_>, name: &str) -> Option<Path> {
        self.read(fields, name, "JSONPath", Path::parse)
    }

    /// A number by its name, or by its name and `Path`.
    pub fn amount(&mut self, fields: &Fields<'_>, name: &str, least: u64) -> Option<Amount> {
        self.amount_within(fields, name, least..=LONGEST_SECONDS)
    }

    /// A number within bounds by its name, or by its name and `Path`.
    pub fn amount_within(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        bounds: RangeInclusive<u64>,
    ) -> Option<Amount> {
        let by_path = format!("{name}Path");
        self.exclusive(fields, &[name, &by_path]);
        let fixed = self.integer_within(fields, name, bounds).map(Amount::Fixed);
        fixed.or_else(|| self.path(fields, &by_path).map(Amount::From))
    }

    /// A text by its name, or computed by its name and `Path`.
    pub fn words(&mut self, fields: &Fields<'_>, name: &str) -> Option<Text> {
        let by_path = format!("{name}Path");
        self.exclusive(fields, &[name, &by_path]);
        let fixed = self.text(fields, name).map(Text::Fixed);
        fixed.or_else(|| {
            self.read(fields, &by_path, "JSONPath or intrinsic function", Expression::parse).map(Text::From)
        })
    }

    /// `InputPath` or `OutputPath`.
    pub fn selection(&mut self, fields: &Fields<'_>, name: &str) -> Selection {
        match fields.get(name) {
            None => Selection::All,
            Some(Value::Null) => Selection::Nothing,
            Some(_) => self.path(fields, name).map_or(Selection::All, Selection::Part),
        }
    }

    /// `ResultPath`.
    pub fn result_path(&mut self, fields: &Fields<'_>) -> ResultPath {
        match fields.get("ResultPath") {
            None => ResultPath::Replace,
            Some(Value::Null) => ResultPath::Discard,
            Some(_) => self
                .read(fields, "ResultPath", "Reference Path", Reference::parse)
                .map_or(ResultPath::Replace, ResultPath::Into),
        }
    }

    /// A payload template, when given.
    pub fn template(&mut self, fields: &Fields<'_>, name: &str) -> Option<Template> {
        let value = fields.get(name)?;
        Some(Template::parse(value, &fields.place(name), &mut self.problems))
    }
}
