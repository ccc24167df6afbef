//! A small tree over the XML of AWS's Query protocol.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Deepest nesting that is read; AWS's answers stay under ten.
const DEEPEST: usize = 32;

/// One element with its text and children; attributes carry nothing we read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Reads a document and returns its root element, or `None` when it is not well-formed.
    pub(crate) fn parse(document: &str) -> Option<Self> {
        let mut reader = Reader::from_str(document);
        let mut open: Vec<Element> = vec![Element::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) => {
                    if open.len() > DEEPEST {
                        return None;
                    }
                    let name = tag.local_name().as_ref().to_owned();
                    open.push(Element {
                        name,
                        ..Element::default()
                    });
                }
                Event::Empty(tag) => {
                    let name = tag.local_name().as_ref().to_owned();
                    open.last_mut()?.children.push(Element {
                        name,
                        ..Element::default()
                    });
                }
                Event::End(_) => {
                    let closed = open.pop()?;
                    open.last_mut()?.children.push(closed);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text),
                Event::CData(text) => open.last_mut()?.text.push_str(&text),
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref().ok()? {
                        Some(c) => c.to_string(),
                        None => {
                            quick_xml::escape::resolve_predefined_entity(&reference)?.to_owned()
                        }
                    };
                    open.last_mut()?.text.push_str(&resolved);
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        let document = open.pop()?;
        (open.is_empty()).then_some(())?;
        document.children.into_iter().next()
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The `item` (or `member`) elements of the list `name`.
    pub(crate) fn items<'e>(&'e self, name: &str) -> impl Iterator<Item = &'e Element> {
        self.child(name)
            .into_iter()
            .flat_map(|list| &list.children)
            .filter(|item| item.name == "item" || item.name == "member")
    }

    /// The text of the child of that name, if it is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.child(name).and_then(Element::value)
    }

    /// The element's own text, if it is not empty.
    pub(crate) fn value(&self) -> Option<String> {
        let text = self.text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The text of the child of that name, or nothing.
    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default()
    }

    /// A number in the child of that name.
    pub(crate) fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.get(name)?.parse().ok()
    }

    /// Whether the child of that name says `true`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).as_deref() == Some("true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let root = Element::parse(
            r#"<?xml version="1.0"?><R xmlns="x"><set><item><id>a&amp;b&#33;</id><n>7</n></item>
               <item><id/><on>true</on></item></set></R>"#,
        )
        .unwrap();
        let items: Vec<_> = root.items("set").collect();
        assert_eq!(items[0].text("id"), "a&b!");
        assert_eq!(items[0].number::<i32>("n"), Some(7));
        assert_eq!(items[1].get("id"), None);
        assert!(items[1].flag("on"));
    }

    #[test]
    fn what_is_not_xml_is_refused() {
        for document in [
            "",
            "not xml",
            "<a>",
            "<a></b>",
            "<a>&unknown;</a>",
            &"<a>".repeat(50),
        ] {
            assert_eq!(Element::parse(document), None, "{document}");
        }
    }
}
