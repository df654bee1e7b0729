//! Receipts pushed to the customer of the operator: a queue by the time they are due, and
//! the loop that POSTs them. Polling goes on beside it and knows nothing of it.

mod post;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;

use crate::receipt::Receipt;
use crate::{Operator, Settings, date};
use post::Poster;
pub(crate) use queue::Queue;

/// The most receipts in one POST.
const MAX_BATCH: usize = 1000;
/// A POST that was not answered after this has failed.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Pushes what is due, one batch after the other, each until it is answered with 200. What
/// was not acknowledged when this is dropped is still in the queue.
pub(crate) async fn run(operator: Arc<Operator>) {
    let mut poster = Poster::default();
    loop {
        let batch = operator.pushes.due(MAX_BATCH).await;
        let receipts: Vec<Receipt> = batch.iter().map(|(_, receipt)| *receipt).collect();
        // Settings are read anew for each attempt: the address may have been mended.
        let settings = operator.settings();
        if !settings.pushes() {
            operator.pushes.clear();
        } else if is_accepted(&mut poster, &settings, &receipts).await {
            operator.pushes.remove(&batch);
            operator.count_pushed(receipts.len());
        } else {
            operator.count_push_retry();
            tokio::time::sleep(Duration::from_millis(settings.push_retry_ms.into())).await;
        }
    }
}

async fn is_accepted(poster: &mut Poster, settings: &Settings, receipts: &[Receipt]) -> bool {
    let body = Bytes::from(body(receipts, settings.push_by_mid));
    match tokio::time::timeout(ANSWER_WITHIN, poster.post(settings, body)).await {
        Ok(Ok(StatusCode::OK)) => true,
        Ok(Ok(status)) => {
            tracing::warn!(status = status.as_u16(), "receipts were not accepted");
            false
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "receipts cannot be pushed");
            poster.hang_up();
            false
        }
        Err(_) => {
            tracing::warn!("pushed receipts were not answered in time");
            poster.hang_up();
            false
        }
    }
}

/// `[{"uid":…,"status":…,"date":"…"},…]`, or `mid` in place of `uid`.
fn body(receipts: &[Receipt], by_mid: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(receipts.len() * 80);
    let mut number = itoa::Buffer::new();
    for Receipt { uid, mid, status, date_ms } in receipts {
        out.push(if out.is_empty() { b'[' } else { b',' });
        let (name, id) = if by_mid { ("mid", mid) } else { ("uid", uid) };
        out.extend_from_slice(format!("{{\"{name}\":{}", number.format(*id)).as_bytes());
        out.extend_from_slice(format!(",\"status\":{status},\"date\":\"").as_bytes());
        date::push(&mut out, *date_ms);
        out.extend_from_slice(b"\"}");
    }
    out.push(b']');
    out
}
