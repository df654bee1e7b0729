//! A campaign, before it has rows.

use domain::lane::Lane;
use domain::template::Template;
use platform::http::problem::{Code, FieldCode, Problem};

use super::{Context, note};
use crate::request::campaign::{OnError, read};
use crate::request::{Errors, Path};
use crate::rules::{Fault, Rules};

/// Characters of a name.
const NAME_CHARACTERS_MAX: usize = 200;
/// Places of a text with different names.
const PLACES_MAX: usize = 64;

/// A campaign that may be made.
pub(crate) struct CampaignToMake {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) line: String,
    pub(crate) ttl_seconds: u32,
    pub(crate) stops_at_faults: bool,
}

/// Reads and checks the body.
pub(crate) fn campaign(body: &[u8], context: Context<'_>) -> Result<CampaignToMake, Problem> {
    let limits = &context.rules.limits;
    let mut errors = Errors::default();
    let read = read(body, limits.ttl_seconds_min..=limits.ttl_seconds_max, &mut errors)?;

    let at = |name| Path::Field(&Path::Root, name);
    let name = read.name.required(&at("name"), &mut errors);
    let name = name.and_then(|name| note(name_of(&name), "name", &mut errors));
    let text = read.text.required(&at("text"), &mut errors);
    if let Some(text) = &text {
        note(template(text, context.rules), "text", &mut errors);
    }
    let line = context.rules.line(read.from.optional().as_deref(), &context.caller.lines);
    let line = note(line, "from", &mut errors);
    let ttl_seconds = read.ttl_seconds.optional().unwrap_or(limits.ttl_seconds_default.of(Lane::Bulk));
    let stops_at_faults = read.on_error.optional().unwrap_or_default() == OnError::Stop;
    errors.into_result()?;

    let checked = name.zip(text).zip(line);
    // Whatever is missing has been noted.
    let ((name, text), line) = checked.ok_or_else(|| Problem::new(Code::InternalError))?;
    Ok(CampaignToMake { name, text: text.into_owned(), line, ttl_seconds, stops_at_faults })
}

fn name_of(name: &str) -> Result<String, Fault> {
    let fault = |detail: String| Err(Fault { code: FieldCode::OutOfRange, detail: detail.into() });
    if name.trim().is_empty() || name.chars().nth(NAME_CHARACTERS_MAX).is_some() {
        return fault(format!("expected 1 to {NAME_CHARACTERS_MAX} characters"));
    }
    if name.chars().any(char::is_control) {
        return fault("expected no control characters".to_owned());
    }
    Ok(name.to_owned())
}

/// A text with places. What stands between them must be a text that could be sent (where there
/// are places it may be white space alone: a row's text is checked when it is known).
fn template(text: &str, rules: &Rules) -> Result<(), Fault> {
    let fault = |code, detail: String| Fault { code, detail: detail.into() };
    let template = Template::parse(text).map_err(|error| match error {
        domain::template::TemplateError::Empty => fault(FieldCode::TextEmpty, error.to_string()),
        _ => fault(FieldCode::OutOfRange, error.to_string()),
    })?;
    if template.names().len() > PLACES_MAX {
        return Err(fault(
            FieldCode::TooMany,
            format!("expected at most {PLACES_MAX} different placeholders"),
        ));
    }
    if template.names().iter().any(|name| name.chars().any(char::is_control)) {
        return Err(fault(FieldCode::OutOfRange, "a placeholder's name has a control character".to_owned()));
    }
    match rules.text(&template.literal()) {
        Err(empty) if empty.code == FieldCode::TextEmpty && !template.names().is_empty() => Ok(()),
        checked => checked.map(|_| ()),
    }
}
