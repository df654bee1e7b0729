//! `sms.submitted.<lane>`: a chunk as the customer asked for it.

use crate::envelope::{Version, WireError, invalid, open, seal};
use crate::proto;
use bytes::Bytes;
use domain::id::{CHUNK_MESSAGES_MAX, ChunkId};
use domain::lane::Lane;
use domain::phone::Msisdn;
use domain::text::Encoding;
use domain::time::UnixMillis;
use prost::Message;
use xxhash_rust::xxh3::Xxh3;

/// An encoded chunk is at most this many bytes.
pub const CHUNK_BYTES_MAX: usize = 128 * 1024;

/// One of the different texts of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The text as the customer wrote it.
    pub body: String,
    /// How it is encoded on the air.
    pub encoding: Encoding,
    /// How many parts it takes, from 1.
    pub segments: u8,
}

/// A chunk: 1–256 messages of one account in one lane, all for one sender line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its id: that of its first message.
    pub id: ChunkId,
    /// The customer.
    pub account: i64,
    /// The lane that was asked for; the price follows it.
    pub asked_lane: Lane,
    /// The sender line.
    pub line: String,
    /// One recipient a message.
    pub recipients: Vec<Msisdn>,
    /// The different texts.
    pub texts: Vec<Text>,
    /// Which text each message has; empty where there is one text.
    pub text_index: Vec<u32>,
    /// The customer's references: none, one for all, or one a message.
    pub references: Vec<String>,
    /// The version of the tariff that prices it.
    pub tariff_version: u32,
    /// When ingest took it.
    pub created_at: UnixMillis,
    /// Not handed to an operator at or after this time.
    pub send_by: UnixMillis,
    /// The first chunk of its call.
    pub call_id: ChunkId,
    /// Chunks in the call.
    pub call_chunks: u32,
    /// Messages in the call.
    pub call_messages: u32,
    /// The campaign it belongs to, a positive number; 0 where it belongs to none.
    pub campaign: i64,
}

impl Chunk {
    /// How many messages it has: 1 to 256.
    pub fn len(&self) -> usize {
        self.recipients.len()
    }

    /// Always false: a chunk has a message.
    pub fn is_empty(&self) -> bool {
        self.recipients.is_empty()
    }

    /// The text of the message at `index`.
    pub fn text(&self, index: usize) -> Option<&Text> {
        let position = self.text_index.get(index).copied().unwrap_or(0);
        self.texts.get(usize::try_from(position).ok()?)
    }

    /// The customer's reference of the message at `index`, where there is one.
    pub fn reference(&self, index: usize) -> Option<&str> {
        let one =
            if self.references.len() == 1 { self.references.first() } else { self.references.get(index) };
        one.map(String::as_str).filter(|reference| !reference.is_empty())
    }

