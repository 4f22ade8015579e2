//! One request is followed from HTTP through append, relay, JetStream, projectors and processors, in the
//! traces that a collector gets and in the logs.

use crate::{
    collector::{Collector, Seen},
    house::{House, raw_text},
};
use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const PARENT: &str = "b7ad6b7169203331";
const SUBMITTED: &str = "0af7651916cd43dd8448eb211c80319c";
const INVITED: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const NOT_WANTED: &str = "11112222333344445555666677778888";
const PROJECTIONS: [&str; 6] = [
    "access",
    "analytics",
    "history",
    "review_queue",
    "search",
    "submissions",
];

/// What arrived of one trace.
struct Trace(Vec<Seen>);

impl Trace {
    #[track_caller]
    fn one(&self, name: &str, below: &[&Seen]) -> &Seen {
        let found = self.0.iter().filter(|span| {
            let parents = below.iter().any(|parent| parent.span_id == span.parent_id);
            span.name == name && parents
        });
        let found: Vec<&Seen> = found.collect();
        assert_eq!(found.len(), 1, "{name} in {:#?}", self.0);
        found[0]
    }

    #[track_caller]
    fn request(&self, name: &str) -> &Seen {
        let found = self.0.iter().find(|span| span.parent_id == PARENT);
        let request = found.expect("the request goes on with the caller's trace");
        assert_eq!(request.name, name);
        request
    }
}

/// The lines of the log that are JSON.
fn lines(house: &House) -> Vec<Value> {
    let output = house.alta.output();
    output
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_followed_through_every_part() -> Result<()> {
    let collector = Collector::refusing().await?;
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str());
    let mut house = House::start_with(&[endpoint, ("LOG_FORMAT", "json")]).await?;
    let owner = house.person("owner@example.org").await?;
    let me = &owner.client;
    let project = owner.project("Notes").await?;
    let traced = async |path: &str, trace: &str, flags: &str, body: Value| {
        let request = me.request(Method::POST, path).json(&body);
        let request = request.header("traceparent", format!("00-{trace}-{PARENT}-{flags}"));
        me.send(request.header("x-request-id", format!("of-{trace}")))
            .await
    };

    // A collector that refuses disturbs nobody, and is seen.
    until_lost(&house).await?;
    collector.accept();

    let text = raw_text(&project, "One");
    let item = traced("/raw-text", NOT_WANTED, "00", text)
        .await?
        .expect(201)?
        .text("id")?;
    let wanted = json!({ "raw_text_ids": [item] });
    let submitted = traced("/submit", SUBMITTED, "01", wanted)
        .await?
        .expect(200)?;
    let position: i64 = submitted
        .header("x-alta-position")
        .context("it has a position")?
        .parse()?;
    let invitation = json!({ "email": "other@example.org", "role": "reviewer" });
    let path = format!("/projects/{project}/invite");
    traced(&path, INVITED, "01", invitation)
        .await?
        .expect(201)?;
    house.mailbox.wait("other@example.org", 1).await?;
    let review = format!("/review/{item}?item_type=raw_text");
    me.get(&review).await?.expect(200)?;
    let history = me
        .get(&format!("/submissions/{item}/history"))
        .await?
        .expect(200)?;

    let logged = |house: &House| {
        let lines = lines(house);
        let policy = lines.iter().any(|line| line["policy"] == "open_review");
        policy
            && lines.iter().any(|line| {
                line["kind"] == "email" && line["request_id"] == format!("of-{INVITED}")
            })
    };
    until("policy and mail are done", async || Ok(logged(&house))).await?;
    all_is_measured(&house).await?;
    // What was not sent yet is sent at the end.
    assert!(house.alta.terminate().await?.success());

    assert_eq!(collector.of_trace(NOT_WANTED).len(), 0);
    let trace = Trace(collector.of_trace(SUBMITTED));
    assert!(
        trace
            .0
            .iter()
            .all(|span| span.service == "alta" && span.took)
    );
    let request = trace.request("POST /submit");
    assert_eq!(request.attribute("http.response.status_code"), Some("200"));
    let append = trace.one("append", &[request]);
    assert_eq!(append.attribute("stream"), Some("submission"));
    let publish = trace.one("publish", &[append]);
    assert_eq!(
        publish.attribute("position"),
        Some(position.to_string().as_str())
    );
    // By JetStream they come after the publication, from the log after the append.
    let events = [append, publish];
    let projected = PROJECTIONS.map(|name| trace.one(&format!("project {name}"), &events));
    assert!(
        projected
            .iter()
            .any(|span| span.parent_id == publish.span_id)
    );
    let policy = trace.one("policy open_review", &events);
    let opened = trace.one("append", &[policy]);
    assert_eq!(opened.attribute("stream"), Some("review"));
    let published = trace.one("publish", &[opened]);
    trace.one("project review_queue", &[opened, published]);

    let trace = Trace(collector.of_trace(INVITED));
    let append = trace.one("append", &[trace.request("POST /projects/{id}/invite")]);
    let publish = trace.one("publish", &[append]);
    trace.one("job email", &[append, publish]);

    let lines = lines(&house);
    let answered = lines
        .iter()
        .find(|line| line["message"] == "answered" && line["position"] == position)
        .context("the answer is logged with its position")?;
    assert_eq!(answered["span"]["request_id"], format!("of-{SUBMITTED}"));
    let policy = lines
        .iter()
        .find(|line| line["policy"] == "open_review" && line["item"] == item.as_str())
        .context("the policy is logged")?;
    assert_eq!(policy["position"], position);
    assert_eq!(policy["request_id"], format!("of-{SUBMITTED}"));
    let cause = policy["causation_id"].as_str().context("it has a cause")?;
    let entries = history.body.as_array().context("a history")?;
    let entry = entries.iter().find(|entry| entry["position"] == position);
    assert_eq!(
        entry.context("the event")?["event_type"],
        "SubmissionSubmitted"
    );
    assert_eq!(cause.len(), 36);
    Ok(())
}

