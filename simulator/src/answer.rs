//! Magfa's answers, written into one buffer.

use crate::Settings;
use crate::date;
use crate::fate::Fate;
use crate::number::international;
use crate::submission::Judged;

/// Magfa's codes that come from the form of a call, not from the settings.
pub(crate) mod code {
    pub(crate) const BAD_RECIPIENT: u16 = 1;
    pub(crate) const SENDER: u16 = 2;
    pub(crate) const ENCODING: u16 = 3;
    pub(crate) const UDH: u16 = 6;
    pub(crate) const EMPTY_TEXT: u16 = 13;
    pub(crate) const CREDIT: u16 = 14;
    pub(crate) const CREDENTIALS: u16 = 18;
    pub(crate) const BAD_ID: u16 = 24;
    pub(crate) const METHOD: u16 = 25;
    pub(crate) const TOO_LONG: u16 = 30;
    pub(crate) const PARAMETERS: u16 = 31;
    pub(crate) const MESSAGES_LENGTH: u16 = 101;
    pub(crate) const SENDERS_LENGTH: u16 = 103;
    pub(crate) const UDHS_LENGTH: u16 = 104;
    pub(crate) const NO_RECIPIENTS: u16 = 106;
    pub(crate) const TOO_MANY: u16 = 107;
    pub(crate) const NO_SENDERS: u16 = 108;
    pub(crate) const ENCODINGS_LENGTH: u16 = 109;
    pub(crate) const UIDS_LENGTH: u16 = 110;
}

/// What one part is said to cost, in rial.
const TARIFF: &[u8] = b"1320.0";
/// Enough for one element of any answer, so that the buffer rarely grows.
const ELEMENT_OCTETS: usize = 160;

/// The status of one id, as `/statuses` answers it.
#[derive(Clone, Copy)]
pub(crate) struct StatusOf {
    pub(crate) mid: i64,
    pub(crate) status: i8,
    /// When that status came, in milliseconds since 1970; none for an unknown id.
    pub(crate) at_ms: Option<i64>,
}

/// `{"status":code}`: the call is refused as a whole.
pub(crate) fn refused(code: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(ELEMENT_OCTETS);
    field(&mut out, b"{\"status\":", code);
    out.push(b'}');
    out
}

/// The answer to a send call: elements with the mids of those that were accepted.
pub(crate) fn sent<'a>(settings: &Settings, judged: impl Iterator<Item = (i64, &'a Judged<'a>)>) -> Vec<u8> {
    let mut out = opened(judged.size_hint().0, b"{\"status\":0,\"messages\":[");
    for (mid, element) in judged {
        match element.fate {
            Fate::Accepted { .. } => {
                field(&mut out, b"{\"status\":0,\"id\":", mid);
                push_uid(&mut out, settings, element.uid);
                field(&mut out, b",\"parts\":", element.parts);
                out.extend_from_slice(b",\"tariff\":");
                out.extend_from_slice(TARIFF);
                out.extend_from_slice(b",\"alphabet\":\"");
                out.extend_from_slice(element.alphabet.name().as_bytes());
                out.push(b'"');
            }
            Fate::Refused(code) => {
                field(&mut out, b"{\"status\":", code);
                push_uid(&mut out, settings, element.uid);
            }
        }
        push_recipient(&mut out, element);
        out.extend_from_slice(b"},");
    }
    closed(out)
}

/// The answer to `/mid/{uid}`; none is −1.
pub(crate) fn mid(mid: Option<i64>) -> Vec<u8> {
    let mut out = opened(1, b"{\"status\":0");
    field(&mut out, b",\"mid\":", mid.unwrap_or(-1));
    out.push(b'}');
    out
}

/// The answer to `/statuses/{…}`.
pub(crate) fn statuses(of: &[StatusOf]) -> Vec<u8> {
    let mut out = opened(of.len(), b"{\"status\":0,\"dlrs\":[");
    for element in of {
        field(&mut out, b"{\"mid\":", element.mid);
        field(&mut out, b",\"status\":", element.status);
        match element.at_ms {
            Some(at_ms) => {
                out.extend_from_slice(b",\"date\":\"");
                date::push(&mut out, at_ms);
                out.extend_from_slice(b"\"},");
            }
            None => out.extend_from_slice(b",\"date\":null},"),
        }
    }
    closed(out)
}

/// The answer to `/balance`.
pub(crate) fn balance(rial: i64) -> Vec<u8> {
    let mut out = opened(1, b"{\"status\":0");
    field(&mut out, b",\"balance\":", rial);
    out.push(b'}');
    out
}

fn opened(elements: usize, head: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity((elements + 1) * ELEMENT_OCTETS);
    out.extend_from_slice(head);
    out
}

/// Ends an array whose elements each left a comma.
fn closed(mut out: Vec<u8>) -> Vec<u8> {
    out.pop_if(|last| *last == b',');
    out.extend_from_slice(b"]}");
    out
}

fn field(out: &mut Vec<u8>, name: &[u8], value: impl itoa::Integer) {
    out.extend_from_slice(name);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn push_uid(out: &mut Vec<u8>, settings: &Settings, uid: i64) {
    if settings.uid_as_string {
        field(out, b",\"userId\":\"", uid);
        out.push(b'"');
    } else {
        field(out, b",\"userId\":", uid);
    }
}

fn push_recipient(out: &mut Vec<u8>, element: &Judged<'_>) {
    match element.national {
        Some(national) => {
            field(out, b",\"recipient\":\"", international(national));
            out.push(b'"');
        }
        None => {
            out.extend_from_slice(b",\"recipient\":");
            let quoted = serde_json::Value::from(element.recipient).to_string();
            out.extend_from_slice(quoted.as_bytes());
        }
    }
}
