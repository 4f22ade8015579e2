//! What every client may rely on, whatever it asks: envelopes, headers, names of paths and methods.

use crate::{
    bad_input::is_envelope,
    house::{House, raw_text},
};
use anyhow::{Context, Result};
use e2e::{Answer, Client, Mailbox, Person};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use test_kit::AltaProcess;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const ORIGIN: &str = "https://app.example";

/// A running service, somebody in it, and a client that asks for any path.
struct Edge {
    house: House,
    http: reqwest::Client,
    writer: Person,
    project: String,
}

impl Edge {
    async fn start() -> Result<Self> {
        let mut alta = AltaProcess::new()?.env("CORS_ORIGINS_RAW", ORIGIN);
        alta.start().await?;
        let house = House {
            anybody: Client::new(&alta.url())?,
            mailbox: Mailbox::of(&alta.data_dir()),
            alta,
        };
        let writer = house.person("writer@example.org").await?;
        Ok(Self {
            http: reqwest::Client::new(),
            project: writer.project("Notes").await?,
            writer,
            house,
        })
    }

    /// A request without a token, to a path from the root on.
    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.house.alta.url()))
    }

    /// The same as the writer.
    fn as_writer(&self, method: Method, path: &str) -> RequestBuilder {
        self.ask(method, path)
            .bearer_auth(self.writer.client.token())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        self.house.anybody.send(request).await
    }

    async fn refused(&self, request: RequestBuilder, status: u16) -> Result<Answer> {
        let answer = self.send(request).await?.expect(status)?;
        is_envelope(&answer);
        Ok(answer)
    }

    fn json(&self, path: &str, body: &'static str) -> RequestBuilder {
        self.as_writer(Method::POST, path)
            .header("Content-Type", "application/json")
            .body(body)
    }

    /// Bytes of any kind, and what comes back until the connection ends.
    async fn raw(&self, bytes: &[u8]) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.house.alta.port())).await?;
        stream.write_all(bytes).await?;
        let mut said = String::new();
        stream.read_to_string(&mut said).await?;
        Ok(said)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conventions_hold_on_every_path_and_from_every_layer() -> Result<()> {
    let edge = Edge::start().await?;
    refusals_have_one_shape(&edge).await?;
    refusals_are_in_plain_words(&edge).await?;
    what_is_no_text_is_malformed(&edge).await?;
    what_is_below_the_router_is_refused_alike(&edge).await?;
    both_base_paths_are_one(&edge).await?;
    request_ids_are_taken_over_or_made(&edge).await?;
    security_headers_are_everywhere(&edge).await?;
    browsers_of_one_origin_may_call(&edge).await?;
    bodies_are_compressed_on_request(&edge).await?;
    a_head_is_a_get_without_a_body(&edge).await?;
    idempotency_keys_are_visible_ascii(&edge).await?;
    answers_name_versions_positions_times_and_ids(&edge).await
}

async fn refusals_have_one_shape(edge: &Edge) -> Result<()> {
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/nowhere"),
        (Method::GET, "/api"),
        (Method::GET, "/api/v1"),
        (Method::POST, "/api/v1/nowhere"),
        (Method::GET, "/api/v2/projects"),
        (Method::GET, "/api/projects/"),
        (Method::GET, "/api//projects"),
        (Method::DELETE, "/projects"),
        (Method::OPTIONS, "/api/nowhere"),
    ] {
        // With CORS, every OPTIONS is a browser's question and has an answer.
        if method == Method::OPTIONS {
            edge.send(edge.ask(method, path)).await?.expect(200)?;
        } else {
            edge.refused(edge.ask(method.clone(), path), 404)
                .await
                .with_context(|| format!("{method} {path}"))?;
        }
    }
    for (method, path, allowed) in [
        (Method::PATCH, "/api/v1/projects", "GET,HEAD,POST"),
        (Method::TRACE, "/api/projects", "GET,HEAD,POST"),
        (Method::from_bytes(b"BREW")?, "/api/auth/login", "POST"),
        (Method::POST, "/health", "GET,HEAD"),
        (Method::PUT, "/metrics", "GET,HEAD"),
    ] {
        let answer = edge.refused(edge.ask(method.clone(), path), 405).await;
        let answer = answer.with_context(|| format!("{method} {path}"))?;
        let mut methods: Vec<&str> = answer
            .header("allow")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .collect();
        methods.sort_unstable();
        methods.dedup();
        assert_eq!(methods.join(","), allowed, "{method} {path}");
    }
    let answer = edge
        .refused(edge.ask(Method::GET, "/api/projects"), 401)
        .await?;
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    let large = json!({ "name": "x".repeat(1 << 20) });
    let large = edge.as_writer(Method::POST, "/api/projects").json(&large);
    edge.refused(large, 413).await?;
    let text = edge.as_writer(Method::POST, "/api/projects").body("{}");
    edge.refused(text.header("Content-Type", "text/plain"), 415)
        .await?;
    edge.refused(edge.as_writer(Method::POST, "/api/projects"), 415)
        .await?;
    edge.refused(edge.as_writer(Method::GET, "/api/documents/not-an-id"), 404)
        .await?;
    Ok(())
}

