//! The messages of a file, one after the other.

use super::input::Input;
use anyhow::Context;
use domain::template::Template;
use serde::Serialize;
use std::path::Path;

/// The columns that may hold the recipient's number.
const RECIPIENT: [&str; 3] = ["to", "receiver", "mobile"];

/// Where the texts come from.
pub(super) enum TextFrom {
    /// One text with places for the columns' values.
    Template(String),
    /// A column of this name.
    Column(String),
}

/// A message, as the API takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Message {
    pub(super) to: String,
    pub(super) text: String,
    /// The row it came from.
    #[serde(skip)]
    pub(super) row: u64,
}

/// The messages of a file.
pub(super) struct Rows {
    input: Input,
    recipient: usize,
    template: Template,
    /// The column of each of its places.
    places: Vec<usize>,
}

impl Rows {
    /// Opens the file; what is wrong with its columns or with the text is said here.
    pub(super) fn open(path: &Path, text: &TextFrom) -> anyhow::Result<Self> {
        let input = Input::open(path)?;
        let header = input.header();
        let column = |name: &str| header.iter().position(|column| column == name);
        let has = || format!("{} has the columns {}", path.display(), header.join(", "));
        let recipient = RECIPIENT.iter().find_map(|name| column(name));
        let recipient =
            recipient.with_context(|| format!("no column `to`, `receiver` or `mobile`: {}", has()))?;
        let template = match text {
            TextFrom::Template(text) => Template::parse(text)?,
            TextFrom::Column(name) => Template::of_value(name),
        };
        let place = |name: &String| {
            column(name).with_context(|| match text {
                TextFrom::Template(_) => format!(
                    "the text has {{{name}}}, but the file has no such column; it has {}",
                    header.join(", ")
                ),
                TextFrom::Column(_) => {
                    format!("no column `{name}` for the texts: {}; or give the text with --text", has())
                }
            })
        };
        let places = template.names().iter().map(place).collect::<anyhow::Result<_>>()?;
        Ok(Rows { input, recipient, template, places })
    }

    /// The size of the file, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.input.bytes()
    }

    /// How far reading has come, in bytes.
    pub(super) fn position(&self) -> u64 {
        self.input.position()
    }

    /// The next messages, at most `count`; none at the end.
    pub(super) fn batch(&mut self, count: usize) -> anyhow::Result<Vec<Message>> {
        let mut messages = Vec::with_capacity(count.min(1_000));
        while messages.len() < count {
            let Some(row) = self.input.next()? else { break };
            messages.push(Message {
                to: row.fields.get(self.recipient).unwrap_or_default().to_owned(),
                text: self.template.fill(|place| row.fields.get(self.places[place]).unwrap_or_default()),
                row: row.number,
            });
        }
        Ok(messages)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    fn open(content: &str, text: &TextFrom) -> Result<Vec<Message>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let read = || Rows::open(file.path(), text)?.batch(10);
        read().map_err(|error| format!("{error:#}").replace(&file.path().display().to_string(), "FILE"))
    }

    #[test]
    fn the_number_is_in_one_of_three_columns() {
        let template = TextFrom::Template("hi {n}".to_owned());
        for column in RECIPIENT {
            let read = open(&format!("n,{column}\na,0912\nb,0913\n"), &template).unwrap();
            assert_eq!(read[1], Message { to: "0913".into(), text: "hi b".into(), row: 2 });
        }
        let none = open("n,phone\na,0912\n", &template).unwrap_err();
        assert_eq!(none, "no column `to`, `receiver` or `mobile`: FILE has the columns n, phone");
    }

    #[test]
    fn what_cannot_be_filled_is_refused_before_anything_is_sent() {
        let template = |text: &str| open("to,name\n1,a\n", &TextFrom::Template(text.to_owned())).unwrap_err();
        assert_eq!(
            template("{nmae}"),
            "the text has {nmae}, but the file has no such column; it has to, name"
        );
        assert!(template("a { b").starts_with("the text has a { without its }"));
        assert_eq!(template(""), "the text is empty");
    }

    #[test]
    fn texts_may_be_in_a_column() {
        let column = TextFrom::Column("text".to_owned());
        assert_eq!(open("to,text\n1,one\n2,{two}\n", &column).unwrap()[1].text, "{two}");
        let none = open("to,name\n1,a\n", &column).unwrap_err();
        assert_eq!(
            none,
            "no column `text` for the texts: FILE has the columns to, name; or give the text with --text"
        );
    }
}
