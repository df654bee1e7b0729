//! The description and the pages that show it.

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
    for (page, files) in [
        (
            "/api/docs/",
            vec![
                "swagger-ui-bundle.js",
                "swagger-ui-standalone-preset.js",
                "swagger-initializer.js",
                "swagger-ui.css",
            ],
        ),
        ("/api/redoc/", vec!["redoc.standalone.js"]),
    ] {
        let html = open(&gateway, page).await;
        assert_eq!(html.status, 200);
        assert!(html.headers["content-type"].to_str().unwrap().starts_with("text/html"));
        let policy = html.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
        assert!(!html.text.contains("http:") && !html.text.contains("https:"), "{}", html.text);
        assert!(!html.text.contains("src=\"//") && !html.text.contains("href=\"//"));
        for file in files {
            let answer = open(&gateway, &format!("{page}{file}")).await;
            assert_eq!(answer.status, 200, "{file}");
            assert!(!answer.text.is_empty());
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
