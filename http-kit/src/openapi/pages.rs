//! The document and two ways to read it, from the binary alone: no page loads anything from
//! elsewhere, and their content policy says so.

use std::sync::Arc;

use axum::{
    extract::Path,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{MethodRouter, get},
};
use bytes::Bytes;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use crate::{ApiError, Routes};

const REDOC: &str = include_str!("redoc.html");
const REDOC_SCRIPT: &[u8] = include_bytes!("../../assets/redoc/redoc.standalone.js");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; \
    frame-ancestors 'none'";
/// The pages are the binary's: they change with it.
const CACHED: &str = "public, max-age=3600";

/// `/openapi.json`.
pub(crate) fn json(document: &OpenApi) -> Routes {
    let text = Bytes::from(document.to_json().unwrap_or_default());
    let answer = move || {
        let text = text.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], text) }
    };
    Routes::new().page("/openapi.json", get(answer))
}

/// `/docs` (Swagger UI) and `/redoc` (`ReDoc`).
pub(crate) fn pages() -> Routes {
    let config = Arc::new(Config::from("/openapi.json").persist_authorization(true));
    let file = move |Path(path): Path<String>| {
        let config = config.clone();
        async move { swagger_file(&path, config) }
    };
    Routes::new()
        .page(
            "/docs",
            get(|| async { Redirect::permanent("/docs/index.html") }),
        )
        .page("/docs/{*file}", get(file))
        .page("/redoc", text("text/html; charset=utf-8", REDOC.as_bytes()))
        .page(
            "/redoc/redoc.standalone.js",
            text("text/javascript", REDOC_SCRIPT),
        )
}

fn text(content_type: &'static str, body: &'static [u8]) -> MethodRouter {
    get(move || async move { shown(content_type, Bytes::from_static(body)) })
}

fn swagger_file(path: &str, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(path, config) {
        Ok(Some(file)) => shown(&file.content_type, Bytes::from(file.bytes.into_owned())),
        Ok(None) => ApiError::not_found().into_response(),
        Err(error) => ApiError::internal(error.as_ref()).into_response(),
    }
}

fn shown(content_type: &str, body: Bytes) -> Response {
    let mut response = (StatusCode::OK, body).into_response();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, content_type);
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::CACHE_CONTROL, CACHED);
    response
}
