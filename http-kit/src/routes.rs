//! The only way to give an API a route: with its documentation, and under a rule of the permission
//! table. A plain [`Router`] can neither be listed nor be asked what it takes, so [`crate::edge()`]
//! takes none.

use axum::{Extension, Router, routing::MethodRouter};
use utoipa::openapi::{
    HttpMethod, RefOr,
    path::{Operation, Paths},
    schema::Schema,
};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::permissions::routes::{Access, Rule, rule};

/// The routes of an API, each with its rule and its description.
#[derive(Clone)]
pub struct Routes<S = ()> {
    router: Router<S>,
    described: Vec<Described>,
    schemas: Vec<(String, RefOr<Schema>)>,
}

/// One route as clients are told of it.
#[derive(Clone)]
pub struct Described {
    /// Method, path and whom it is for.
    pub rule: &'static Rule,
    /// What it takes and answers, as its handler says.
    pub operation: Operation,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None.
    pub fn new() -> Self {
        Self {
            router: Router::new(),
            described: Vec::new(),
            schemas: Vec::new(),
        }
    }

    /// One more: `routes!(module::handler)`, the handler being annotated with `#[utoipa::path]`.
    ///
    /// # Panics
    /// When the permission table does not name it, or when several handlers come at once: a rule
    /// is one handler's.
    #[must_use]
    pub fn route(self, route: UtoipaMethodRouter<S>) -> Self {
        let path = path_of(&route.1);
        self.route_at(&path, route)
    }

    /// The same under another path than the annotation's.
    ///
    /// # Panics
    /// As [`Routes::route`].
    #[must_use]
    pub fn route_at(
        mut self,
        path: &str,
        (schemas, paths, handler): UtoipaMethodRouter<S>,
    ) -> Self {
        let operations = operations(paths);
        let mut access = None;
        for (method, operation) in operations {
            let rule = rule(method, path)
                .unwrap_or_else(|| panic!("the permission table does not name {method} {path}"));
            assert!(
                access
                    .replace(rule.access)
                    .is_none_or(|other| other == rule.access),
                "{path}: the methods of one handler must be for the same people"
            );
            self.described.push(Described { rule, operation });
        }
        self.schemas.extend(schemas);
        let access = access.unwrap_or_else(|| panic!("{path} has no method"));
        self.router = self.router.route(path, under(handler, access));
        self
    }

    /// These and those.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.described.extend(other.described);
        self.schemas.extend(other.schemas);
        self
    }

    /// The same with what the handlers stand on.
    #[must_use]
    pub fn with_state(self, state: S) -> Routes {
        Routes {
            router: self.router.with_state(state),
            described: self.described,
            schemas: self.schemas,
        }
    }

    /// The same with something around every handler.
    #[must_use]
    pub fn layered(mut self, put_around: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        self.router = put_around(self.router);
        self
    }

    /// What clients are told.
    pub fn described(&self) -> (&[Described], &[(String, RefOr<Schema>)]) {
        (&self.described, &self.schemas)
    }

    /// A page for people: named by the table, but no part of the API's description.
    ///
    /// # Panics
    /// When the permission table does not name it.
    #[must_use]
    pub fn page(mut self, path: &str, page: MethodRouter<S>) -> Self {
        let rule = rule("GET", path)
            .unwrap_or_else(|| panic!("the permission table does not name {path}"));
        self.router = self.router.route(path, under(page, rule.access));
        self
    }

    /// Routes that no table names, for the edge's own tests.
    #[cfg(test)]
    pub(crate) fn unlisted(mut self, router: Router<S>) -> Self {
        self.router = self.router.merge(router);
        self
    }

    pub(crate) fn into_router(self) -> Router<S> {
        self.router
    }
}

/// The handler, which finds its rule in the request.
fn under<S: Clone + Send + Sync + 'static>(
    handler: MethodRouter<S>,
    access: Access,
) -> MethodRouter<S> {
    handler.layer(Extension(access))
}

fn path_of(paths: &Paths) -> String {
    let mut all = paths.paths.keys();
    match (all.next(), all.next()) {
        (Some(path), None) => path.clone(),
        _ => panic!("one handler at a time: its rule is its own"),
    }
}

/// The operations of the one path there is, by method.
fn operations(paths: Paths) -> Vec<(&'static str, Operation)> {
    let methods = [
        ("GET", HttpMethod::Get),
        ("POST", HttpMethod::Post),
        ("PUT", HttpMethod::Put),
        ("PATCH", HttpMethod::Patch),
        ("DELETE", HttpMethod::Delete),
    ];
    let items = paths.paths.into_values();
    items
        .flat_map(|item| {
            let by_method = [item.get, item.post, item.put, item.patch, item.delete];
            let named = methods.iter().map(|(word, _)| *word);
            named
                .zip(by_method)
                .filter_map(|(word, operation)| Some((word, operation?)))
                .collect::<Vec<_>>()
        })
        .collect()
}