async fn refusals_are_in_plain_words(edge: &Edge) -> Result<()> {
    let inside = [
        "line ",
        "column",
        "serde",
        "expected",
        "invalid type",
        "struct",
        "enum",
        "variant",
        "u32",
        "usize",
        "::",
        "`",
    ];
    for (path, body, status, field) in [
        ("/api/projects", "{", 400, "body"),
        ("/api/projects", "", 400, "body"),
        ("/api/projects", r#"{"name": "x",}"#, 400, "body"),
        ("/api/projects", "[]", 422, "body"),
        ("/api/projects", "null", 422, "body"),
        ("/api/projects", "{}", 422, "name"),
        ("/api/projects", r#"{"name": 5}"#, 422, "name"),
        ("/api/projects", r#"{"name": null}"#, 422, "name"),
        ("/api/projects", r#"{"name": {"a": 1}}"#, 422, "name"),
        (
            "/api/projects",
            r#"{"name": "x", "name": "y"}"#,
            422,
            "name",
        ),
        ("/api/projects", r#"{"name": "a\u0000b"}"#, 422, "body"),
        (
            "/api/submit",
            r#"{"document_ids": "x"}"#,
            422,
            "document_ids",
        ),
        (
            "/api/submit",
            r#"{"document_ids": [5]}"#,
            422,
            "document_ids[0]",
        ),
        (
            "/api/raw-text",
            r#"{"project_id": "x", "title": "t", "content": "c"}"#,
            422,
            "project_id",
        ),
    ] {
        let answer = edge.refused(edge.json(path, body), status).await;
        let answer = answer.with_context(|| format!("{path} {body}"))?;
        let told = &answer.body["error"]["details"][field];
        assert!(told.is_array(), "{body}: {}", answer.body);
        let words = answer.body.to_string();
        for word in inside {
            assert!(!words.contains(word), "{word} in {words}");
        }
    }
    let nothing = r#"{"document_ids": null, "voice_sample_ids": null}"#;
    let answer = edge
        .send(edge.json("/api/submit", nothing))
        .await?
        .expect(200)?;
    assert_eq!(answer.body["submitted_count"], 0);
    Ok(())
}

async fn what_is_no_text_is_malformed(edge: &Edge) -> Result<()> {
    for path in ["/api/documents/%ff", "/api/nowhere/%00", "/%ff"] {
        let answer = edge.refused(edge.as_writer(Method::GET, path), 400).await;
        assert_eq!(answer.with_context(|| path)?.code(), "MALFORMED_REQUEST");
    }
    for (path, field) in [
        ("/api/submissions?q=%ff", "q"),
        ("/api/submissions?q=%C3", "q"),
        ("/api/submissions?q=a%00b", "q"),
        ("/api/submissions?unknown=%ff", "unknown"),
        ("/api/submissions?limit=1&limit=2", "limit"),
        ("/api/submissions?limit=x", "limit"),
        ("/api/submissions?limit=0", "limit"),
        ("/api/submissions?limit=201", "limit"),
        ("/api/submissions?cursor=x", "cursor"),
        ("/api/submissions?status=lost", "status"),
    ] {
        let answer = edge.refused(edge.as_writer(Method::GET, path), 400).await;
        let answer = answer.with_context(|| path)?;
        assert_eq!(answer.code(), "INVALID_PARAMETER", "{path}");
        let told = &answer.body["error"]["details"][field];
        assert!(told.is_array(), "{path}: {}", answer.body);
    }
    let found = edge.as_writer(Method::GET, "/api/submissions?q=%C3%A4%25&unknown=1");
    edge.send(found).await?.expect(200)?;
    Ok(())
}

async fn what_is_below_the_router_is_refused_alike(edge: &Edge) -> Result<()> {
    let long = |bytes: usize| format!("/api/projects?q={}", "a".repeat(bytes));
    edge.refused(edge.ask(Method::GET, &long(40_000)), 414)
        .await?;
    edge.refused(edge.ask(Method::GET, &long(8_000)), 401)
        .await?;
    let large = edge.ask(Method::GET, "/api/projects");
    edge.refused(large.header("X-Large", "a".repeat(70_000)), 431)
        .await?;
    for (bytes, status) in [
        (b"no request at all\r\n\r\n".to_vec(), 400),
        (b"GET /api/projects HTTP/7.0\r\n\r\n".to_vec(), 400),
        (
            format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(200_000)).into_bytes(),
            414,
        ),
        (
            format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(1 << 20)).into_bytes(),
            431,
        ),
        (
            b"CONNECT example.org:443 HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(),
            404,
        ),
        (
            b"GET http://x/api/nowhere HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(),
            404,
        ),
    ] {
        let said = edge.raw(&bytes).await?;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
        let (head, body) = said.split_once("\r\n\r\n").context("a head and a body")?;
        let body: Value = serde_json::from_str(body).with_context(|| said.clone())?;
        let id = body["error"]["requestId"]
            .as_str()
            .context("a request id")?;
        assert!(head.contains(&format!("x-request-id: {id}")), "{said}");
        assert!(head.contains("x-content-type-options: nosniff"), "{said}");
    }
    Ok(())
}

async fn both_base_paths_are_one(edge: &Edge) -> Result<()> {
    let mut seen = vec![];
    for base in ["/api", "/api/v1"] {
        let path = format!("{base}/projects/{}", edge.project);
        let answer = edge
            .send(edge.as_writer(Method::GET, &path))
            .await?
            .expect(200)?;
        for header in ["deprecation", "sunset"] {
            assert_eq!(answer.header(header), None, "not unless it is announced");
        }
        seen.push(answer.body);
    }
    assert_eq!(seen[0], seen[1]);
    for path in ["/health", "/api/health", "/api/v1/health"] {
        let answer = edge.send(edge.ask(Method::GET, path)).await?.expect(200)?;
        assert_eq!(answer.body["status"], "healthy", "{path}");
    }
    Ok(())
}

async fn request_ids_are_taken_over_or_made(edge: &Edge) -> Result<()> {
    let longest = "a".repeat(128);
    for given in ["trace-1", "a/b:c{d}", longest.as_str()] {
        for path in ["/health", "/nowhere", "/api/projects"] {
            let request = edge.ask(Method::GET, path).header("X-Request-Id", given);
            let answer = edge.send(request).await?;
            assert_eq!(answer.header("x-request-id"), Some(given), "{path}");
        }
    }
    let longer = "a".repeat(129);
    for given in ["", "two words", "ä", longer.as_str()] {
        let request = edge.ask(Method::GET, "/nowhere");
        let request = request.header("X-Request-Id", given.as_bytes());
        let made = edge.refused(request, 404).await?;
        let made = made.header("x-request-id").context("an id")?.to_owned();
        assert_eq!(made.len(), 36, "{given:?} became {made}");
    }
    Ok(())
}

async fn security_headers_are_everywhere(edge: &Edge) -> Result<()> {
    let logout = json!({ "refresh_token": edge.writer.refresh_token });
    let requests = [
        (edge.ask(Method::GET, "/health"), 200),
        (edge.ask(Method::HEAD, "/health"), 200),
        (edge.ask(Method::GET, "/metrics"), 200),
        (edge.ask(Method::OPTIONS, "/api/projects"), 200),
        (edge.as_writer(Method::GET, "/api/projects"), 200),
        (edge.json("/api/projects", r#"{"name": "Another"}"#), 201),
        (edge.json("/api/projects", "{"), 400),
        (edge.ask(Method::GET, "/api/projects"), 401),
        (edge.as_writer(Method::GET, "/api/admin/users"), 403),
        (edge.ask(Method::GET, "/nowhere"), 404),
        (edge.ask(Method::DELETE, "/api/projects"), 405),
        (edge.as_writer(Method::POST, "/api/projects"), 415),
        (edge.json("/api/projects", "{}"), 422),
        // Last: it ends the session.
        (
            edge.ask(Method::POST, "/api/auth/logout").json(&logout),
            204,
        ),
    ];
    let another = Person::sign_in(
        &edge.house.anybody,
        edge.writer.id.clone(),
        &edge.writer.email,
        e2e::PASSWORD,
    );
    let _still_signed_in = another.await?;
    for (request, status) in requests {
        let answer = edge.send(request).await?.expect(status)?;
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{status}"
        );
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{status}");
        assert_eq!(
            answer.header("referrer-policy"),
            Some("no-referrer"),
            "{status}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{status}");
        let policy = answer
            .header("content-security-policy")
            .context("a policy")?;
        assert!(policy.contains("default-src 'none'"), "{policy}");
        let strict = answer.header("strict-transport-security");
        assert_eq!(strict, None, "not outside of production");
        assert!(answer.header("x-request-id").is_some());
    }
    Ok(())
}

async fn browsers_of_one_origin_may_call(edge: &Edge) -> Result<()> {
    let preflight = |origin: &str| {
        edge.ask(Method::OPTIONS, "/api/projects")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header(
                "Access-Control-Request-Headers",
                "authorization,idempotency-key",
            )
    };
    let allowed = edge.send(preflight(ORIGIN)).await?.expect(200)?;
    assert_eq!(allowed.header("access-control-allow-origin"), Some(ORIGIN));
    let methods = allowed
        .header("access-control-allow-methods")
        .context("methods")?;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        assert!(methods.contains(method), "{methods}");
    }
    let headers = allowed
        .header("access-control-allow-headers")
        .context("headers")?;
    for header in [
        "authorization",
        "content-type",
        "if-match",
        "idempotency-key",
        "x-request-id",
    ] {
        assert!(headers.contains(header), "{header} in {headers}");
    }
    for path in ["/api/projects", "/nowhere"] {
        let mine = edge.ask(Method::GET, path).header("Origin", ORIGIN);
        let mine = edge.send(mine).await?;
        assert_eq!(
            mine.header("access-control-allow-origin"),
            Some(ORIGIN),
            "{path}"
        );
        let shown = mine
            .header("access-control-expose-headers")
            .context("headers")?;
        for header in [
            "etag",
            "link",
            "x-request-id",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
            "x-alta-position",
            "idempotency-replayed",
            "retry-after",
            "x-total-count",
            "deprecation",
            "sunset",
        ] {
            assert!(shown.contains(header), "{header} in {shown}");
        }
        assert!(
            mine.header("vary")
                .is_some_and(|vary| vary.contains("origin"))
        );
        for origin in ["https://evil.example", "http://app.example", "null"] {
            let other = edge.ask(Method::GET, path).header("Origin", origin);
            let other = edge.send(other).await?;
            assert_eq!(
                other.header("access-control-allow-origin"),
                None,
                "{origin}"
            );
        }
    }
    let refused = edge.send(preflight("https://evil.example")).await?;
    assert_eq!(refused.header("access-control-allow-origin"), None);
    Ok(())
}

async fn bodies_are_compressed_on_request(edge: &Edge) -> Result<()> {
    for path in ["/health", "/nowhere", "/api/projects"] {
        let zipped = edge
            .ask(Method::GET, path)
            .header("Accept-Encoding", "gzip");
        let zipped = zipped.send().await?;
        let header = |name: &str| {
            zipped
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        assert_eq!(header("content-encoding"), Some("gzip"), "{path}");
        let mut vary = zipped.headers().get_all("vary").iter();
        assert!(vary.any(|vary| vary == "accept-encoding"), "{path}");
        assert_eq!(zipped.bytes().await?.get(..2), Some(&[0x1f, 0x8b][..]));
        let plain = edge.send(edge.ask(Method::GET, path)).await?;
        assert_eq!(plain.header("content-encoding"), None);
        assert!(plain.body.is_object(), "{path}");
    }
    Ok(())
}

async fn a_head_is_a_get_without_a_body(edge: &Edge) -> Result<()> {
    for path in [
        "/health/live",
        "/api/projects",
        "/nowhere",
        "/api/auth/login",
    ] {
        let get = edge.send(edge.ask(Method::GET, path)).await?;
        let head = edge
            .ask(Method::HEAD, path)
            .header("Accept-Encoding", "gzip");
        let head = edge.send(head).await?;
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.body, Value::Null, "{path}");
        for name in ["content-type", "allow", "www-authenticate"] {
            assert_eq!(head.header(name), get.header(name), "{path}");
        }
        assert_eq!(head.header("content-encoding"), None);
    }
    Ok(())
}

async fn idempotency_keys_are_visible_ascii(edge: &Edge) -> Result<()> {
    let signed_in = Person::sign_in(
        &edge.house.anybody,
        edge.writer.id.clone(),
        &edge.writer.email,
        e2e::PASSWORD,
    );
    let me = signed_in.await?.client;
    let body = raw_text(&edge.project, "Once");
    let with = |key: &str| {
        let request = me.request(Method::POST, "/raw-text").json(&body);
        request.header("Idempotency-Key", key.as_bytes())
    };
    let too_long = "k".repeat(256);
    for bad in ["", "two words", "schlüssel", too_long.as_str()] {
        let answer = edge.refused(with(bad), 400).await;
        let answer = answer.with_context(|| format!("{bad:?}"))?;
        let told = &answer.body["error"]["details"]["Idempotency-Key"];
        assert!(told.is_array(), "{}", answer.body);
    }
    let longest = "k".repeat(255);
    let first = me.send(with(&longest)).await?.expect(201)?;
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = me.send(with(&longest)).await?.expect(201)?;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body, first.body);
    let other = me.request(Method::POST, "/raw-text");
    let other = other.header("Idempotency-Key", &longest);
    let other = other.json(&raw_text(&edge.project, "Another"));
    let reused = edge.refused(other, 422).await?;
    assert_eq!(reused.code(), "IDEMPOTENCY_KEY_REUSED");
    Ok(())
}

async fn answers_name_versions_positions_times_and_ids(edge: &Edge) -> Result<()> {
    let signed_in = Person::sign_in(
        &edge.house.anybody,
        edge.writer.id.clone(),
        &edge.writer.email,
        e2e::PASSWORD,
    );
    let me = signed_in.await?.client;
    let made = me
        .post("/raw-text", raw_text(&edge.project, "Versioned"))
        .await?;
    let made = made.expect(201)?;
    let position: i64 = made
        .header("x-alta-position")
        .context("a position")?
        .parse()?;
    assert!(position > 0);
    assert_eq!(made.header("content-type"), Some("application/json"));
    let at = made.text("created_at")?;
    assert!(at.ends_with('Z') && at.contains('T'), "{at}");
    let id = made.text("id")?;
    assert_eq!((id.len(), &id[14..15]), (36, "7"), "a UUID of version 7");

    let path = format!("/raw-text/{id}");
    let read = me.get(&path).await?.expect(200)?;
    let seen: i64 = read
        .header("x-alta-position")
        .context("a position")?
        .parse()?;
    assert!(seen >= position);
    assert_eq!(read.header("etag"), Some("\"1\""));
    let change = |tag: &str, title: &str| {
        let request = me.request(Method::PUT, &path).header("If-Match", tag);
        request.json(&json!({ "title": title }))
    };
    let stale = edge.refused(change("\"7\"", "Never"), 412).await?;
    assert_eq!(stale.code(), "VERSION_MISMATCH");
    me.send(change("\"1\"", "Second")).await?.expect(200)?;
    let read = me.get(&path).await?.expect(200)?;
    assert_eq!(read.header("etag"), Some("\"2\""));

    let page = me.get("/submissions?limit=1").await?.expect(200)?;
    let link = page.header("link").context("there is more")?;
    assert!(
        link.starts_with("</api/submissions?limit=1&cursor=") && link.ends_with("rel=\"next\"")
    );
    Ok(())
}