    /// A hash of what the customer asked for: account, line, recipients and texts, in
    /// canonical form. Never of encoded bytes and never of our stamps, so that a record
    /// rebuilt by another version of this program hashes the same.
    pub fn request_hash(&self) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.account.to_le_bytes());
        hash_text(&mut hash, &self.line);
        for (index, recipient) in self.recipients.iter().enumerate() {
            hash.update(&recipient.get().to_le_bytes());
            hash_text(&mut hash, self.text(index).map_or("", |text| &text.body));
        }
        hash.digest()
    }

    /// As a record's value.
    pub fn encode(&self, version: Version) -> Bytes {
        seal(version, &self.to_proto())
    }

    /// From a record's value.
    pub fn decode(record: &Bytes) -> Result<Self, WireError> {
        if record.len() > CHUNK_BYTES_MAX {
            return Err(invalid("record", "at most 128 KiB"));
        }
        Chunk::from_proto(open(record)?)
    }

    /// From the bytes that a billed record carries.
    pub(crate) fn decode_bare(bytes: Bytes) -> Result<Self, WireError> {
        let message =
            proto::Submitted::decode(bytes).map_err(|error| WireError::Undecodable(error.to_string()))?;
        Chunk::from_proto(message)
    }

    fn to_proto(&self) -> proto::Submitted {
        proto::Submitted {
            chunk_id: self.id.get(),
            account_id: self.account,
            asked_lane: self.asked_lane.code().into(),
            line: self.line.clone(),
            recipients: self.recipients.iter().map(|recipient| recipient.get()).collect(),
            texts: self.texts.iter().map(|text| text.body.clone()).collect(),
            text_encodings: self.texts.iter().map(|text| encoding_code(text.encoding)).collect(),
            text_segments: self.texts.iter().map(|text| text.segments).collect(),
            text_index: self.text_index.clone(),
            references: self.references.clone(),
            tariff_version: self.tariff_version,
            created_at_ms: self.created_at.0,
            send_by_ms: self.send_by.0,
            call_id: self.call_id.get(),
            call_chunks: self.call_chunks,
            call_messages: self.call_messages,
            campaign_id: self.campaign,
        }
    }

    fn from_proto(message: proto::Submitted) -> Result<Self, WireError> {
        let count = message.recipients.len();
        if count == 0 || count > CHUNK_MESSAGES_MAX {
            return Err(invalid("recipients", "1 to 256"));
        }
        let texts = texts(message.texts, &message.text_encodings, &message.text_segments)?;
        let index_fits = message.text_index.is_empty() && texts.len() == 1
            || message.text_index.len() == count
                && message.text_index.iter().all(|position| (*position as usize) < texts.len());
        if !index_fits {
            return Err(invalid("text_index", "one known text a message"));
        }
        if !matches!(message.references.len(), 0 | 1) && message.references.len() != count {
            return Err(invalid("references", "none, one, or one a message"));
        }
        let lane = u8::try_from(message.asked_lane).ok().and_then(Lane::from_code);
        let recipients = message.recipients.into_iter().map(Msisdn::from_canonical).collect::<Result<_, _>>();
        if message.account_id <= 0 {
            return Err(invalid("account_id", "positive"));
        }
        if message.campaign_id < 0 {
            return Err(invalid("campaign_id", "0, or positive"));
        }
        Ok(Chunk {
            id: ChunkId::new(message.chunk_id).ok_or(invalid("chunk_id", "a chunk's id"))?,
            account: message.account_id,
            asked_lane: lane.ok_or(invalid("asked_lane", "1, 2 or 3"))?,
            line: message.line,
            recipients: recipients.map_err(|_| invalid("recipients", "E.164 digits"))?,
            texts,
            text_index: message.text_index,
            references: message.references,
            tariff_version: message.tariff_version,
            created_at: UnixMillis(message.created_at_ms),
            send_by: UnixMillis(message.send_by_ms),
            call_id: ChunkId::new(message.call_id).ok_or(invalid("call_id", "a chunk's id"))?,
            call_chunks: message.call_chunks,
            call_messages: message.call_messages,
            campaign: message.campaign_id,
        })
    }
}

fn texts(bodies: Vec<String>, encodings: &Bytes, segments: &Bytes) -> Result<Vec<Text>, WireError> {
    if bodies.is_empty() || bodies.len() != encodings.len() || bodies.len() != segments.len() {
        return Err(invalid("texts", "one encoding and segment count each"));
    }
    bodies
        .into_iter()
        .zip(encodings.iter().zip(segments))
        .map(|(body, (encoding, segments))| match (encoding_of(*encoding), *segments) {
            (Some(encoding), 1..) => Ok(Text { body, encoding, segments: *segments }),
            _ => Err(invalid("texts", "a known encoding and at least one segment")),
        })
        .collect()
}

/// A length before the text, so that no two requests run into the same bytes.
fn hash_text(hash: &mut Xxh3, text: &str) {
    hash.update(&(text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

const fn encoding_code(encoding: Encoding) -> u8 {
    match encoding {
        Encoding::Gsm7 => 1,
        Encoding::Ucs2 => 2,
    }
}

const fn encoding_of(code: u8) -> Option<Encoding> {
    match code {
        1 => Some(Encoding::Gsm7),
        2 => Some(Encoding::Ucs2),
        _ => None,
    }
}
