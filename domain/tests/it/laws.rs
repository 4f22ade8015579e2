//! Laws over random histories: replay equals live, a settled command settles nothing more, every
//! project has an admin, every review round has at most one outcome each time it was open and the
//! item follows it.

mod commands;

use cqrs_es::{Aggregate, event_sink::EventSink};
use domain::{
    ProjectMembership, ProjectRole, Review, Submission, User,
    policy::{open_review, pending, record_outcome},
    review::{ReviewCommand, ReviewEvent},
    submission::{Status, SubmissionCommand, SubmissionEvent},
    user::UserCommand,
};
use proptest::{collection::vec, prelude::*};
use std::{
    collections::BTreeMap,
    fmt::Debug,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// A stream as the event store would keep it, with the aggregate it led to.
struct Stream<A: Aggregate> {
    live: A,
    stored: Vec<serde_json::Value>,
}

impl<A: Aggregate<Services = ()> + Clone + PartialEq + Debug> Stream<A> {
    fn new() -> Self {
        Self {
            live: A::default(),
            stored: vec![],
        }
    }

    /// Sends a command; the events that it led to.
    fn send(&mut self, command: A::Command) -> Result<Vec<A::Event>, A::Error> {
        let sink = EventSink::default();
        ready(self.live.handle(command, &(), &sink))?;
        let events = ready(sink.collect());
        let json = |event| serde_json::to_value(event).expect("events are JSON");
        self.stored.extend(events.iter().map(json));
        Ok(events)
    }

    fn replayed(&self) -> A {
        let mut replayed = A::default();
        for event in &self.stored {
            let event = serde_json::from_value(event.clone()).expect("what was stored loads");
            replayed.apply(event);
        }
        replayed
    }
}

/// The rules never wait, so that one poll is enough.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a rule waited for something"),
    }
}

/// Sends all commands, each twice unless each time counts; holds both laws at every step.
fn hold<A>(
    commands: Vec<A::Command>,
    each_counts: fn(&A::Command) -> bool,
) -> Result<(), TestCaseError>
where
    A: Aggregate<Services = ()> + Clone + PartialEq + Debug,
    A::Command: Clone + Debug,
{
    let mut stream = Stream::<A>::new();
    for command in commands {
        let before = stream.live.clone();
        let first = stream.send(command.clone());
        prop_assert_eq!(&stream.replayed(), &stream.live, "after {:?}", command);
        if first.is_err() {
            prop_assert_eq!(&stream.live, &before, "refused {:?}", command);
        } else if !each_counts(&command) {
            let again = stream.send(command.clone()).unwrap_or_default();
            prop_assert!(again.is_empty(), "{:?} twice led to {:?}", command, again);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn accounts_replay_and_settle(commands in vec(commands::user(), 1..30)) {
        hold::<User>(commands, |command| matches!(
            command,
            UserCommand::RequestVerification { .. }
                | UserCommand::RequestPasswordReset { .. }
                | UserCommand::ChangePassword
        ))?;
    }

    #[test]
    fn projects_replay_and_settle(commands in vec(commands::project(), 1..40)) {
        hold::<ProjectMembership>(commands, |_| false)?;
    }

    #[test]
    fn items_replay_and_settle(commands in vec(commands::submission(), 1..40)) {
        hold::<Submission>(commands, |command| matches!(
            command,
            SubmissionCommand::Edit(edit) if edit.content.is_some()
        ))?;
    }

    #[test]
    fn reviews_replay_and_settle(commands in vec(commands::review(), 1..40)) {
        hold::<Review>(commands, |command| matches!(command, ReviewCommand::Comment { .. }))?;
    }

    #[test]
    fn a_project_always_has_an_admin(commands in vec(commands::project(), 1..60)) {
        let mut stream = Stream::<ProjectMembership>::new();
        // Only erasure takes the last admin away.
        let by_members = |command: &domain::project_membership::ProjectCommand| !matches!(command, domain::project_membership::ProjectCommand::RemoveErased { .. });
        for command in commands.into_iter().filter(by_members) {
            let _ = stream.send(command);
            if let ProjectMembership::Created(project) = &stream.live {
                let admin = project.members.values().any(|member| member.role == ProjectRole::Admin);
                prop_assert!(admin, "no admin in {:?}", project);
            }
        }
    }

    #[test]
    fn an_open_round_has_one_outcome_and_the_item_follows_it(steps in vec(commands::step(), 1..80)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.take(step);
        }
        pair.settle();
        pair.check()?;
    }
}

/// One thing that happens to an item: a command of its owner or a reviewer, or a policy's turn.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a test holds a few; a box would show in every match"
)]
pub enum Step {
    /// Its owner acts, or a decision is taken back.
    Owner(SubmissionCommand),
    /// A reviewer acts, or its owner withdraws.
    Review(ReviewCommand),
    /// The policies catch up.
    Policies,
}

