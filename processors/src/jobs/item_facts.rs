//! What background work needs to know of an item beyond what its rules read: where the file is, what
//! it is called, what was decided, how runs ended. Folded from the item's own stream; it takes no
//! commands.

use super::queue::End;
use cqrs_es::{Aggregate, event_sink::EventSink};
use domain::{
    Personal, Submission,
    review::{Decision, Verdict},
    submission::{StoredFile, SubmissionEvent},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, convert::Infallible};
use uuid::Uuid;

/// One item, for background work.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ItemFacts {
    /// What its rules know.
    pub submission: Submission,
    /// The uploaded file.
    pub file: Option<StoredFile>,
    /// What its owner knows it by: the file's name or the text's title.
    pub name: Option<Personal<String>>,
    /// How many events it has.
    pub version: u64,
    /// What was decided in each round and not taken back, and the version after that.
    pub verdicts: BTreeMap<u32, (u64, Verdict)>,
    /// The version after a decision was last taken back.
    pub reverted: Option<u64>,
    /// How the last finished run ended.
    pub ended: Option<EndedRun>,
}

/// How a run ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EndedRun {
    pub run_id: Uuid,
    pub end: End,
}

/// Nobody can make one: these facts take no commands.
#[derive(Debug, Clone)]
pub(crate) enum NoCommand {}

impl ItemFacts {
    fn decided(
        &mut self,
        round: u32,
        decision: Decision,
        reviewer_id: Uuid,
        feedback: Option<Personal<String>>,
    ) {
        let verdict = Verdict {
            decision,
            reviewer_id,
            feedback,
        };
        self.verdicts.insert(round, (self.version, verdict));
    }

    fn ended(&mut self, run_id: Uuid, end: End) {
        self.ended = Some(EndedRun { run_id, end });
    }
}

impl Aggregate for ItemFacts {
    const TYPE: &'static str = Submission::TYPE;
    type Command = NoCommand;
    type Event = SubmissionEvent;
    type Error = Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        command: NoCommand,
        (): &(),
        _sink: &EventSink<Self>,
    ) -> Result<(), Infallible> {
        match command {}
    }

    fn apply(&mut self, event: SubmissionEvent) {
        self.submission.apply(event.clone());
        self.version += 1;
        match event {
            SubmissionEvent::DocumentUploaded {
                original_filename,
                file,
                ..
            }
            | SubmissionEvent::VoiceSampleUploaded {
                original_filename,
                file,
                ..
            } => {
                self.file = Some(file);
                self.name = Some(original_filename);
            }
            SubmissionEvent::RawTextCreated { title, .. }
            | SubmissionEvent::SubmissionEdited {
                title: Some(title), ..
            } => self.name = Some(title),
            SubmissionEvent::SubmissionApproved {
                round,
                reviewer_id,
                feedback,
            } => self.decided(round, Decision::Approve, reviewer_id, feedback),
            SubmissionEvent::SubmissionRejected {
                round,
                reviewer_id,
                feedback,
            } => self.decided(round, Decision::Reject, reviewer_id, feedback),
            SubmissionEvent::ChangesRequested {
                round,
                reviewer_id,
                feedback,
            } => self.decided(round, Decision::RequestChanges, reviewer_id, feedback),
            SubmissionEvent::DecisionReverted { round, .. } => {
                self.verdicts.remove(&round);
                self.reverted = Some(self.version);
            }
            SubmissionEvent::ProcessingSucceeded { run_id, .. } => {
                self.ended(run_id, End::Succeeded);
            }
            SubmissionEvent::ProcessingFailed { run_id, .. } => self.ended(run_id, End::Failed),
            SubmissionEvent::ProcessingDeadLettered { run_id, .. } => self.ended(run_id, End::Dead),
            _ => {}
        }
    }
}
