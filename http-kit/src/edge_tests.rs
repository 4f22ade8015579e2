//! The edge as a client sees it.

use super::*;
use crate::{Json, Path, Query};
use axum::{
    body::Body,
    http::{Method, Request, header},
    routing::{get, post},
};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tower::ServiceExt;
use uuid::Uuid;

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Counted {
    count: u32,
}

async fn panics() -> ApiError {
    panic!("a secret")
}

fn service() -> Router {
    let api = Router::new()
        .route(
            "/echo",
            post(|Json(named): Json<Named>| async move { named.name }),
        )
        .route(
            "/things/{id}",
            get(|Path(id): Path<Uuid>| async move { id.to_string() }),
        )
        .route(
            "/count",
            get(|Query(query): Query<Counted>| async move { query.count.to_string() }),
        )
        .route("/panic", get(panics));
    edge(Routes::new().unlisted(api), settings())
}

fn settings() -> EdgeSettings {
    let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
    EdgeSettings {
        health: Health::new(clock.clone()).service("database", || async { false }),
        clock,
        ids: Ids::system(),
        cors_origins: vec!["https://app.example".to_owned()],
        trusted_proxies: vec![],
        strict_transport_security: true,
        deprecation: None,
        rate_limits: None,
        json_body_bytes: 64,
        root: Routes::new(),
        document: None,
        starting: false,
    }
}

async fn send(request: Request<Body>) -> (Response, Value) {
    let mut response = service().oneshot(request).await.expect("infallible");
    let body = std::mem::take(response.body_mut());
    let bytes = axum::body::to_bytes(body, 1 << 20)
        .await
        .expect("a whole body");
    let json = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    (response, json)
}

fn request(method: Method, uri: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(uri)
        .body(Body::empty())
        .expect("a request")
}

fn echo(content_type: &str, body: &str) -> Request<Body> {
    Request::post("/api/echo")
        .header(header::CONTENT_TYPE, content_type)
        .body(Body::from(body.to_owned()))
        .expect("a request")
}

async fn refusal(request: Request<Body>) -> (u16, String) {
    let (response, body) = send(request).await;
    let error = &body["error"];
    assert_eq!(error["timestamp"], "1970-01-01T00:00:00Z", "{body}");
    assert_eq!(
        error["requestId"],
        response.headers()["x-request-id"].to_str().expect("text")
    );
    assert!(error["details"].is_object() && error["message"].is_string());
    (
        response.status().as_u16(),
        error["code"].as_str().expect("a code").to_owned(),
    )
}

#[tokio::test]
async fn every_layer_refuses_in_the_same_envelope() {
    let refused = [
        (request(Method::GET, "/nowhere"), 404, "NOT_FOUND"),
        (request(Method::GET, "/api/nowhere"), 404, "NOT_FOUND"),
        (
            request(Method::DELETE, "/api/v1/echo"),
            405,
            "METHOD_NOT_ALLOWED",
        ),
        (
            request(Method::GET, "/api/things/no-uuid"),
            404,
            "NOT_FOUND",
        ),
        (
            request(Method::GET, "/api/count?count=x"),
            400,
            "INVALID_PARAMETER",
        ),
        (
            request(Method::GET, "/api/count?count=1%00"),
            400,
            "INVALID_PARAMETER",
        ),
        (request(Method::GET, "/api/panic"), 500, "INTERNAL_ERROR"),
        (echo("application/json", "{"), 400, "MALFORMED_REQUEST"),
        (
            echo("application/json", "{\"name\":1}"),
            422,
            "VALIDATION_ERROR",
        ),
        (
            echo("text/plain", "{\"name\":\"a\"}"),
            415,
            "UNSUPPORTED_CONTENT_TYPE",
        ),
        (
            echo("application/json", &" ".repeat(65)),
            413,
            "PAYLOAD_TOO_LARGE",
        ),
    ];
    for (request, status, code) in refused {
        let what = format!("{} {}", request.method(), request.uri());
        assert_eq!(refusal(request).await, (status, code.to_owned()), "{what}");
    }
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let (response, _) = send(request(Method::DELETE, "/api/echo")).await;
    assert_eq!(response.headers()[header::ALLOW], "POST");
}

#[tokio::test]
async fn both_base_paths_lead_to_the_same_routes() {
    for base in ["/api", "/api/v1"] {
        let id = Uuid::from_u128(7);
        let (response, body) = send(request(Method::GET, &format!("{base}/things/{id}"))).await;
        assert_eq!(
            (response.status().as_u16(), body),
            (200, json!(id.to_string()))
        );
    }
}

