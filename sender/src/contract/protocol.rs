//! What the suite needs to know of a protocol.

use crate::magfa::{Class, LookUp, Outgoing, Polled, Sent};
use domain::id::MessageId;
use domain::outcome::Receipt;
use simulator::Operator;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A protocol under test: our side, its contract as data, and the operator's side.
pub(crate) trait Protocol: Sized + 'static {
    /// A link of the connector.
    type Link;

    /// What the simulator's fault rules call a look-up (`on`). None: the operator cannot be
    /// asked; then a look-up has to be [`LookUp::NoAnswer`] without a call, which leaves the
    /// message to its receipt.
    const LOOK_UP: Option<&'static str>;
    /// What they call a poll. None: receipts come by themselves.
    const POLL: Option<&'static str>;
    /// The operator's refusals of single messages, each with its class: the whole table of
    /// the contract.
    const REFUSALS: &'static [(i16, Class)];
    /// The operator's final and other receipts, each with what it says: the whole table.
    const RECEIPTS: &'static [(i16, Receipt)];
    /// What the link is given and nobody may read anywhere.
    const SECRETS: &'static [&'static str];

    /// A link to the operator at `address`, as the connector makes it.
    fn link(address: SocketAddr, call_timeout: Duration) -> Self::Link;
    /// Sends one call.
    async fn send(link: &Self::Link, messages: &[Outgoing<'_>]) -> Vec<Sent>;
    /// Looks one message up.
    async fn look_up(link: &Self::Link, id: MessageId) -> LookUp;
    /// Asks for receipts.
    async fn poll(link: &Self::Link, operator_ids: &[&str]) -> Option<HashMap<String, Polled>>;

    /// Lets the simulator speak the protocol.
    fn simulate(
        listener: TcpListener,
        operator: Arc<Operator>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static;
    /// Reads the next whole call off a connection; nothing at its end. What the protocol
    /// wants before and between calls (a bind, a sign of life) is answered here.
    fn next_call(stream: &mut TcpStream) -> impl Future<Output = Option<Vec<u8>>> + Send;
    /// The octets of an answer to this call of `send`, with these elements in this order.
    fn sent(call: &[u8], elements: &[Element]) -> Vec<u8>;
    /// The octets of an answer to this look-up.
    fn looked_up(call: &[u8], found: Found) -> Vec<u8>;
    /// The octets of an answer to this poll: operator's ids with their receipts.
    fn polled(call: &[u8], receipts: &[(i64, i16)]) -> Vec<u8>;
    /// All refusals of a call as a whole: octets of the answer, class, code.
    fn refusals_of_calls(call: &[u8]) -> Vec<(Vec<u8>, Class, i16)>;
    /// What a good answer may become on its way and what may come in its place: names, and
    /// octets after which the connection ends. None of it may be believed.
    fn no_answers(good: &[u8]) -> Vec<(&'static str, Vec<u8>)>;
}

/// One element of an answer to `send`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// Our id as it is echoed; none where it is not.
    pub(crate) id: Option<i64>,
    /// The recipient as it is echoed; none where it is not.
    pub(crate) recipient: Option<String>,
    /// What it says.
    pub(crate) says: Says,
}

/// What an element says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// Taken, under this id.
    Taken(i64),
    /// Taken, and the id is not there.
    TakenWithoutId,
    /// Refused with this code.
    Refused(i16),
    /// It has neither an id nor a code.
    Nothing,
}

/// What a look-up is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The operator's id.
    Known(i64),
    /// It never saw the message.
    NeverSeen,
}

impl Element {
    /// As an operator names a message: by everything.
    pub(crate) fn of(message: &Outgoing<'_>, says: Says) -> Element {
        Element { recipient: Some(message.recipient.get().to_string()), ..Element::by_id(message, says) }
    }

    /// Our id alone.
    pub(crate) fn by_id(message: &Outgoing<'_>, says: Says) -> Element {
        Element { id: Some(message.id.get()), recipient: None, says }
    }

    /// The recipient alone.
    pub(crate) fn by_recipient(message: &Outgoing<'_>, says: Says) -> Element {
        Element { id: None, ..Element::of(message, says) }
    }
}
