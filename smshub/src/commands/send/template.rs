//! A text with places for the values of a row.

use anyhow::{Context, bail};
use csv::StringRecord;

/// A text cut at its placeholders.
#[derive(Debug)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The position of the column.
    Column(usize),
}

impl Template {
    /// Reads `text`; every placeholder must be a column of the header.
    pub(super) fn parse(text: &str, header: &[String]) -> anyhow::Result<Self> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..];
            if brace.starts_with("{{") || brace.starts_with("}}") {
                literal.push_str(&brace[..1]);
                rest = &brace[2..];
                continue;
            }
            let Some(inside) = brace.strip_prefix('{') else {
                bail!("the text has a }} without its {{ (a brace itself is written twice)");
            };
            let (name, behind) = inside
                .split_once('}')
                .context("the text has a { without its } (a brace itself is written twice)")?;
            let column = header.iter().position(|column| column == name.trim());
            let column = column.with_context(|| {
                format!(
                    "the text has {{{name}}}, but the file has no such column; it has {}",
                    header.join(", ")
                )
            })?;
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Column(column));
            rest = behind;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        if pieces.is_empty() {
            bail!("the text is empty");
        }
        Ok(Template(pieces))
    }

    /// The text that is a column's value.
    pub(super) fn of_column(column: usize) -> Self {
        Template(vec![Piece::Column(column)])
    }

    /// The text of a row.
    pub(super) fn fill(&self, row: &StringRecord) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Column(at) => text.push_str(row.get(*at).unwrap_or_default()),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let header = ["to".to_owned(), "name".into(), "نام".into()];
        let template = Template::parse(text, &header).map_err(|error| format!("{error:#}"))?;
        Ok(template.fill(&StringRecord::from(vec!["0912", "Sara", "سارا"])))
    }

    #[test]
    fn columns_fill_their_places() {
        assert_eq!(filled("Dear {name}: {to}!").unwrap(), "Dear Sara: 0912!");
        assert_eq!(filled("{نام}{ name }").unwrap(), "ساراSara");
        assert_eq!(filled("{{name}} {{{name}}}").unwrap(), "{name} {Sara}");
        assert_eq!(filled("plain").unwrap(), "plain");
    }

    #[test]
    fn what_cannot_be_filled_is_refused_before_anything_is_sent() {
        assert_eq!(
            filled("{nmae}").unwrap_err(),
            "the text has {nmae}, but the file has no such column; it has to, name, نام"
        );
        assert!(filled("{}").unwrap_err().starts_with("the text has {}, but"));
        assert!(filled("a { b").unwrap_err().starts_with("the text has a { without its }"));
        assert!(filled("a } b").unwrap_err().starts_with("the text has a } without its {"));
        assert_eq!(filled("").unwrap_err(), "the text is empty");
    }
}
