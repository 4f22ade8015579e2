//! What is true of every route: its refusals, its headers, its tokens.

use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, Content, ContentBuilder, Header, HeaderBuilder, Ref, RefOr, Required, Response,
        ResponseBuilder,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Schema, Type},
        security::{
            Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityRequirement,
            SecurityScheme,
        },
    },
};

use crate::permissions::routes::{Access, Rule};

pub(super) const DESCRIPTION: &str = "\
Collect, transcribe, review and release text and audio. Every change is an event; nothing is lost.

A client that writes and then reads with the same identity sees what it wrote. Every write takes an \
`Idempotency-Key`: a repeat gets the first answer, with `Idempotency-Replayed: true`. Lists take \
`limit` and `cursor`; where there is more, `Link` names the next page. Times are RFC 3339 in UTC.

Every refusal has the same envelope; `code` is stable, `message` is for people.";

/// Every refusal, from every layer.
#[derive(Serialize, ToSchema)]
#[schema(as = Error, example = json!({"error": {
    "type": "validation_error", "code": "VALIDATION_ERROR",
    "message": "The request has values that cannot be accepted.",
    "details": {"email": ["is not a valid e-mail address"]},
    "timestamp": "2026-01-15T10:30:00Z", "requestId": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11"}}))]
pub struct ErrorEnvelope {
    /// What was wrong.
    pub error: ErrorBody,
}

/// What was wrong.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// The family of the code.
    pub r#type: ErrorType,
    /// A stable word for the cause.
    #[schema(pattern = "^[A-Z][A-Z0-9_]*$")]
    pub code: String,
    /// For people.
    pub message: String,
    /// What is wrong with single fields.
    pub details: BTreeMap<String, Vec<String>>,
    /// When it was refused.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// The same as in `X-Request-Id`.
    pub request_id: String,
}

/// The families of codes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorType {
    /// 400, 413, 415, 416, 422.
    ValidationError,
    /// 401, 403.
    AuthError,
    /// 404, 405.
    NotFound,
    /// 409, 410, 412.
    Conflict,
    /// 429.
    RateLimited,
    /// 500, 503.
    ServerError,
}

/// Status, name and words of the refusals that routes share.
const REFUSALS: &[(&str, &str, &str)] = &[
    (
        "400",
        "Malformed",
        "The request cannot be read: its JSON, a parameter or a header.",
    ),
    (
        "401",
        "Unauthenticated",
        "`UNAUTHENTICATED`: no valid access token of a living session and an active account.",
    ),
    (
        "403",
        "Forbidden",
        "`FORBIDDEN`: the caller's role does not allow this.",
    ),
    (
        "404",
        "NotFound",
        "`NOT_FOUND`: not there, or not for the caller to know of.",
    ),
    (
        "409",
        "Conflict",
        "What is there does not go together with the request; `code` says why.",
    ),
    (
        "412",
        "VersionMismatch",
        "`VERSION_MISMATCH`: the item has another version than `If-Match` says.",
    ),
    (
        "413",
        "TooLarge",
        "`PAYLOAD_TOO_LARGE`: more bytes than the limit.",
    ),
    (
        "415",
        "UnsupportedType",
        "`UNSUPPORTED_CONTENT_TYPE` or `UNSUPPORTED_MEDIA_TYPE`: not a type that is taken here.",
    ),
    (
        "422",
        "Unacceptable",
        "Well-formed, but not acceptable; `details` says which fields. Also `IDEMPOTENCY_KEY_REUSED`.",
    ),
    (
        "429",
        "RateLimited",
        "`RATE_LIMITED`: too many requests; `Retry-After` says when to go on.",
    ),
    ("500", "Failed", "`INTERNAL_ERROR`: our fault."),
    (
        "503",
        "Unavailable",
        "`UNAVAILABLE`: not now; `Retry-After` says when to try again.",
    ),
];

/// Name and words of the headers of every answer.
const HEADERS: &[(&str, &str)] = &[
    (
        "X-Request-Id",
        "The caller's own id if it sent a sane one, else a new one.",
    ),
    (
        "X-RateLimit-Limit",
        "How many requests of this kind a minute takes.",
    ),
    ("X-RateLimit-Remaining", "How many are left."),
    (
        "X-RateLimit-Reset",
        "When the minute ends, in Unix seconds.",
    ),
];
const POSITION: (&str, &str) = (
    "X-Alta-Position",
    "The position in the event log that the answer speaks of.",
);
const REPLAYED: (&str, &str) = (
    "Idempotency-Replayed",
    "`true` when this is the first answer to the same request again.",
);
const KEY: &str = "IdempotencyKey";