/// Waits until the metrics tell of everything that they are to tell of.
async fn all_is_measured(house: &House) -> Result<()> {
    let url = format!("{}/metrics", house.alta.url());
    for name in [
        "alta_http_requests_total{route=\"/submit\",method=\"POST\",status=\"200\"} ",
        "alta_http_request_duration_seconds_bucket{route=\"/submit\",",
        "alta_database_connections{",
        "alta_events_appended_total{aggregate_type=\"submission\"} ",
        "alta_log_position ",
        "alta_relay_published_position ",
        "alta_projection_position{projection=\"review_queue\"} ",
        "alta_projection_lag_events{projection=\"review_queue\"} ",
        "alta_projection_lag_seconds{projection=\"review_queue\"} ",
        "alta_jobs_depth{",
        "alta_jobs_oldest_seconds{",
        "alta_jobs_total{kind=\"email\",outcome=\"succeeded\"} ",
        "alta_dead_letters{",
    ] {
        until(name, async || {
            let text = reqwest::get(&url).await?.text().await?;
            Ok(text.lines().any(|line| line.starts_with(name)))
        })
        .await?;
    }
    Ok(())
}

/// Waits until the service says that traces were lost.
async fn until_lost(house: &House) -> Result<()> {
    let url = format!("{}/metrics", house.alta.url());
    let lost = "alta_trace_spans_total{outcome=\"lost\"}";
    until("lost spans are counted", async || {
        let text = reqwest::get(&url).await?.text().await?;
        Ok(text.lines().any(|line| line.starts_with(lost)))
    })
    .await?;
    let said = lines(house);
    let said = said.iter().any(|line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("traces are lost: ")
    });
    assert!(said, "it is logged");
    Ok(())
}

async fn until(what: &str, mut reached: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let tries = async {
        while !reached().await? {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_mins(1), tries)
        .await
        .with_context(|| format!("never came true: {what}"))?
}
