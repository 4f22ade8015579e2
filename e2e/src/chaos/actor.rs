//! One client with one identity: it sends a command until it has an answer, to whichever replica,
//! always with the same key, and keeps what it was told; and it reads what it has written.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context, Result};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use reqwest::{Method, RequestBuilder, multipart};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    reads::{Expected, Verdict, judge},
    record::{Effect, Fact, Finding, Ledger, Op, Outcome, What},
};
use crate::{Answer, Client, PASSWORD, Upload};

/// How long one request may take. A replica that hangs is given up for the other.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long a command may go without an answer once all faults are over.
const SETTLED_WITHIN: Duration = Duration::from_mins(1);
/// How often a client stops caring about a command whose first attempts had no answer.
const GIVES_UP: f64 = 0.05;
/// How often a read is tried.
const LOOKS: u32 = 4;

/// The replicas, and what all clients share.
pub(super) struct Fleet {
    pub commands: Vec<Client>,
    pub queries: Vec<Client>,
    pub ledger: Ledger,
    /// When the last fault was over and all clients were told to come to an end.
    pub ending: OnceLock<Instant>,
}

impl Fleet {
    pub fn is_ending(&self) -> bool {
        self.ending.get().is_some()
    }

    fn is_late(&self) -> bool {
        let ending = self.ending.get();
        ending.is_some_and(|since| since.elapsed() > SETTLED_WITHIN)
    }
}

/// What is sent besides method and path.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Nothing,
    Json(Value),
    File(Upload),
}

/// A command on its way.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub what: What,
    pub method: Method,
    pub path: String,
    pub body: Body,
    /// The refusals that others' commands at the same time can bring about.
    pub refusals: &'static [&'static str],
}

impl Call {
    pub fn new(what: What, method: Method, path: impl Into<String>, body: Body) -> Self {
        Self {
            what,
            method,
            path: path.into(),
            body,
            refusals: &[],
        }
    }

    pub fn may_be_refused(mut self, codes: &'static [&'static str]) -> Self {
        self.refusals = codes;
        self
    }
}

/// What the client knows in the end.
pub(super) enum Told {
    Done(Answer),
    No,
    Unknown,
}

/// What a success promises.
pub(super) type Promise = (Vec<Effect>, Fact);

/// How an attempt ended.
enum Attempt {
    Answered(Answer),
    /// It may be carried out, or have been.
    Doubtful,
    /// It never got there.
    Lost,
}

pub(super) struct Actor {
    pub name: String,
    pub email: String,
    pub id: Uuid,
    pub rng: StdRng,
    pub fleet: Arc<Fleet>,
    token: Option<String>,
    count: u64,
}

impl Actor {
    pub fn new(name: &str, seed: u64, fleet: &Arc<Fleet>) -> Self {
        Self {
            name: name.to_owned(),
            email: format!("{name}@example.org"),
            id: Uuid::nil(),
            rng: StdRng::seed_from_u64(seed),
            fleet: fleet.clone(),
            token: None,
            count: 0,
        }
    }

    /// The id that the next command will have: also a text that nobody else writes.
    pub fn mark(&self) -> String {
        format!("{}-{}", self.name, self.count + 1)
    }

    /// Rests for a while.
    pub async fn rest(&mut self, most: Duration) {
        let share = self.rng.random_range(0.2..1.0);
        sleep(most.mul_f64(share)).await;
    }

    /// Sends a command until it is answered, and keeps what became of it.
    pub async fn carry_out(
        &mut self,
        call: Call,
        promise: impl FnOnce(&Answer) -> Result<Promise>,
    ) -> Result<Told> {
        let (id, what) = (self.mark(), call.what);
        self.count += 1;
        let begun = self.fleet.ledger.tick();
        let (told, outcome) = self.insist(&id, &call).await;
        let (outcome, fact) = match (&told, outcome) {
            (Told::Done(answer), _) => {
                let (effects, fact) = promise(answer).with_context(|| format!("{id}: {what:?}"))?;
                (Outcome::Acknowledged(effects), fact)
            }
            (_, outcome) => (outcome, Fact::Nothing),
        };
        let ended = self.fleet.ledger.tick();
        self.fleet.ledger.keep(Op {
            id,
            what,
            begun,
            ended,
            outcome,
            fact,
        });
        Ok(told)
    }

    async fn insist(&mut self, id: &str, call: &Call) -> (Told, Outcome) {
        let (mut doubtful, mut tries) = (false, 0_u32);
        loop {
            match self.attempt(id, call).await {
                Attempt::Answered(answer) if answer.status == 401 => {
                    self.sign_in().await;
                }
                Attempt::Answered(answer) if answer.status == 500 => {
                    let detail = format!("{id} {:?}: {}", call.what, answer.body);
                    self.find("no command fails inside", detail);
                    doubtful = true;
                }
                Attempt::Answered(answer) if answer.status > 500 => doubtful = true,
                // Nothing to claim, and nothing kept under the key.
                Attempt::Answered(answer) if answer.status == 204 && call.what == What::Claim => {
                    return refused(doubtful, "NONE");
                }
                Attempt::Answered(answer) if answer.status < 300 => {
                    return (Told::Done(answer), Outcome::Unknown);
                }
                Attempt::Answered(answer) => {
                    if !call.refusals.contains(&answer.code()) {
                        let (what, status, body) = (call.what, answer.status, &answer.body);
                        let detail = format!("{id} {what:?}: {status} {body}");
                        self.find("nothing is refused without a reason", detail);
                    }
                    return refused(doubtful, answer.code());
                }
                Attempt::Doubtful => doubtful = true,
                Attempt::Lost => {}
            }
            tries += 1;
            let leaves = doubtful && tries < 3 && self.rng.random_bool(GIVES_UP);
            if self.fleet.is_late() {
                self.find(
                    "every command is answered in the end",
                    format!("{id} {:?}", call.what),
                );
            }
            if leaves || self.fleet.is_late() {
                return (Told::Unknown, Outcome::Unknown);
            }
            let pause = 50 << tries.min(4);
            sleep(Duration::from_millis(self.rng.random_range(20..=pause))).await;
        }
    }

