//! A well-formed request for each route of the permission table.

use anyhow::Result;
use e2e::{Answer, Client};
use http_kit::permissions::routes::Rule;
use reqwest::Method;
use serde_json::{Value, json};

use super::scene::{Target, page, silence};

/// What a request names, besides what stands in its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Nothing more than it must.
    Plainly,
    OfProject,
    OfForeignProject,
    OfOneself,
    OfAnother,
}

const NOBODY: &str = "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11";

/// Sends it.
pub async fn call(client: &Client, rule: &Rule, target: &Target, asked: Asked) -> Result<Answer> {
    let project = match asked {
        Asked::OfForeignProject => &target.foreign_project,
        _ => &target.project,
    };
    let path = path_of(client, rule, target, asked, project);
    match rule.path {
        "/documents" if rule.method == "POST" => client.upload(&path, page("new")?).await,
        "/voice" if rule.method == "POST" => client.upload(&path, silence("new")).await,
        _ => {
            let method = Method::from_bytes(rule.method.as_bytes())?;
            let request = client.request(method, &path);
            let request = match body_of(rule, project) {
                Some(body) => request.json(&body),
                None => request,
            };
            client.send(request).await
        }
    }
}

fn path_of(client: &Client, rule: &Rule, target: &Target, asked: Asked, project: &str) -> String {
    let oneself = target.oneself.get(client.token());
    let id = match rule.path {
        path if path.starts_with("/projects") => project,
        path if path.contains("/users") => &target.account,
        path if path.starts_with("/ops") => NOBODY,
        path if path.starts_with("/analytics/user") => match (asked, oneself) {
            (Asked::OfOneself, Some(own)) => own,
            _ => &target.outsider,
        },
        _ => &target.item,
    }
    .to_owned();
    let path = rule
        .path
        .replace("{id}", &id)
        .replace("{user_id}", &target.colleague)
        .replace("{invitation_id}", &target.invitation)
        .replace("{causation_id}", NOBODY)
        .replace("{item_id}", &id)
        .replace("{number}", "1")
        .replace("{token}", "a-token");
    match query_of(rule, target, asked, project) {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }
}

fn query_of(rule: &Rule, target: &Target, asked: Asked, project: &str) -> Option<String> {
    let item = &target.item;
    let named = matches!(asked, Asked::OfProject | Asked::OfForeignProject);
    Some(match (rule.method, rule.path) {
        ("POST", "/documents") => format!("project_id={project}&is_raw=true"),
        ("POST", "/voice" | "/review/claim-next") => format!("project_id={project}"),
        ("POST", "/processing/ocr") => format!("document_id={item}"),
        ("POST", "/processing/transcribe") => format!("voice_sample_id={item}"),
        ("GET", "/auth/verify-email") => "token=a-token".to_owned(),
        ("GET", "/projects/{id}/access") => format!("user_id={}", target.colleague),
        ("GET", _) if named => format!("project_id={project}"),
        _ => return None,
    })
}

fn body_of(rule: &Rule, project: &str) -> Option<Value> {
    let account = json!({ "email": "somebody@example.org", "password": e2e::PASSWORD });
    Some(match (rule.method, rule.path) {
        ("POST", "/auth/login" | "/auth/register") => account,
        ("POST", "/auth/token") => {
            json!({ "username": "somebody@example.org", "password": e2e::PASSWORD })
        }
        ("POST", "/auth/resend-verification" | "/auth/forgot-password") => {
            json!({ "email": "somebody@example.org" })
        }
        ("POST", "/auth/refresh" | "/auth/logout") => json!({ "refresh_token": "a-token" }),
        ("POST", "/auth/reset-password") => {
            json!({ "token": "a-token", "new_password": "another horse battery 8" })
        }
        ("POST", "/auth/change-password") => {
            json!({ "current_password": "not mine 12345", "new_password": "another horse battery 8" })
        }
        ("POST", "/admin/users" | "/users") => {
            json!({ "email": "not-an-address", "password": e2e::PASSWORD })
        }
        ("POST", "/ops/suppressed-addresses/lift") => json!({ "email": "somebody@example.org" }),
        ("POST", "/auth/me/erase") => json!({ "password": "not mine 12345" }),
        ("PUT", "/admin/users/{id}" | "/users/{id}") => json!({ "name": "Somebody else" }),
        ("POST", "/projects") => json!({ "name": "Mine" }),
        ("PUT", "/projects/{id}") => json!({ "description": "Changed" }),
        ("POST", "/projects/{id}/invite") => {
            json!({ "email": "next@example.org", "role": "contributor" })
        }
        ("PUT", "/projects/{id}/members/{user_id}") => json!({ "role": "reviewer" }),
        ("POST", "/raw-text") => {
            json!({ "project_id": project, "title": "A text", "content": "Some words." })
        }
        ("PUT" | "PATCH", "/raw-text/{id}") => json!({ "title": "Another title" }),
        ("PUT" | "PATCH", "/documents/{id}" | "/voice/{id}") => json!({ "language": "en" }),
        ("POST", "/submit") => json!({ "raw_text_ids": [NOBODY] }),
        ("POST", "/processing/batch-ocr") => json!({ "document_ids": [NOBODY] }),
        ("POST", "/processing/batch-transcribe") => json!({ "voice_sample_ids": [NOBODY] }),
        ("PATCH", "/review/{id}") => json!({ "decision": "approve" }),
        ("POST", "/review/batch") => json!({ "items": [
            { "id": NOBODY, "item_type": "raw_text", "decision": "approve" }] }),
        ("POST", "/review/{id}/comments") => json!({ "text": "A word." }),
        _ => return None,
    })
}
