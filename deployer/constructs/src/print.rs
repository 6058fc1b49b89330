//! JSON for people: whatever fits on a line stays on one.
//!
//! Between the tree and its text. A template printed like this is about half as long as with every value on a line
//! of its own, and so stays below the size that CloudFormation takes without a detour through S3.

use crate::node::Node;

/// The longest line, in characters, unless a single value is longer.
const WIDTH: usize = 110;

/// The node as JSON text, expressions as the functions that CloudFormation evaluates.
pub(crate) fn template(node: &Node) -> String {
    match Node::concat(Printer { quote_expressions: false }.block(node, 0, 0)) {
        Node::Text(text) => text,
        other => unreachable!("only text is printed: {other:?}"),
    }
}

/// The node as JSON *text* that may contain expressions: what a property like `DefinitionString` holds.
///
/// Expressions stand inside quotes, so they must yield text free of characters that JSON escapes; ARNs and names are.
pub(crate) fn embedded(node: &Node) -> Node {
    Node::concat(Printer { quote_expressions: true }.block(node, 0, 0))
}

struct Printer {
    quote_expressions: bool,
}

impl Printer {
    /// The pieces of the text, on as many lines as it takes; `before` is what the line already has beside its indent.
    fn block(&self, node: &Node, depth: usize, before: usize) -> Vec<Node> {
        let line = self.line(node);
        if depth + before + width(&line) <= WIDTH {
            return line;
        }
        let (open, close, members) = match node {
            Node::List(items) => {
                ("[", "]", items.iter().map(|item| (String::new(), item)).collect::<Vec<_>>())
            }
            Node::Map(members) => (
                "{",
                "}",
                members.iter().map(|(name, member)| (format!("{}: ", quoted(name)), member)).collect(),
            ),
            expression => match expression.intrinsic().filter(|_| !self.quote_expressions) {
                Some(function) => return self.block(&function, depth, before),
                None => return line,
            },
        };
        let mut pieces = vec![Node::text(open)];
        if let [(name, member)] = members.as_slice() {
            // What holds one thing only, as every function does, needs no lines of its own.
            pieces.push(Node::Text(name.clone()));
            pieces.extend(self.block(member, depth, before + 1 + name.len()));
            pieces.push(Node::text(close));
            return pieces;
        }
        for (index, (name, member)) in members.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            pieces.push(Node::Text(format!("{comma}\n{}{name}", " ".repeat(depth + 1))));
            pieces.extend(self.block(member, depth + 1, name.len() + 1));
        }
        pieces.push(Node::Text(format!("\n{}{close}", " ".repeat(depth))));
        pieces
    }

    /// The pieces of the text on one line.
    fn line(&self, node: &Node) -> Vec<Node> {
        match node {
            Node::Null => vec![Node::text("null")],
            Node::Bool(flag) => vec![Node::Text(flag.to_string())],
            Node::Number(number) => vec![Node::Text(number.to_string())],
            Node::Text(text) => vec![Node::Text(quoted(text))],
            Node::List(items) => {
                let items = items.iter().map(|item| self.line(item));
                enclosed("[", "]", items)
            }
            Node::Map(members) => {
                let members = members.iter().map(|(name, member)| {
                    let mut pieces = vec![Node::Text(format!("{}: ", quoted(name)))];
                    pieces.extend(self.line(member));
                    pieces
                });
                enclosed("{", "}", members)
            }
            expression => match expression.intrinsic() {
                Some(function) if !self.quote_expressions => self.line(&function),
                _ => vec![Node::text("\""), expression.clone(), Node::text("\"")],
            },
        }
    }
}

fn enclosed(open: &str, close: &str, members: impl Iterator<Item = Vec<Node>>) -> Vec<Node> {
    let mut pieces = vec![Node::text(open)];
    for (index, member) in members.enumerate() {
        if index > 0 {
            pieces.push(Node::text(", "));
        }
        pieces.extend(member);
    }
    pieces.push(Node::text(close));
    pieces
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Roughly: what an expression will be is not known yet.
fn width(pieces: &[Node]) -> usize {
    const EXPRESSION: usize = 20;
    pieces.iter().map(|piece| if let Node::Text(text) = piece { text.len() } else { EXPRESSION }).sum()
}
