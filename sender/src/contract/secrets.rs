//! Neither what opens the operator's door nor what is personal is logged or shown.

use super::{Element, PATIENT, Peer, Protocol, Reply, Says, Scripted, message, messages};
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Takes in every line and every span of every crate, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Calls of all kinds that end in all ways, with everything logged, and what they were given
/// and gave back as `Debug` shows it.
pub(crate) async fn what_is_logged_and_shown_holds_no_secrets<P: Protocol>() {
    let log = Log::default();
    let shown = {
        let _logged = tracing::subscriber::set_default(log.clone());
        everything::<P>().await
    };
    let logged = log.0.lock().unwrap().clone();
    assert!(!logged.is_empty(), "a call that fails leaves a line");
    let message = message(1);
    let recipient = message.recipient.get().to_string();
    let private = [&recipient[2..], message.text];
    for secret in P::SECRETS.iter().copied().chain(private) {
        assert!(!logged.contains(secret), "logged {secret}: {logged}");
        assert!(!shown.contains(secret), "shown {secret}: {shown}");
    }
}

async fn everything<P: Protocol>() -> String {
    let mut shown = format!("{:?}", messages(2));
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    each_call::<P>(&P::link(nobody, PATIENT), &mut shown).await;
    let peer = Peer::<P>::new().await;
    each_call::<P>(&peer.link(), &mut shown).await;
    let operator = Scripted::<P>::new(|_| Reply::never()).await;
    each_call::<P>(&operator.hasty_link(), &mut shown).await;
    for end in [Reply::then_closes, Reply::then_resets] {
        operator.says(move |_| end(Reply::never()));
        each_call::<P>(&operator.link(), &mut shown).await;
    }
    let good = |call: &[u8]| P::sent(call, &[Element::of(&message(1), Says::Taken(10))]);
    for place in 0..P::no_answers(&good(&[])).len() {
        operator.says(move |call| Reply::new(P::no_answers(&good(call)).swap_remove(place).1).then_closes());
        each_call::<P>(&operator.link(), &mut shown).await;
    }
    for place in 0..P::refusals_of_calls(&[]).len() {
        operator.says(move |call| Reply::new(P::refusals_of_calls(call).swap_remove(place).0));
        each_call::<P>(&operator.link(), &mut shown).await;
    }
    shown
}

async fn each_call<P: Protocol>(link: &P::Link, shown: &mut String) {
    writeln!(shown, "{:?}", P::send(link, &messages(2)).await).unwrap();
    writeln!(shown, "{:?}", P::look_up(link, message(1).id).await).unwrap();
    writeln!(shown, "{:?}", P::poll(link, &["1"]).await).unwrap();
}
