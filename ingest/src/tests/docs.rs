//! The description and the pages that show it.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use super::gateway::{Answer, Gateway};

async fn open(gateway: &Gateway, path: &str) -> Answer {
    gateway.ask(Request::get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_description_is_the_contract() {
    let gateway = Gateway::without_topics().await;
    let mut description = open(&gateway, "/api/schema/").await.body;
    description["info"]["version"] = "[version]".into();
    insta::assert_json_snapshot!(description);

    // What it says of bodies is what is read: its examples, with every field, are taken.
    let schemas = &description["components"]["schemas"];
    let example = |name: &str| -> Value {
        let properties = schemas[name]["properties"].as_object().unwrap().iter();
        properties.map(|(field, schema)| (field.clone(), example_of(schemas, schema))).collect()
    };
    let preview = gateway.post_json("/v1/messages/preview", &example("MessageRequest")).await;
    assert_eq!(preview.status, 200, "{}", preview.text);
    for name in ["BulkOneText", "BulkMessages"] {
        let mut body = example(name);
        body["from"] = "3000 ".into(); // the only fault
        let answer = gateway.post_json("/v1/messages/bulk", &body).await;
        let faults: Vec<&Value> =
            answer.body["errors"].as_array().unwrap().iter().map(|e| &e["code"]).collect();
        assert_eq!(faults, ["from_not_allowed"], "{}", answer.text);
    }
    gateway.close().await;
}

/// The example of a schema, or one made of its parts.
fn example_of(schemas: &Value, schema: &Value) -> Value {
    if !schema["example"].is_null() {
        return schema["example"].clone();
    }
    if let Some(name) = schema["$ref"].as_str().or(schema["oneOf"][0]["$ref"].as_str()) {
        let target = &schemas[name.rsplit('/').next().unwrap()];
        if let Some(words) = target["enum"].as_array() {
            return words[0].clone();
        }
        let properties = target["properties"].as_object().unwrap().iter();
        return properties.map(|(field, schema)| (field.clone(), example_of(schemas, schema))).collect();
    }
    assert_eq!(schema["type"], "array", "no example: {schema}");
    Value::from(vec![example_of(schemas, &schema["items"])])
}

/// Pages load from here, or from nowhere: nothing that a browser fetches by itself names a host.
#[tokio::test]
async fn the_pages_need_no_outside_host() {
    let gateway = Gateway::without_topics().await;
    for (page, scripts) in [
        (
            "/api/docs/",
            &["swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "swagger-initializer.js"][..],
        ),
        ("/api/redoc/", &["redoc.standalone.js"]),
    ] {
        let html = open(&gateway, page).await;
        assert_eq!(html.status, 200);
        assert!(html.headers["content-type"].to_str().unwrap().starts_with("text/html"));
        assert_eq!(values(&html.text, "<script src=\""), scripts);
        for file in loaded(&html.text) {
            assert!(!file.contains(':') && !file.starts_with('/'), "{page} loads {file}");
            let answer = open(&gateway, &format!("{page}{file}")).await;
            assert_eq!(answer.status, 200, "{file}");
            assert!(!answer.text.is_empty(), "{file}");
            for outside in
                ["fonts.googleapis", "fonts.gstatic", "cdn.", "petstore", "url(http", "url(\"http", "@import"]
            {
                assert!(!answer.text.contains(outside), "{file} names {outside}");
            }
        }
    }
    let settings = open(&gateway, "/api/docs/swagger-initializer.js").await.text;
    assert!(
        settings.contains("/api/schema/") && settings.contains(r#""validatorUrl": "none""#),
        "{settings}"
    );
    for path in ["/api/docs", "/api/redoc", "/api/schema"] {
        let answer = open(&gateway, path).await;
        assert!(answer.status.is_redirection());
        assert_eq!(answer.headers["location"], format!("{path}/"));
    }
    gateway.close().await;
}

/// The policy lets the pages do what they do, and nothing else: they were seen to work under it
/// in a browser, and a newer bundle that does more, or a page with a script inside, is found here.
#[tokio::test]
async fn the_policy_fits_the_pages() {
    let gateway = Gateway::without_topics().await;
    for page in ["/api/docs/", "/api/redoc/"] {
        let html = open(&gateway, page).await;
        let policy = Policy::of(&html);
        for (directive, sources) in &policy.0 {
            for source in sources {
                let inline = source == "'unsafe-inline'" && directive == "style-src";
                let here = ["'none'", "'self'", "data:", "blob:"].contains(&source.as_str());
                assert!(here || inline, "{directive} allows {source}");
            }
        }
        for (directive, sources) in [
            ("default-src", &["'none'"][..]),
            // Neither scripts inside a page, nor text that is run.
            ("script-src", &["'self'"]),
            // The description, and the calls of "Try it out".
            ("connect-src", &["'self'"]),
            ("form-action", &["'none'"]),
            ("frame-ancestors", &["'none'"]),
            ("base-uri", &["'none'"]),
        ] {
            assert_eq!(policy.0[directive], sources, "{page}: {directive}");
        }

        assert_eq!(html.text.matches("<script").count(), html.text.matches("<script src=").count(), "{page}");
        let handler = |rest: &str| rest.trim_start_matches(char::is_alphabetic).starts_with('=');
        assert!(!html.text.split(" on").skip(1).any(handler), "{}", html.text);
        assert!(!html.text.contains("javascript:"), "{}", html.text);
        // Both bundles write styles.
        assert!(policy.allows("style-src", "'unsafe-inline'"));
        let mut all = html.text.clone();
        for file in loaded(&html.text) {
            let answer = open(&gateway, &format!("{page}{file}")).await;
            assert_eq!(answer.headers["content-security-policy"], html.headers["content-security-policy"]);
            assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{file}");
            all.push_str(&answer.text);
        }
        if all.contains("data:image") || all.contains("href=\"data:") {
            assert!(policy.allows("img-src", "data:"), "{page}");
        }
        if all.contains("new Worker(") {
            assert!(policy.allows("worker-src", "blob:"), "{page}");
        }
    }
    gateway.close().await;
}

/// What a Content-Security-Policy allows.
struct Policy(BTreeMap<String, Vec<String>>);

impl Policy {
    fn of(answer: &Answer) -> Self {
        let text = answer.headers["content-security-policy"].to_str().unwrap();
        let directives = text.split(';').map(|directive| {
            let mut words = directive.split_whitespace().map(str::to_owned);
            (words.next().unwrap(), words.collect())
        });
        Policy(directives.collect())
    }

    fn allows(&self, directive: &str, source: &str) -> bool {
        self.0[directive].iter().any(|allowed| allowed == source)
    }
}

/// The files that a page loads, as it names them.
fn loaded(html: &str) -> Vec<&str> {
    let named = values(html, "src=\"").into_iter().chain(values(html, "href=\""));
    let files: Vec<&str> = named.filter(|name| !name.starts_with("data:")).collect();
    assert!(!files.is_empty(), "{html}");
    files
}

/// The values of an attribute, without `./` in front.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let values = html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
    values.map(|value| value.trim_start_matches("./")).collect()
}
