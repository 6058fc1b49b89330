//! Reading the XML that clients send to S3: elements and their text, without attributes, namespaces or entities of its
//! own.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

const DEEPEST: usize = 32;

/// An element.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    /// The text directly in it.
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    /// Reads a document.
    ///
    /// # Errors
    /// Why it is not well-formed.
    pub fn parse(document: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(document);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        loop {
            match reader.read_event().map_err(|e| e.to_string())? {
                Event::Start(start) => {
                    if root.is_some() {
                        return Err("it has more than one root".to_owned());
                    }
                    if open.len() == DEEPEST {
                        return Err("it is nested too deeply".to_owned());
                    }
                    open.push(Self::named(start.local_name().as_ref()));
                }
                Event::Empty(start) => {
                    let element = Self::named(start.local_name().as_ref());
                    close(element, &mut open, &mut root)?;
                }
                Event::End(_) => {
                    let element = open.pop().ok_or("an element ends that did not begin")?;
                    close(element, &mut open, &mut root)?;
                }
                Event::Text(text) => put(&mut open, &text.xml10_content())?,
                Event::CData(data) => put(&mut open, &data.xml10_content())?,
                Event::GeneralRef(reference) => put(&mut open, &character(&reference)?)?,
                Event::DocType(_) => return Err("it declares a document type".to_owned()),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Eof if !open.is_empty() => return Err("it ends before its elements do".to_owned()),
                Event::Eof => return root.ok_or_else(|| "it is empty".to_owned()),
            }
        }
    }

    /// The text of the first child of a name.
    #[must_use]
    pub fn child_text(&self, name: &str) -> Option<&str> {
        let child = self.children.iter().find(|child| child.name == name);
        child.map(|child| child.text.as_str())
    }

    /// The children of a name.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    fn named(name: impl AsRef<str>) -> Self {
        Self { name: name.as_ref().to_owned(), ..Self::default() }
    }
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), String> {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => return Err("it has more than one root".to_owned()),
    }
    Ok(())
}

fn put(open: &mut [Element], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text += text,
        None if text.trim().is_empty() => {}
        None => return Err("it has text outside its root".to_owned()),
    }
    Ok(())
}

fn character(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(c) = reference.resolve_char_ref().map_err(|e| e.to_string())? {
        return Ok(c.to_string());
    }
    let name = reference.xml10_content();
    let known = [("lt", "<"), ("gt", ">"), ("amp", "&"), ("quot", "\""), ("apos", "'")];
    let found = known.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| format!("it names an unknown entity &{name};"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::xml::Xml;
    use super::*;

    #[test]
    fn elements_and_their_text_are_read() {
        let root = Element::parse(
            "<?xml version=\"1.0\"?>\n<Delete xmlns=\"x\"><Quiet>true</Quiet><Object><Key> a&amp;&#x20;b </Key></Object><E/></Delete>\n",
        )
        .unwrap();
        assert_eq!((root.name.as_str(), root.child_text("Quiet")), ("Delete", Some("true")));
        let object = root.children_named("Object").next().unwrap();
        assert_eq!(object.child_text("Key"), Some(" a& b "));
        assert_eq!(root.child_text("E"), Some(""));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for text in [
            "",
            "<A>",
            "<A></B>",
            "<A/><B/>",
            "<A",
            "text",
            "<A><B></A>",
            "</A>",
            "<A/>x",
            "<A>&x;</A>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><A/>",
        ] {
            assert!(Element::parse(text).is_err(), "{text}");
        }
        assert!(Element::parse(&"<A>".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[<>/&;#x!\\[\\]A a\"=?-]{0,60}") {
            let _ = Element::parse(&text);
        }

        #[test]
        fn what_is_written_is_read(text in "[ -~\\n\\r\\tä€]{0,40}") {
            let xml = Xml::plain("R", |xml| xml.text("T", &text));
            let root = Element::parse(&xml).unwrap();
            prop_assert_eq!(root.child_text("T"), Some(text.as_str()));
        }
    }
}
