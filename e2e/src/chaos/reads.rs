//! Whether an answer shows what its caller has written before.

use serde_json::Value;

use crate::Answer;

/// What a read must show.
pub(super) struct Expected {
    /// For people.
    pub what: String,
    /// Whether the item may have been taken out of the caller's sight by somebody else meanwhile.
    pub may_be_gone: bool,
    pub shows: Box<dyn Fn(&Value) -> bool + Send + Sync>,
}

impl Expected {
    pub fn new(
        what: impl Into<String>,
        shows: impl Fn(&Value) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            what: what.into(),
            may_be_gone: false,
            shows: Box::new(shows),
        }
    }

    /// The same, where a 404 says nothing.
    pub fn or_gone(mut self) -> Self {
        self.may_be_gone = true;
        self
    }
}

/// What an answer is worth.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fresh,
    /// It says that it cannot answer now, and when to ask again.
    NotNow,
    /// The session is to be renewed first.
    SignInAgain,
    Wrong(String),
}

pub(super) fn judge(expected: &Expected, answer: &Answer) -> Verdict {
    match answer.status {
        200 if (expected.shows)(&answer.body) => Verdict::Fresh,
        200 => Verdict::Wrong(format!("no {} in {}", expected.what, answer.body)),
        404 if expected.may_be_gone => Verdict::Fresh,
        401 => Verdict::SignInAgain,
        503 if answer.header("retry-after").is_some() => Verdict::NotNow,
        status => Verdict::Wrong(format!(
            "{status} instead of {}: {}",
            expected.what, answer.body
        )),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue};
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: Value) -> Answer {
        Answer {
            status,
            headers: HeaderMap::new(),
            body,
        }
    }

    fn titled() -> Expected {
        Expected::new("title t", |body| body["title"] == "t")
    }

    #[test]
    fn a_success_that_shows_what_was_written_is_fresh() {
        let verdict = judge(&titled(), &answer(200, json!({"title": "t"})));
        assert_eq!(verdict, Verdict::Fresh);
    }

    #[test]
    fn a_success_with_what_was_before_is_wrong_and_so_is_not_found() {
        for answer in [
            answer(200, json!({"title": "s"})),
            answer(404, json!({})),
            answer(500, json!({})),
        ] {
            assert!(matches!(judge(&titled(), &answer), Verdict::Wrong(_)));
        }
        let hidden = judge(&titled().or_gone(), &answer(404, json!({})));
        assert_eq!(hidden, Verdict::Fresh);
    }

    #[test]
    fn only_a_refusal_that_says_when_to_come_again_is_no_stale_answer() {
        let mut put_off = answer(503, json!({}));
        assert!(matches!(judge(&titled(), &put_off), Verdict::Wrong(_)));
        put_off.headers.insert("retry-after", HeaderValue::from(1));
        assert_eq!(judge(&titled(), &put_off), Verdict::NotNow);
    }
}