    async fn attempt(&mut self, id: &str, call: &Call) -> Attempt {
        let Some(client) = self.fleet.commands.choose(&mut self.rng) else {
            return Attempt::Lost;
        };
        let client = self.as_me(client);
        let request = client
            .request(call.method.clone(), &call.path)
            .header("X-Request-Id", id)
            .timeout(PATIENCE);
        let keyed = |request: RequestBuilder| request.header("Idempotency-Key", id);
        let request = match &call.body {
            _ if call.method == Method::GET => request,
            Body::Nothing => keyed(request),
            Body::Json(body) => keyed(request).json(body),
            Body::File(upload) => keyed(request).multipart(form(upload)),
        };
        match client.send(request).await {
            Ok(answer) => Attempt::Answered(answer),
            Err(error) => match error.downcast_ref::<reqwest::Error>() {
                Some(error) if error.is_connect() => Attempt::Lost,
                _ => Attempt::Doubtful,
            },
        }
    }

    /// Reads until the answer is one that counts, a few times at most.
    pub async fn see(&mut self, path: &str, expected: Expected) -> Option<Answer> {
        for look in 1..=LOOKS {
            let replica = self.fleet.queries.choose(&mut self.rng)?;
            let client = self.as_me(replica);
            let request = client.request(Method::GET, path).timeout(PATIENCE);
            let verdict = match client.send(request).await {
                Ok(answer) => (judge(&expected, &answer), Some(answer)),
                Err(_) => (Verdict::NotNow, None),
            };
            match verdict {
                (Verdict::Fresh, answer) => {
                    self.fleet.ledger.count_read(true);
                    return answer;
                }
                (Verdict::Wrong(why), _) => {
                    let detail = format!(
                        "{} after {}-{}, {path}: {why}",
                        self.name, self.name, self.count
                    );
                    self.find("everybody reads what they wrote", detail);
                    return None;
                }
                (Verdict::SignInAgain, _) => self.sign_in().await,
                (Verdict::NotNow, _) => {}
            }
            self.fleet.ledger.count_read(false);
            sleep(Duration::from_millis(100 * u64::from(look))).await;
        }
        None
    }

    /// Reads for a look around, not to check anything.
    pub async fn look(&mut self, path: &str) -> Option<Answer> {
        self.see(path, Expected::new("anything", |_| true).or_gone())
            .await
            .filter(|answer| answer.status == 200)
    }

    /// One attempt; a failure is found out by the next request.
    pub async fn sign_in(&mut self) {
        let Some(anybody) = self.fleet.commands.choose(&mut self.rng) else {
            return;
        };
        let credentials = json!({ "email": self.email, "password": PASSWORD });
        let request = anybody
            .request(Method::POST, "/auth/login")
            .timeout(PATIENCE)
            .json(&credentials);
        let Ok(answer) = anybody.send(request).await else {
            return;
        };
        match (answer.status, answer.text("access_token")) {
            (200, Ok(token)) => self.token = Some(token),
            (503, _) => {}
            (status, _) => {
                let detail = format!("{}: {status} {}", self.name, answer.body);
                self.find("everybody can sign in", detail);
            }
        }
    }

    /// Tries until it is signed in, or all comes to an end.
    pub async fn signed_in(&mut self) {
        while self.token.is_none() && !self.fleet.is_late() {
            self.sign_in().await;
            if self.token.is_none() {
                sleep(Duration::from_millis(200)).await;
            }
        }
    }

    pub fn find(&self, rule: &'static str, detail: String) {
        self.fleet.ledger.find(Finding::new(rule, detail));
    }

    fn as_me(&self, client: &Client) -> Client {
        match &self.token {
            Some(token) => client.with_token(token),
            None => client.clone(),
        }
    }
}

/// What a refusal says: nothing for sure, when an earlier attempt may still be carried out.
fn refused(doubtful: bool, code: &str) -> (Told, Outcome) {
    if doubtful {
        (Told::Unknown, Outcome::Unknown)
    } else {
        (Told::No, Outcome::Refused(code.to_owned()))
    }
}

fn form(upload: &Upload) -> multipart::Form {
    let part = multipart::Part::bytes(upload.bytes.clone()).file_name(upload.name.clone());
    multipart::Form::new().part("file", part)
}

/// An id in an answer.
pub(super) fn id_in(answer: &Answer, field: &str) -> Result<Uuid> {
    Ok(answer.text(field)?.parse()?)
}
