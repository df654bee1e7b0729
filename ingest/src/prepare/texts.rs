//! The different texts of a call: each is checked and measured once, and kept once.

use std::borrow::Cow;
use std::collections::HashMap;

use wire::submitted::Text;

use crate::rules::{Fault, Measured, Rules};

/// A text's number and what it costs to send, or what is wrong with it.
pub(super) type Numbered = Result<(u32, Measured), Fault>;

/// The texts seen so far. Those that are not valid are remembered too.
pub(super) struct Texts<'a> {
    rules: &'a Rules,
    known: HashMap<Cow<'a, str>, Result<u32, Fault>>,
    measured: Vec<Measured>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(rules: &'a Rules) -> Self {
        Texts { rules, known: HashMap::new(), measured: Vec::new() }
    }

    /// The number of a text.
    pub(super) fn number(&mut self, text: Cow<'a, str>) -> Numbered {
        let (rules, measured) = (self.rules, &mut self.measured);
        let number = self.known.entry(text).or_insert_with_key(|text| {
            let number = u32::try_from(measured.len()).unwrap_or(u32::MAX);
            measured.push(rules.text(text)?);
            Ok(number)
        });
        number.clone().map(|number| (number, self.measured[number as usize]))
    }

    /// The valid texts, by their numbers.
    pub(super) fn into_texts(self) -> Vec<Text> {
        let valid = self.known.into_iter().filter_map(|(text, number)| Some((number.ok()?, text)));
        let mut numbered: Vec<(u32, Cow<'_, str>)> = valid.collect();
        numbered.sort_unstable_by_key(|(number, _)| *number);
        let measured = self.measured;
        let text = |((_, body), measured): ((u32, Cow<'_, str>), Measured)| Text {
            body: body.into_owned(),
            encoding: measured.encoding,
            segments: measured.segments,
        };
        numbered.into_iter().zip(measured).map(text).collect()
    }
}
