//! Magfa's part of the suite for connectors: the operator's contract as data.

use super::super::{Class, LookUp, Magfa, Outgoing, Polled, Sent};
use crate::config::{ConnectorLimits, MagfaSettings};
use crate::contract::{Element, Found, Protocol, Says, http};
use crate::metrics::Unknowns;
use domain::id::MessageId;
use domain::lane::Lane;
use domain::outcome::{Receipt, Refusal};
use platform::config::Secret;
use serde_json::{Value, json};
use simulator::Operator;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub(super) struct Rig;

const PASSWORD: &str = "demo";

impl Protocol for Rig {
    type Link = Magfa;

    const LOOK_UP: Option<&'static str> = Some("mid");
    const POLL: Option<&'static str> = Some("statuses");
    const REFUSALS: &'static [(i16, Class)] = &[
        (27, Class::Final(Refusal::Blocked)),
        (33, Class::Final(Refusal::Blocked)),
        (1, Class::Final(Refusal::Operator)),
        (8, Class::Final(Refusal::Operator)),
        (13, Class::Final(Refusal::Operator)),
        (28, Class::Final(Refusal::Operator)),
        (30, Class::Final(Refusal::Operator)),
        (34, Class::Final(Refusal::Operator)),
        (35, Class::Final(Refusal::Operator)),
        (15, Class::Throttle),
        (23, Class::Throttle),
        (2, Class::Stop),
        (14, Class::Stop),
        (16, Class::Stop),
        (18, Class::Stop),
        (20, Class::Stop),
        (22, Class::Stop),
        (29, Class::Stop),
        (3, Class::Defect),
        (4, Class::Defect),
        (6, Class::Defect),
        (17, Class::Defect),
        (19, Class::Defect),
        (24, Class::Defect),
        (25, Class::Defect),
        (31, Class::Defect),
        (101, Class::Defect),
        (102, Class::Defect),
        (103, Class::Defect),
        (104, Class::Defect),
        (105, Class::Defect),
        (106, Class::Defect),
        (107, Class::Defect),
        (108, Class::Defect),
        (109, Class::Defect),
        (110, Class::Defect),
        // Not in the contract: a person looks at what is added later.
        (999, Class::Defect),
    ];
    const RECEIPTS: &'static [(i16, Receipt)] = &[
        (-1, Receipt::Nothing),
        (0, Receipt::Nothing),
        (1, Receipt::Delivered),
        (2, Receipt::Undelivered),
        (8, Receipt::OnTheWay),
        (16, Receipt::Undelivered),
        // Not in the contract.
        (99, Receipt::Nothing),
    ];
    /// The password, and the header that it is sent in.
    const SECRETS: &'static [&'static str] = &["ZGVtby9kZW1vOmRlbW8", "authorization", PASSWORD];

    fn link(address: SocketAddr, call_timeout: Duration) -> Magfa {
        let settings = MagfaSettings {
            limits: ConnectorLimits::default(),
            base_url: format!("http://{address}/api/http/sms/v2"),
            user: "demo/demo".into(),
            password: Secret::from(PASSWORD),
            call_timeout_ms: u64::try_from(call_timeout.as_millis()).unwrap(),
            call_messages: 100,
        };
        Magfa::new(&settings, 4, Unknowns::new(Lane::Bulk, "magfa")).unwrap()
    }

    async fn send(link: &Magfa, messages: &[Outgoing<'_>]) -> Vec<Sent> {
        link.send(messages).await
    }

    async fn look_up(link: &Magfa, id: MessageId) -> LookUp {
        link.look_up(id).await
    }

    async fn poll(link: &Magfa, operator_ids: &[&str]) -> Option<HashMap<String, Polled>> {
        link.poll(operator_ids).await
    }

    async fn simulate(listener: TcpListener, operator: Arc<Operator>, stop: CancellationToken) {
        simulator::serve(listener, operator, stop).await.unwrap();
    }

    async fn next_call(stream: &mut TcpStream) -> Option<Vec<u8>> {
        http::next_request(stream).await
    }

    fn sent(_: &[u8], elements: &[Element]) -> Vec<u8> {
        let messages: Vec<Value> = elements.iter().map(element).collect();
        answer(&json!({ "status": 0, "messages": messages }))
    }

    fn looked_up(_: &[u8], found: Found) -> Vec<u8> {
        let mid = if let Found::Known(mid) = found { mid } else { -1 };
        answer(&json!({ "status": 0, "mid": mid }))
    }

    fn polled(_: &[u8], receipts: &[(i64, i16)]) -> Vec<u8> {
        let dlr = |(mid, status): &(i64, i16)| json!({ "mid": mid, "status": status, "date": null });
        let dlrs: Vec<Value> = receipts.iter().map(dlr).collect();
        answer(&json!({ "status": 0, "dlrs": dlrs }))
    }

    /// By the status of the answer, alone or with an empty list, and by HTTP's.
    fn refusals_of_calls(_: &[u8]) -> Vec<(Vec<u8>, Class, i16)> {
        let by_status = Rig::REFUSALS.iter().flat_map(|(code, class)| {
            let bodies = [
                json!({ "status": code }),
                json!({ "status": code, "messages": [], "mid": null, "dlrs": [] }),
                json!({ "status": code.to_string(), "messages": null, "mid": -1, "dlrs": null }),
            ];
            bodies.map(|body| (answer(&body), *class, *code))
        });
        let by_http = [(401, Class::Stop), (403, Class::Stop), (404, Class::Stop), (429, Class::Throttle)];
        let by_http = by_http
            .map(|(code, class): (i16, Class)| (http::answer(code.unsigned_abs(), b"{}"), class, code));
        by_status.chain(by_http).collect()
    }

    fn no_answers(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let of_no_status = [
            ("no status", json!({ "messages": [], "mid": -1, "dlrs": [] })),
            ("a status of null", json!({ "status": null, "mid": -1, "dlrs": [] })),
            ("a status that is none", json!({ "status": {}, "mid": -1, "dlrs": [] })),
            ("a status beyond all", json!({ "status": 1_000_000, "mid": -1, "dlrs": [] })),
            ("a status and no more", json!({ "status": 0 })),
            ("nothing in it", json!({ "status": 0, "messages": null, "mid": null, "dlrs": null })),
        ];
        let mut all = http::no_answers(good);
        all.extend(of_no_status.map(|(name, body)| (name, answer(&body))));
        all
    }
}

/// An element as the contract has it: a refused one has no id, one without our id has 0.
fn element(element: &Element) -> Value {
    let mut fields = json!({ "userId": element.id.unwrap_or(0) });
    if let Some(recipient) = &element.recipient {
        fields["recipient"] = json!(recipient);
    }
    match element.says {
        Says::Taken(id) => (fields["status"], fields["id"]) = (json!(0), json!(id)),
        Says::TakenWithoutId => fields["status"] = json!(0),
        Says::Refused(code) => fields["status"] = json!(code),
        Says::Nothing => {}
    }
    fields
}

fn answer(body: &Value) -> Vec<u8> {
    http::answer(200, body.to_string().as_bytes())
}
