//! The OpenAPI document: that it is complete, that it and the permission table name the same
//! routes, and that it is the one in `docs/openapi.json`.

use std::collections::{BTreeMap, BTreeSet};

use http_kit::{openapi::document, permissions::routes::RULES};
use serde_json::Value;

/// What is a page and no part of the API.
const PAGES: &[&str] = &["/metrics", "/openapi.json", "/docs", "/redoc"];
const METHODS: &[&str] = &["get", "post", "put", "patch", "delete"];

fn written() -> Value {
    let document = document(&command_api::routes(), &query_api::routes());
    serde_json::to_value(document).expect("JSON")
}

fn operations(document: &Value) -> BTreeMap<(String, String), Value> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, item): (&String, &Value)| {
        let (path, item) = (path.clone(), item.clone());
        METHODS.iter().filter_map(move |method| {
            let operation = item.get(method)?.clone();
            Some(((method.to_uppercase(), path.clone()), operation))
        })
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn the_document_and_the_permission_table_name_the_same_routes() {
    let described: BTreeSet<_> = operations(&written()).into_keys().collect();
    let is_page = |path: &str| PAGES.iter().any(|page| path.starts_with(page));
    let ruled: BTreeSet<_> = RULES
        .iter()
        .filter(|rule| !is_page(rule.path))
        .map(|rule| (rule.method.to_owned(), rule.path.to_owned()))
        .collect();
    let only_ruled: Vec<_> = ruled.difference(&described).collect();
    let only_described: Vec<_> = described.difference(&ruled).collect();
    assert!(only_ruled.is_empty(), "no such routes: {only_ruled:?}");
    assert!(
        only_described.is_empty(),
        "not in the table: {only_described:?}"
    );
}

#[test]
fn every_operation_says_what_it_does_takes_and_answers() {
    let document = written();
    let mut ids = BTreeSet::new();
    for ((method, path), operation) in operations(&document) {
        let at = format!("{method} {path}");
        let id = operation["operationId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(
            ids.insert(id.clone()),
            "{at}: two operations are called {id}"
        );
        assert!(operation["summary"].is_string(), "{at} has no summary");
        assert!(operation["tags"][0].is_string(), "{at} has no tag");
        takes_its_variables(&at, &path, &operation);
        answers(&at, &operation);
    }
    assert!(ids.len() > 60, "{} operations", ids.len());
}

fn takes_its_variables(at: &str, path: &str, operation: &Value) {
    let variables = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let none = Vec::new();
    let parameters = operation["parameters"].as_array().unwrap_or(&none);
    for variable in variables {
        let named = |parameter: &&Value| parameter["in"] == "path" && parameter["name"] == variable;
        assert!(
            parameters.iter().any(|p| named(&p)),
            "{at} does not describe {variable}"
        );
    }
}

fn answers(at: &str, operation: &Value) {
    let responses = operation["responses"].as_object().expect("responses");
    let mut successes = 0;
    for (status, response) in responses {
        if status.as_str() < "400" {
            successes += 1;
        }
        if matches!(status.as_str(), "204" | "304" | "307") || response["$ref"].is_string() {
            continue;
        }
        let contents = response["content"].as_object();
        let contents = contents.unwrap_or_else(|| panic!("{at}: {status} has no content"));
        for (of, content) in contents {
            assert!(
                content["schema"].is_object(),
                "{at}: {status} {of} has no schema"
            );
        }
    }
    assert!(successes > 0, "{at} never succeeds");
}

#[test]
fn every_reference_leads_somewhere() {
    let document = written();
    let mut stack = vec![&document];
    let mut seen = 0;
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(to)) = fields.get("$ref") {
                    let pointer = to.strip_prefix('#').expect("a reference in the document");
                    assert!(document.pointer(pointer).is_some(), "{to} leads nowhere");
                    seen += 1;
                }
                stack.extend(fields.values());
            }
            Value::Array(values) => stack.extend(values),
            _ => {}
        }
    }
    assert!(seen > 100, "{seen} references");
}

/// `UPDATE_SNAPSHOTS=1` writes it anew.
#[test]
fn the_document_is_the_published_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let mut text = serde_json::to_string_pretty(&written()).expect("JSON");
    text.push('\n');
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, &text).expect("docs/openapi.json can be written");
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    let differs = published
        .lines()
        .zip(text.lines())
        .enumerate()
        .find(|(_, (a, b))| a != b);
    assert!(
        published == text,
        "docs/openapi.json is not what the handlers say (`make openapi` writes it anew); {differs:?}"
    );
}