/// An item with its review, as the command side and the policies drive them.
struct Pair {
    item: Stream<Submission>,
    review: Stream<Review>,
}

impl Pair {
    fn new() -> Self {
        Self {
            item: Stream::new(),
            review: Stream::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Owner(command) => {
                self.catch_up();
                let _ = self.item.send(command);
            }
            Step::Review(command) => {
                let command = with_facts(command, &self.item.live);
                let _ = self.review.send(command);
            }
            Step::Policies => self.settle(),
        }
    }

    /// What the command side does before an owner's command.
    fn catch_up(&mut self) {
        if let Some(command) = record_outcome(&self.review.live) {
            self.item
                .send(command)
                .expect("an outcome is never refused");
        }
    }

    fn settle(&mut self) {
        self.catch_up();
        if let Some(command) = open_review(&self.item.live) {
            self.review
                .send(command)
                .expect("an opening is never refused");
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let (mut outcomes, mut reopened) = (BTreeMap::<(u32, u32), u32>::new(), 0);
        for event in &self.review.stored {
            let event = serde_json::from_value(event.clone()).expect("what was stored loads");
            match event {
                ReviewEvent::ReviewOpened { .. } => reopened = 0,
                ReviewEvent::ReviewReopened { .. } => reopened += 1,
                ReviewEvent::ReviewDecided { round, .. }
                | ReviewEvent::ReviewWithdrawn { round } => {
                    *outcomes.entry((round, reopened)).or_default() += 1;
                }
                _ => {}
            }
        }
        prop_assert!(outcomes.values().all(|count| *count == 1), "{:?}", outcomes);
        let followed = self
            .item
            .stored
            .iter()
            .filter(|event| is_outcome(event))
            .count();
        prop_assert_eq!(followed, outcomes.len());
        if let Some(item) = self.item.live.item_even_deleted() {
            let waits = item.status == Status::PendingReview;
            let reverted = self
                .item
                .stored
                .iter()
                .filter(|event| event.get("DecisionReverted").is_some());
            let waited = item.rounds as usize + reverted.count();
            prop_assert_eq!(waits, waited > outcomes.len());
            prop_assert!(waited <= outcomes.len() + 1);
        }
        Ok(())
    }
}

fn is_outcome(event: &serde_json::Value) -> bool {
    let event = serde_json::from_value(event.clone()).expect("what was stored loads");
    matches!(
        event,
        SubmissionEvent::SubmissionApproved { .. }
            | SubmissionEvent::SubmissionRejected { .. }
            | SubmissionEvent::ChangesRequested { .. }
            | SubmissionEvent::SubmissionWithdrawn { .. }
    )
}

/// The same command with what the item's stream says now.
fn with_facts(mut command: ReviewCommand, item: &Submission) -> ReviewCommand {
    if let ReviewCommand::Claim { pending: facts, .. }
    | ReviewCommand::Decide { pending: facts, .. }
    | ReviewCommand::Comment { pending: facts, .. }
    | ReviewCommand::Withdraw { pending: facts } = &mut command
    {
        *facts = pending(item);
    }
    command
}
