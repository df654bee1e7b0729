//! A chunk without whom it was for and what it said. It decodes as any other, with its stamps,
//! its line and how long its texts were, so that money and statuses stay provable.

use crate::submitted::{Chunk, Text};
use domain::phone::Msisdn;

impl Chunk {
    /// The same without recipients, texts and references. Its request hash is another: that of
    /// what was asked for stands in the ledger.
    pub fn erased(&self) -> Chunk {
        let texts = self.texts.iter().map(|text| Text { body: String::new(), ..text.clone() });
        Chunk {
            recipients: vec![Msisdn::ERASED; self.recipients.len()],
            texts: texts.collect(),
            references: Vec::new(),
            ..self.clone()
        }
    }

    /// The recipient of the message at `index`; nothing where it was erased.
    pub fn recipient(&self, index: usize) -> Option<Msisdn> {
        self.recipients.get(index).copied().filter(|recipient| *recipient != Msisdn::ERASED)
    }
}