#[tokio::test]
async fn health_is_told_everywhere() {
    for path in ["/health", "/api/health", "/api/v1/health"] {
        let (response, body) = send(request(Method::GET, path)).await;
        assert_eq!(response.status(), 200);
        let expected = json!({
            "status": "degraded",
            "timestamp": "1970-01-01T00:00:00Z",
            "services": {"database": "unhealthy"},
        });
        assert_eq!(body, expected);
    }
    let (_, live) = send(request(Method::GET, "/health/live")).await;
    assert_eq!(live["status"], "alive");
    let (_, ready) = send(request(Method::GET, "/health/ready")).await;
    assert_eq!(ready["status"], "ready");
}

#[tokio::test]
async fn every_response_has_the_security_headers_and_the_callers_id() {
    for path in ["/health", "/nowhere", "/api/panic"] {
        let mut request = request(Method::GET, path);
        request
            .headers_mut()
            .insert("x-request-id", "mine-1".parse().expect("a header"));
        let (response, _) = send(request).await;
        let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(header("x-request-id"), "mine-1");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        assert!(header("content-security-policy").contains("default-src 'none'"));
        assert!(header("strict-transport-security").contains("max-age"));
    }
}

#[tokio::test]
async fn only_configured_origins_may_call_from_a_browser() {
    let preflight = |origin: &str| {
        Request::options("/api/echo")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .body(Body::empty())
            .expect("a request")
    };
    let (response, _) = send(preflight("https://app.example")).await;
    assert_eq!(
        response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN],
        "https://app.example"
    );
    let (response, _) = send(preflight("https://evil.example")).await;
    assert!(
        !response
            .headers()
            .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
    );
}

#[tokio::test]
async fn the_rest_of_a_refused_body_is_read_away() {
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&sent);
    let chunks = futures::stream::iter(0..100).map(move |_| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b' '; 1000]))
    });
    let request = Request::post("/api/echo")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from_stream(chunks))
        .expect("a request");
    assert_eq!(refusal(request).await.0, 413);
    assert_eq!(sent.load(std::sync::atomic::Ordering::Relaxed), 100);
}

#[tokio::test]
async fn a_json_body_may_be_as_large_as_the_limit() {
    let padded = |bytes: usize| format!("{:bytes$}", r#"{"name":"a"}"#);
    assert_eq!(
        send(echo("application/json", &padded(64))).await.0.status(),
        200
    );
    assert_eq!(refusal(echo("application/json", &padded(65))).await.0, 413);
}

#[tokio::test]
async fn the_end_of_a_version_is_announced_on_its_paths_and_nowhere_else() {
    let mut settings = settings();
    settings.deprecation = Some(Deprecation {
        at: OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000),
        sunset: Some(OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_181)),
        link: Some("https://alta.example/v2".to_owned()),
    });
    let api = Router::new().route(
        "/list",
        get(|| async {
            (
                [(header::LINK, "</api/list?cursor=a>; rel=\"next\"")],
                "one",
            )
        }),
    );
    let router = edge(Routes::new().unlisted(api), settings);
    let told = async |path: &str| {
        let response = router.clone().oneshot(request(Method::GET, path)).await;
        let headers = response.expect("infallible").headers().clone();
        ["deprecation", "sunset", "link"].map(|name| {
            let values = headers.get_all(name).iter();
            values
                .map(|value| value.to_str().expect("text").to_owned())
                .collect::<Vec<_>>()
        })
    };
    let page = "<https://alta.example/v2>; rel=\"deprecation\"; type=\"text/html\"";
    for path in ["/api/v1/nowhere", "/api/health"] {
        let [deprecation, sunset, link] = told(path).await;
        assert_eq!(deprecation, ["@1728000000"]);
        assert_eq!(sunset, ["Thu, 03 Apr 2025 00:00:00 GMT"]);
        assert_eq!(link, [page]);
    }
    let [_, _, links] = told("/api/v1/list").await;
    assert_eq!(links, ["</api/list?cursor=a>; rel=\"next\"", page]);
    for path in ["/health", "/nowhere"] {
        assert_eq!(
            told(path).await,
            [const { Vec::<String>::new() }; 3],
            "{path}"
        );
    }
}
