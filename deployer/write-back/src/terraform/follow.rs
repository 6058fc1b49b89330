//! From an attribute to the literal that decides it, through variables, locals, `each` and arguments of modules.

use std::rc::Rc;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, ObjectKey, Traversal, TraversalOperator};
use hcl_edit::template::Element;

use super::{Module, Source};
use crate::Problem;
use crate::named::Named;
use crate::place::{Place, excerpt};

/// Steps from one expression to the next, at most.
const STEPS: usize = 50;

/// What names mean where an expression stands.
#[derive(Clone)]
pub struct Scope {
    module: Rc<Module>,
    each: Option<Rc<(String, Located)>>,
}

impl Scope {
    /// That of a module's blocks.
    pub fn new(module: &Rc<Module>) -> Self {
        Self { module: module.clone(), each: None }
    }

    /// That of one instance of a block.
    pub fn with_each(&self, key: String, value: Located) -> Self {
        Self { module: self.module.clone(), each: Some(Rc::new((key, value))) }
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }
}

/// An expression, where it stands, and the way there.
#[derive(Clone)]
pub struct Located {
    scope: Scope,
    source: Rc<Source>,
    expression: Expression,
    through: Vec<String>,
}

impl Located {
    /// An expression where a way begins.
    pub fn new(scope: &Scope, source: &Rc<Source>, expression: &Expression) -> Self {
        Self {
            scope: scope.clone(),
            source: source.clone(),
            expression: expression.clone(),
            through: Vec::new(),
        }
    }

    /// What it leads to, which is no reference any more.
    ///
    /// # Errors
    /// A reference to what is only known later.
    pub fn followed(self) -> Result<Self, Problem> {
        let mut at = self;
        for _ in 0..STEPS {
            at = match &at.expression {
                Expression::Parenthesis(inner) => at.beside(inner.inner()),
                Expression::Traversal(traversal) => at.step(traversal)?,
                _ => return Ok(at),
            };
        }
        Err(at.problem("the memory size is a reference that leads to itself"))
    }

    /// The literal here as the place of a number.
    ///
    /// # Errors
    /// Something else, which is computed.
    pub fn place(self) -> Result<Place, Problem> {
        match (&self.expression, self.expression.span()) {
            (Expression::Number(_) | Expression::String(_), Some(span)) => Ok(Place {
                file: self.source.file.clone(),
                text: self.source.text.clone(),
                span,
                through: self.through,
                allowed: None,
            }),
            _ => Err(self.computed()),
        }
    }

    /// The entries of an object.
    pub fn entries(&self) -> Vec<(String, Self)> {
        let Some(object) = self.expression.as_object() else { return Vec::new() };
        let entry = |(key, value): (&ObjectKey, &hcl_edit::expr::ObjectValue)| {
            let key = match key {
                ObjectKey::Ident(name) => name.as_str().to_owned(),
                ObjectKey::Expression(key) => key.as_str()?.to_owned(),
            };
            Some((key, self.beside(value.expr())))
        };
        object.iter().filter_map(entry).collect()
    }

    /// The name that it gives a function.
    pub fn named(self) -> Named {
        if let Some(text) = self.text() {
            return Named::Exactly(text);
        }
        let Ok(at) = self.followed() else { return Named::Unknown };
        let Some(template) = at.expression.as_string_template() else { return Named::Unknown };
        let part = |element: &Element| match element {
            Element::Literal(text) => Some(text.as_str().to_owned()),
            Element::Interpolation(inner) => at.beside(&inner.expr).text(),
            Element::Directive(_) => None,
        };
        Named::of(&template.iter().map(part).collect::<Vec<_>>())
    }

    /// The text that it is for certain.
    fn text(&self) -> Option<String> {
        if let Expression::Traversal(traversal) = &self.expression
            && head(traversal) == Some("each")
            && let [operator] = traversal.operators.as_slice()
            && let TraversalOperator::GetAttr(name) = &**operator
            && name.as_str() == "key"
        {
            return self.scope.each.as_ref().map(|each| each.0.clone());
        }
        let at = self.clone().followed().ok()?;
        at.expression.as_str().map(str::to_owned)
    }

