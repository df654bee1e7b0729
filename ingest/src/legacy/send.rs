//! `POST /sms/v1/send`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::{Extension, Json};
use domain::lane::Lane;
use platform::http::RequestId;
use platform::http::problem::{Code, FieldCode, FieldError, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::describe::{SendRefusals, SendRequest};
use super::fields::Errors;
use super::form::{self, Form};
use super::refusal::Refusal;
use super::who::{authorised, may_send, on_behalf};
use crate::api::{Caller, IdempotencyKey, Keyed, Replayed};
use crate::app::App;
use crate::chunking::cut;
use crate::idempotency::{Body, Once, Prepared, once};
use crate::keys::Scope;
use crate::prepare::{Checked, Context, Ground, Message};
use crate::rates::Allowance;
use crate::rules::Fault;

/// Characters of a text at most. It must not need more segments than any message may have, either.
const CONTENT_CHARACTERS_MAX: usize = 480;

/// A message that was accepted.
#[derive(Serialize, ToSchema)]
#[schema(as = LegacySent)]
pub(super) struct Answer {
    /// The message's id. It exceeds 2^53: read it as an integer of 64 bits, or read `sms_id_str`.
    #[schema(example = 117594862387200000_i64)]
    sms_id: i64,
    /// The same, where numbers are floats.
    #[schema(example = "117594862387200000")]
    sms_id_str: String,
    /// The request's id.
    #[schema(example = "01970000-0000-7000-8000-000000000000")]
    task_id: String,
}

/// Send a message
///
/// As the old gateway had it. The key needs the scope `send` and belongs to the user, or has the
/// scope `admin`. `is_express` sends in lane express.
#[utoipa::path(
    post, path = "/sms/v1/send", tag = "legacy", operation_id = "legacySend",
    params(IdempotencyKey),
    request_body(content(
        (SendRequest = "application/json"),
        (SendRequest = "application/x-www-form-urlencoded"),
        (SendRequest = "multipart/form-data"),
    )),
    responses((status = 200, description = "Accepted.", body = Answer), SendRefusals),
)]
pub(super) async fn send(
    caller: Result<Caller, Problem>,
    keyed: Result<Keyed, Problem>,
    Extension(request_id): Extension<RequestId>,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(Replayed, Option<Allowance>, Json<Answer>), Refusal> {
    let caller = authorised(caller, request.headers(), Scope::Send)?;
    let (form, body) = form::read(request, &app).await?;
    let (user_id, message) = read(&form)?;
    let asked = keyed?.asked(&caller, &body);
    let user = on_behalf(&app, caller, user_id).await?;
    may_send(&user)?;

    let Once { submitted, about: allowance, replayed } = once(&app, &user, asked, &message).await?;
    let id = submitted.run.first.message(0).get();
    let answer = Answer { sms_id: id, sms_id_str: id.to_string(), task_id: request_id.as_str().to_owned() };
    Ok((Replayed(replayed), allowance, Json(answer)))
}

/// A message as it was asked for, in the form that every field must have.
struct OldMessage {
    /// 9 to 15 ASCII digits.
    receiver: String,
    content: String,
    lane: Lane,
}

/// The user, and the message.
fn read(form: &Form) -> Result<(i64, OldMessage), Refusal> {
    let mut errors = Errors::default();
    let user_id = form.integer("user_id", i64::MIN, &mut errors);
    let receiver = form.digits("receiver", &mut errors);
    let content = form.text("content", CONTENT_CHARACTERS_MAX, &mut errors);
    let is_express = form.flag("is_express", &mut errors);
    errors.into_result()?;
    // Whatever is missing has been noted.
    let read = user_id.zip(receiver).zip(content.zip(is_express));
    let ((user_id, receiver), (content, is_express)) =
        read.ok_or_else(|| Problem::new(Code::InternalError))?;
    let lane = if is_express { Lane::Express } else { Lane::Standard };
    Ok((user_id, OldMessage { receiver, content, lane }))
}

impl Body for OldMessage {
    type About = Option<Allowance>;

    async fn prepare(&self, app: &Arc<App>, ground: Ground) -> Result<Prepared<Self::About>, Problem> {
        let message = self.checked(ground.context())?;
        let allowance = app.rates.admit_one(&ground, self.lane, message.measured.segments.into()).await;
        let cuts = cut(&message.call, 1);
        Ok(Prepared { call: message.call, cuts, about: allowance? })
    }
}

impl OldMessage {
    /// What no field's form says, and the old gateway did not look at.
    fn checked(&self, context: Context<'_>) -> Result<Message, Problem> {
        let (to, measured) = (context.rules.recipient(&self.receiver), context.rules.text(&self.content));
        let (to, measured) = match (to, measured) {
            (Ok(to), Ok(measured)) => (to, measured),
            (to, measured) => {
                let faults = [("receiver", to.err()), ("content", measured.err())].into_iter();
                return Err(Problem::invalid(
                    faults.filter_map(|(field, fault)| Some(error(field, fault?))).collect(),
                ));
            }
        };
        let line = context.rules.line(None, &context.caller.lines);
        let line =
            line.map_err(|_| Problem::new(Code::InvalidRequest).detail("the user has no sender line"))?;
        let price = context.price(self.lane, measured, to);
        let price = price.map_err(|fault| Problem::new(Code::InvalidRequest).detail(fault.detail))?;
        let (text, reference) = (self.content.clone(), String::new());
        let checked = Checked { to, text, measured, lane: self.lane, line, reference, ttl_seconds: None };
        Ok(checked.into_message(price, context))
    }
}

fn error(field: &str, fault: Fault) -> FieldError {
    // What other endpoints say of numbers speaks of forms that the pattern here refuses.
    let detail = match fault.code {
        FieldCode::InvalidRecipient => "this is not a mobile number".into(),
        FieldCode::UnsupportedCountry => "mobile numbers of this country are not served".into(),
        _ => fault.detail,
    };
    FieldError::new(field, fault.code, detail)
}