/// The names that routes refer to.
pub(super) fn add_to(components: &mut Components) {
    let mut schemas = Vec::new();
    ErrorEnvelope::schemas(&mut schemas);
    schemas.push((ErrorEnvelope::name().into_owned(), ErrorEnvelope::schema()));
    components.schemas.extend(schemas);
    for (status, name, words) in REFUSALS {
        let refused = refusal(status, words);
        components
            .responses
            .insert((*name).to_owned(), RefOr::T(refused));
    }
    for (name, words) in HEADERS.iter().chain([&POSITION, &REPLAYED]) {
        let described = RefOr::T(header(words));
        components.headers.insert((*name).to_owned(), described);
    }
    components
        .parameters
        .insert(KEY.to_owned(), RefOr::T(idempotency_key()));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    let password = OAuth2::new([Flow::Password(Password::new(
        "/api/auth/token",
        Scopes::new(),
    ))]);
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    components.add_security_scheme("password", SecurityScheme::OAuth2(password));
}

fn header(words: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new()
        .schema(Some(text))
        .description(Some(words))
        .build()
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[\\x21-\\x7e]{1,255}$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Makes a repeat harmless: it gets the first answer. Kept for a day at least.",
        ))
        .schema(Some(Schema::from(text)))
        .build()
}

fn envelope() -> Content {
    ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ErrorEnvelope::name())))
        .build()
}

fn refusal(status: &str, words: &str) -> Response {
    let mut refused = ResponseBuilder::new()
        .description(words)
        .content("application/json", envelope())
        .build();
    dress(&mut refused, HEADERS.iter());
    if matches!(status, "429" | "503") {
        let seconds = RefOr::T(header("Seconds to wait."));
        refused.headers.insert("Retry-After".to_owned(), seconds);
    }
    refused
}

fn dress<'a>(response: &mut Response, headers: impl Iterator<Item = &'a (&'a str, &'a str)>) {
    for (name, _) in headers {
        let named = Ref::new(format!("#/components/headers/{name}"));
        response
            .headers
            .entry((*name).to_owned())
            .or_insert(RefOr::Ref(named));
    }
}

/// Adds to an operation what holds for all of its kind and is not said by its handler.
pub(super) fn complete(rule: &Rule, operation: &mut Operation) {
    let writes = rule.method != "GET";
    if rule.access.needs_token() {
        operation.security = Some(vec![
            SecurityRequirement::new("bearer", [] as [&str; 0]),
            SecurityRequirement::new("password", [] as [&str; 0]),
        ]);
    } else {
        operation.security = Some(vec![]);
    }
    if writes {
        let key = Ref::new(format!("#/components/parameters/{KEY}"));
        let parameters = operation.parameters.get_or_insert_default();
        parameters.push(RefOr::Ref(key));
    }
    for status in statuses(rule, operation) {
        let refused = REFUSALS.iter().find(|(of, ..)| *of == status);
        let name = refused.map(|(_, name, _)| *name).unwrap_or_default();
        let named = RefOr::Ref(Ref::from_response_name(name));
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_owned()).or_insert(named);
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            finish(rule, status, response, writes);
        }
    }
}

/// The refusals that any route of this kind may give.
fn statuses(rule: &Rule, operation: &Operation) -> Vec<&'static str> {
    let mut statuses = vec!["400", "429", "500", "503"];
    if rule.access.needs_token() {
        statuses.extend(["401", "403", "404"]);
    }
    if rule.method != "GET" {
        statuses.extend(["409", "422"]);
    }
    if operation.request_body.is_some() {
        statuses.extend(["413", "415"]);
    }
    if has_if_match(operation) {
        statuses.push("412");
    }
    statuses
}

fn has_if_match(operation: &Operation) -> bool {
    let parameters = operation.parameters.iter().flatten();
    parameters
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        })
        .any(|parameter| parameter.name == "If-Match")
}

fn finish(rule: &Rule, status: &str, response: &mut Response, writes: bool) {
    dress(response, HEADERS.iter());
    if status >= "400" {
        if response.content.is_empty() {
            response
                .content
                .insert("application/json".to_owned(), RefOr::T(envelope()));
        }
        return;
    }
    if !matches!(rule.access, Access::Anyone) {
        dress(response, [POSITION].iter());
    }
    if writes {
        dress(response, [REPLAYED].iter());
    }
}
