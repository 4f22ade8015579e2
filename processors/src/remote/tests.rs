//! A server that takes the request and says nothing. What it may say is tried through the engines.

use super::*;
use tokio::net::TcpListener;

#[tokio::test]
async fn silence_ends_with_the_callers_patience() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let silent = tokio::spawn(async move {
        let mut held = vec![];
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let remote = Remote::new("a server").expect("it can be asked");
    let began = Instant::now();
    let asked = remote.ask::<u32>(Duration::from_millis(200), |client| client.get(&url));
    let fault = asked.await.expect_err("nothing is said");
    assert_eq!(fault.code, ErrorCode::EngineUnavailable);
    assert!(fault.detail.contains("in time"), "{fault}");
    assert!(began.elapsed() < Duration::from_secs(10));
    silent.abort();
}

#[tokio::test(start_paused = true)]
async fn what_takes_a_while_is_asked_for_less_and_less_often() {
    let mut asked = 0;
    let found = poll(Duration::from_mins(2), || {
        asked += 1;
        let done = asked == 8;
        async move { Ok(done.then_some("it")) }
    });
    assert_eq!(found.await, Ok(Some("it")));
    let began = Instant::now();
    let never = poll(Duration::from_mins(2), async || Ok(None::<u32>));
    assert_eq!(never.await, Ok(None));
    assert!(began.elapsed() < Duration::from_secs(135));
}

#[test]
fn what_an_operator_chose_is_told_from_what_somebody_sent() {
    let chosen = [
        r#"{"error": {"message": "response_format 'verbose_json' is not compatible with model",
            "type": "invalid_request_error", "param": "response_format", "code": "unsupported_value"}}"#,
        r#"{"error": {"message": "no such model", "param": null, "code": "model_not_found"}}"#,
        r#"{"error": {"code": 400, "message": "Cloud Speech-to-Text API is disabled",
            "status": "FAILED_PRECONDITION"}}"#,
    ];
    assert!(
        chosen
            .iter()
            .all(|words| is_about_the_choice(words.as_bytes()))
    );
    let sent = [
        r#"{"error": {"message": "could not decode", "param": "file", "code": null}}"#,
        r#"{"error": {"code": 400, "message": "bad audio", "status": "INVALID_ARGUMENT"}}"#,
        r#"{"error": "invalid_grant"}"#,
        "Invalid request",
    ];
    assert!(
        !sent
            .iter()
            .any(|words| is_about_the_choice(words.as_bytes()))
    );
}
