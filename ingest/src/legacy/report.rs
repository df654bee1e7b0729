//! `GET /sms/v1/report`.

mod asked;
mod dates;
mod links;
mod row;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use platform::http::problem::{Code, Problem};
use platform::ownership::clock::unix_now;
use serde::Serialize;
use utoipa::ToSchema;

use super::describe::ReadRefusals;
use super::form::Form;
use super::refusal::Refusal;
use super::who::{authorised, on_behalf};
use crate::api::Caller;
use crate::app::App;
use crate::keys::Scope;
use crate::reports::list::{Filter, Numbered, numbered};

use asked::{Asked, Page, Parameters};
use links::Links;
use row::Row;

/// A page of a user's messages.
#[derive(Serialize, ToSchema)]
#[schema(as = LegacyReport)]
pub(super) struct Answer {
    /// How many messages fit, on all pages.
    #[schema(example = 1)]
    count: u64,
    /// The next page.
    #[schema(example = "https://sms.example.com/sms/v1/report?page=3&user_id=1")]
    next: Option<String>,
    /// The page before.
    #[schema(example = "https://sms.example.com/sms/v1/report?user_id=1")]
    previous: Option<String>,
    results: Vec<Row>,
}

/// List a user's messages
///
/// As the old gateway had it, newest first. The key needs the scope `read` and belongs to the user,
/// or has the scope `admin`. Unknown parameters are ignored, and so are empty ones. With `receiver`
/// and without dates: of the last 31 days.
#[utoipa::path(
    get, path = "/sms/v1/report", tag = "legacy", operation_id = "legacyReport",
    params(Parameters),
    responses((status = 200, description = "A page.", body = Answer), ReadRefusals),
)]
pub(super) async fn report(
    caller: Result<Caller, Problem>,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<Answer>, Refusal> {
    let caller = authorised(caller, request.headers(), Scope::Read)?;
    let form = Form::of_query(request.uri().query().unwrap_or_default());
    let Asked { user_id, page, page_size, listed } =
        asked::asked(&form, &app.rules, app.old_times, unix_now())?;
    let user = on_behalf(&app, caller, user_id).await?;

    let filter = listed.filter(user.account);
    let (number, page) = read(&app, &filter, page, page_size).await?;
    let links = Links::of(&request);
    let answer = Answer {
        next: (number < pages(page.count, page_size)).then(|| links.to(number + 1)),
        previous: (number > 1).then(|| links.to(number - 1)),
        count: page.count,
        results: page.messages.iter().map(|message| Row::new(message, app.old_times)).collect(),
    };
    Ok(Json(answer))
}

/// A page that is there, with its number. The first one always is.
async fn read(app: &App, filter: &Filter, page: Page, size: u64) -> Result<(u64, Numbered), Refusal> {
    let at = async |number: u64| {
        let (offset, limit) =
            ((number - 1).saturating_mul(size), usize::try_from(size).unwrap_or(usize::MAX));
        let read = numbered(&app.reader, filter, offset, limit).await.map_err(Problem::from)?;
        Ok::<_, Refusal>((number, read))
    };
    let (number, read) = match page {
        Page::Number(number) => at(number).await?,
        // How many there are is known after the first look.
        Page::Last => at(pages(at(1).await?.1.count, size)).await?,
    };
    if number > pages(read.count, size) {
        return Err(invalid_page());
    }
    Ok((number, read))
}

fn pages(count: u64, size: u64) -> u64 {
    count.div_ceil(size).max(1)
}

fn invalid_page() -> Refusal {
    Refusal::detail(Code::NotFound, "Invalid page.")
}