    /// Another expression in the same place.
    fn beside(&self, expression: &Expression) -> Self {
        Self { expression: expression.clone(), ..self.clone() }
    }

    /// What a reference leads to at once.
    fn step(&self, traversal: &Traversal) -> Result<Self, Problem> {
        let keys: Option<Vec<String>> =
            traversal.operators.iter().map(|operator| self.key(operator)).collect();
        let (Some(head), Some(keys)) = (head(traversal), keys) else { return Err(self.computed()) };
        let Some((first, rest)) = keys.split_first() else { return Err(self.computed()) };
        let mut at = match head {
            "var" => self.variable(first)?,
            "local" => self.local(first)?,
            "each" if first == "value" => match &self.scope.each {
                Some(each) => self.to(each.1.clone(), format!("the value of {:?} in for_each", each.0)),
                None => return Err(self.computed()),
            },
            _ => return Err(self.computed()),
        };
        for key in rest {
            let found = at.clone().followed()?.entries().into_iter().find(|(name, _)| name == key);
            at = found.ok_or_else(|| self.computed())?.1;
        }
        Ok(at)
    }

    /// The key that an operator takes out of an object.
    fn key(&self, operator: &TraversalOperator) -> Option<String> {
        match operator {
            TraversalOperator::GetAttr(name) => Some(name.as_str().to_owned()),
            TraversalOperator::Index(key) => self.beside(key).text(),
            _ => None,
        }
    }

    fn variable(&self, name: &str) -> Result<Self, Problem> {
        let module = self.scope.module();
        if let Some((scope, source, block)) = &module.call
            && let Some(argument) = block.body.get_attribute(name)
        {
            let module = module.address.trim_end_matches('.');
            let next = Self::new(scope, source, &argument.value);
            return Ok(self.to(next, format!("{name} of {module}")));
        }
        for source in module.values.iter().rev() {
            if let Some(value) = source.body.get_attribute(name) {
                let step = format!("the value of var.{name} in {}", source.file.display());
                return Ok(self.to(Self::new(&self.scope, source, &value.value), step));
            }
        }
        let declared = module.sources.iter().find_map(|source| {
            let blocks = source.body.get_blocks("variable");
            let mut blocks = blocks.filter(|block| block.labels.iter().any(|label| label.as_str() == name));
            Some((source, blocks.next()?))
        });
        let Some((source, block)) = declared else { return Err(self.computed()) };
        let Some(default) = block.body.get_attribute("default") else {
            let what = format!(
                "var.{name} has no default and no value in the .tfvars that Terraform reads by itself: also name the file that has its value"
            );
            return Err(self.problem(&what));
        };
        let step = if module.call.is_some() {
            format!("the default of var.{name} in {}", module.folder.display())
        } else {
            format!("the default of var.{name}, over which a -var, a -var-file and TF_VAR_{name} win")
        };
        Ok(self.to(Self::new(&self.scope, source, &default.value), step))
    }

    fn local(&self, name: &str) -> Result<Self, Problem> {
        for source in &self.scope.module().sources {
            for block in source.body.get_blocks("locals") {
                if let Some(value) = block.body.get_attribute(name) {
                    let next = Self::new(&Scope { each: None, ..self.scope.clone() }, source, &value.value);
                    return Ok(self.to(next, format!("local.{name}")));
                }
            }
        }
        Err(self.computed())
    }

    /// Another place, with the way there behind the way here.
    fn to(&self, next: Self, step: String) -> Self {
        let mut through = self.through.clone();
        through.push(step);
        Self { through, ..next }
    }

    fn computed(&self) -> Problem {
        let written = self.expression.span().and_then(|span| self.source.text.get(span));
        let what = format!(
            "the memory size is computed, `{}`: change it by hand",
            excerpt(written.unwrap_or_default())
        );
        self.problem(&what)
    }

    fn problem(&self, what: &str) -> Problem {
        self.source.problem(self.expression.span().map_or(0, |span| span.start), what)
    }
}

fn head(traversal: &Traversal) -> Option<&str> {
    traversal.expr.as_variable().map(|name| name.as_str())
}
