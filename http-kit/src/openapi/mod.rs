//! The OpenAPI document: what the handlers say of themselves, and what is true of every route
//! (refusals, headers, who may) added to each. Tells clients; decides nothing.

mod common;
pub(crate) mod pages;

use std::collections::BTreeSet;

use utoipa::openapi::{
    ComponentsBuilder, Info, License, OpenApiBuilder, PathItem, Paths, RefOr, Server,
    path::Operation, schema::Schema, tag::TagBuilder,
};

use crate::{
    health,
    permissions::routes::Rule,
    routes::{Described, Routes},
};

pub use common::{ErrorBody, ErrorEnvelope};
pub use utoipa::openapi::OpenApi;

/// What the document is divided into, in order.
const TAGS: &[(&str, &str)] = &[
    ("accounts", "Accounts, sessions and passwords"),
    ("users", "Accounts as administrators see them"),
    ("projects", "Projects, members and invitations"),
    ("documents", "PDF files and images"),
    ("voice", "Recordings"),
    ("raw-text", "Texts that were typed or pasted"),
    ("submissions", "Items of every kind, drafts and handing in"),
    ("processing", "Recognising and transcribing"),
    ("review", "The queue, claims and decisions"),
    ("analytics", "Figures"),
    ("operations", "Health, projections and dead letters"),
];

/// The document of these APIs together, under the base path `/api`.
pub fn document<S: Clone + Send + Sync + 'static, T: Clone + Send + Sync + 'static>(
    one: &Routes<S>,
    other: &Routes<T>,
) -> OpenApi {
    let health = health::routes();
    let sides = [one.described(), other.described(), health.described()];
    let (mut paths, mut schemas) = (Paths::new(), Vec::new());
    let mut taken = BTreeSet::new();
    for (routes, named) in sides {
        schemas.extend(named.iter().cloned());
        for route in routes {
            add(&mut paths, route, &mut taken);
        }
    }
    OpenApiBuilder::new()
        .info(info())
        .servers(Some([Server::new("/api"), Server::new("/api/v1")]))
        .tags(Some(TAGS.iter().map(|(name, words)| {
            TagBuilder::new()
                .name(*name)
                .description(Some(*words))
                .build()
        })))
        .components(Some(components(schemas)))
        .paths(paths)
        .build()
}

fn info() -> Info {
    let mut info = Info::new("Alta Data", env!("CARGO_PKG_VERSION"));
    info.description = Some(common::DESCRIPTION.to_owned());
    info.license = Some(License::new("Apache-2.0"));
    info
}

fn components(schemas: Vec<(String, RefOr<Schema>)>) -> utoipa::openapi::Components {
    let mut components = ComponentsBuilder::new().schemas_from_iter(schemas).build();
    common::add_to(&mut components);
    components
}

/// A route, with what holds for all of its kind.
fn add(paths: &mut Paths, route: &Described, taken: &mut BTreeSet<String>) {
    let Described { rule, operation } = route;
    let mut operation = operation.clone();
    common::complete(rule, &mut operation);
    name(rule, &mut operation, taken);
    let item = paths.paths.entry(rule.path.to_owned()).or_default();
    *place(item, rule.method) = Some(operation);
}

/// A name of its own for every operation, also where one handler has several routes.
fn name(rule: &Rule, operation: &mut Operation, taken: &mut BTreeSet<String>) {
    let given = operation.operation_id.take().unwrap_or_default();
    let id = if taken.contains(&given) || given == "handle" || given.is_empty() {
        let words = rule.path.replace(['{', '}'], "").replace(['/', '-'], "_");
        format!("{}{words}", rule.method.to_lowercase())
    } else {
        given
    };
    taken.insert(id.clone());
    operation.operation_id = Some(id);
}

fn place<'a>(item: &'a mut PathItem, method: &str) -> &'a mut Option<Operation> {
    match method {
        "POST" => &mut item.post,
        "PUT" => &mut item.put,
        "PATCH" => &mut item.patch,
        "DELETE" => &mut item.delete,
        _ => &mut item.get,
    }
}

#[cfg(test)]
mod tests;
