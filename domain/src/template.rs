//! A text with places for the values of a row: `Dear {name}`. A brace itself is written twice.

/// A text cut at its placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    names: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The position of the placeholder's name in `names`.
    Place(usize),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A placeholder does not end.
    #[error("the text has a {{ without its }} (a brace itself is written twice)")]
    Open,
    /// A placeholder does not begin.
    #[error("the text has a }} without its {{ (a brace itself is written twice)")]
    Close,
    /// A placeholder has no name.
    #[error("the text has a placeholder without a name: {{}}")]
    NoName,
    /// There is nothing in it.
    #[error("the text is empty")]
    Empty,
}

impl Template {
    /// Reads a text. White space around a placeholder's name does not count.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut template = Template { pieces: Vec::new(), names: Vec::new() };
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
            let inside = brace.strip_prefix('{').ok_or(TemplateError::Close)?;
            let (name, behind) = inside.split_once('}').ok_or(TemplateError::Open)?;
            template.text(&mut literal);
            template.place(name.trim())?;
            rest = behind;
        }
        literal.push_str(rest);
        template.text(&mut literal);
        if template.pieces.is_empty() { Err(TemplateError::Empty) } else { Ok(template) }
    }

    /// The text that is the value of this name alone.
    pub fn of_value(name: &str) -> Self {
        Template { pieces: vec![Piece::Place(0)], names: vec![name.to_owned()] }
    }

    /// The names of the placeholders, each once, in the order in which they stand first.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The text with nothing in its places.
    pub fn literal(&self) -> String {
        self.fill(|_| "")
    }

    /// The text with these values in its places, by the position of their name in
    /// [`Template::names`].
    pub fn fill<'t>(&'t self, value: impl Fn(usize) -> &'t str) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            text.push_str(piece.filled(&value));
        }
        text
    }

    /// As [`Template::fill`]; nothing where the text would be longer than `bytes`, so that a few
    /// places and a long value do not fill the memory.
    pub fn fill_within<'t>(&'t self, bytes: usize, value: impl Fn(usize) -> &'t str) -> Option<String> {
        let length: usize = self.pieces.iter().map(|piece| piece.filled(&value).len()).sum();
        (length <= bytes).then(|| self.fill(value))
    }

    fn text(&mut self, literal: &mut String) {
        if !literal.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(literal)));
        }
    }

    fn place(&mut self, name: &str) -> Result<(), TemplateError> {
        if name.is_empty() {
            return Err(TemplateError::NoName);
        }
        let known = self.names.iter().position(|known| known == name);
        let position = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        self.pieces.push(Piece::Place(position));
        Ok(())
    }
}

impl Piece {
    fn filled<'t>(&'t self, value: &impl Fn(usize) -> &'t str) -> &'t str {
        match self {
            Piece::Text(literal) => literal,
            Piece::Place(position) => value(*position),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn filled(text: &str) -> Result<String, TemplateError> {
        let row = [("to", "0912"), ("name", "Sara"), ("نام", "سارا")];
        let template = Template::parse(text)?;
        let value = |at: usize| {
            let name = &template.names()[at];
            row.iter().find(|(known, _)| known == name).unwrap().1
        };
        assert_eq!(template.fill_within(template.fill(value).len(), value), Some(template.fill(value)));
        Ok(template.fill(value))
    }

    #[test]
    fn values_fill_their_places() {
        assert_eq!(filled("Dear {name}: {to}!").unwrap(), "Dear Sara: 0912!");
        assert_eq!(filled("{نام}{ name }").unwrap(), "ساراSara");
        assert_eq!(filled("{{name}} {{{name}}}").unwrap(), "{name} {Sara}");
        assert_eq!(filled("plain").unwrap(), "plain");
        assert_eq!(Template::of_value("a").fill(|_| "{x}"), "{x}");
        assert_eq!(Template::parse("a {b} c").unwrap().literal(), "a  c");
    }

    #[test]
    fn each_name_is_asked_for_once() {
        assert_eq!(Template::parse("{b}{a}{b}").unwrap().names(), ["b", "a"]);
    }

    #[test]
    fn what_cannot_be_filled_is_said() {
        for (text, error) in [
            ("a { b", TemplateError::Open),
            ("a } b", TemplateError::Close),
            ("{}", TemplateError::NoName),
            ("{ }", TemplateError::NoName),
            ("", TemplateError::Empty),
        ] {
            assert_eq!(filled(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_long_value_in_many_places_is_not_written_out() {
        let template = Template::parse(&"{a}".repeat(100)).unwrap();
        let long = "x".repeat(1_000);
        assert_eq!(template.fill_within(99_999, |_| &long), None);
        assert_eq!(template.fill_within(100_000, |_| &long).map(|text| text.len()), Some(100_000));
    }
}
