//! Writing XML: answers of the query protocol and of S3.

use serde_json::Value;

/// A document in the making.
pub struct Xml {
    text: String,
}

impl Xml {
    /// A document whose root has a namespace.
    #[must_use]
    pub fn document(root: &str, namespace: &str, content: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() };
        xml.text += &format!("<{root} xmlns=\"{namespace}\">");
        content(&mut xml);
        xml.text += &format!("</{root}>");
        xml.text
    }

    /// A document whose root has no namespace.
    #[must_use]
    pub fn plain(root: &str, content: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() };
        xml.element(root, content);
        xml.text
    }

    /// An element of elements.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.text += &format!("<{name}>");
        content(self);
        self.text += &format!("</{name}>");
    }

    /// An element of text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.element(name, |xml| xml.characters(text));
    }

    /// JSON as the query protocol writes it: members are elements, lists hold `member`s, null is left out.
    pub fn json(&mut self, name: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::Bool(flag) => self.text(name, if *flag { "true" } else { "false" }),
            Value::Number(number) => self.text(name, &number.to_string()),
            Value::String(text) => self.text(name, text),
            Value::Array(list) => self.element(name, |xml| list.iter().for_each(|v| xml.json("member", v))),
            Value::Object(_) => self.element(name, |xml| xml.members(value)),
        }
    }

    /// The members of a JSON object, one element each.
    pub fn members(&mut self, value: &Value) {
        for (name, member) in value.as_object().into_iter().flatten() {
            self.json(name, member);
        }
    }

    fn characters(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '<' => self.text += "&lt;",
                '>' => self.text += "&gt;",
                '&' => self.text += "&amp;",
                '"' => self.text += "&quot;",
                // A parser would make a line feed of it.
                '\r' => self.text += "&#13;",
                '\t' | '\n' => self.text.push(c),
                // XML 1.0 has no way to write these; one of them makes the whole answer unreadable.
                '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.text.push('\u{fffd}'),
                c => self.text.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_becomes_members() {
        let value = json!({"Name": "a<b", "Ids": ["x", "y"], "None": null, "Empty": [], "Deep": {"Yes": true, "N": 1.5}});
        let xml = Xml::plain("R", |xml| xml.members(&value));
        let body = xml.split_once('\n').unwrap().1;
        for part in [
            "<Name>a&lt;b</Name>",
            "<Ids><member>x</member><member>y</member></Ids>",
            "<Empty></Empty>",
            "<Deep>",
            "<Yes>true</Yes>",
            "<N>1.5</N>",
        ] {
            assert!(body.contains(part), "{body} has {part}");
        }
        assert!(!body.contains("None"));
    }

    #[test]
    fn characters_that_xml_cannot_carry_are_replaced() {
        let xml = Xml::plain("R", |xml| xml.text("T", "\u{1b}[31mred\r\n\u{0}&"));
        assert!(xml.ends_with("<T>\u{fffd}[31mred&#13;\n\u{fffd}&amp;</T></R>"), "{xml}");
    }
}
