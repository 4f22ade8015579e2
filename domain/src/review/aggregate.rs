//! The review as its rules see it.

use super::{Decision, Pending, ReviewCommand, ReviewError, ReviewEvent, Verdict};
use crate::{Personal, UserId, personal::between};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// How long a claim holds.
pub const CLAIM_DURATION: Duration = Duration::minutes(15);

/// The review of one item: its newest round.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Review {
    /// The newest round, if there was one.
    pub round: Option<Round>,
}

/// One round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Which, from 1.
    pub number: u32,
    /// How often its decision was reverted.
    pub reopened: u32,
    /// Whose item it is.
    pub submitter_id: UserId,
    /// Who has taken it on.
    pub claim: Option<Claim>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

/// A reviewer's hold on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who.
    pub reviewer_id: UserId,
    /// Until when.
    pub until: OffsetDateTime,
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// A reviewer decided.
    Decided(Verdict),
    /// Its owner took it back.
    Withdrawn,
}

impl Round {
    fn claimed_by_other(&self, reviewer_id: UserId, now: OffsetDateTime) -> bool {
        self.claim
            .is_some_and(|claim| claim.reviewer_id != reviewer_id && now < claim.until)
    }
}

impl Review {
    /// The round that a command is about: the item's own, opened here if no policy has done so yet.
    /// The events to append first come with it.
    fn current(&self, pending: Option<Pending>) -> Result<(Round, Vec<ReviewEvent>), ReviewError> {
        let Some(pending) = pending else {
            let round = self.round.clone().ok_or(ReviewError::NotPending)?;
            return Ok((round, vec![]));
        };
        match &self.round {
            Some(round) if (round.number, round.reopened) >= (pending.round, pending.reopened) => {
                Ok((round.clone(), vec![]))
            }
            Some(round) if round.number == pending.round => {
                let reopened = ReviewEvent::ReviewReopened {
                    round: round.number,
                };
                Ok((opened_again(round), vec![reopened]))
            }
            _ => Ok((
                Round {
                    number: pending.round,
                    reopened: 0,
                    submitter_id: pending.submitter_id,
                    claim: None,
                    outcome: None,
                },
                vec![opened(pending)],
            )),
        }
    }

    fn decide(&self, command: ReviewCommand) -> Result<Vec<ReviewEvent>, ReviewError> {
        match command {
            ReviewCommand::Open { pending } => Ok(self.current(Some(pending))?.1),
            ReviewCommand::Claim {
                pending,
                reviewer_id,
                allow_self_review,
                now,
            } => {
                let (round, mut events) = self.current(pending)?;
                if !allow_self_review && round.submitter_id == reviewer_id {
                    return Err(ReviewError::SelfReview);
                }
                still_open(&round)?;
                if round.claimed_by_other(reviewer_id, now) {
                    return Err(ReviewError::Claimed);
                }
                let claim = Claim {
                    reviewer_id,
                    until: now + CLAIM_DURATION,
                };
                if round.claim != Some(claim) {
                    events.push(ReviewEvent::ReviewClaimed {
                        round: round.number,
                        reviewer_id,
                        until: claim.until,
                    });
                }
                Ok(events)
            }
            ReviewCommand::ReleaseClaim {
                pending,
                reviewer_id,
                now,
            } => {
                // A round that is not open yet has no claim either.
                let (round, _) = self.current(pending)?;
                not_withdrawn(&round)?;
                if round.claimed_by_other(reviewer_id, now) {
                    return Err(ReviewError::Claimed);
                }
                let mine = round
                    .claim
                    .is_some_and(|claim| claim.reviewer_id == reviewer_id);
                let open = round.outcome.is_none();
                Ok((mine && open)
                    .then_some(ReviewEvent::ClaimReleased {
                        round: round.number,
                        reviewer_id,
                    })
                    .into_iter()
                    .collect())
            }
            ReviewCommand::Decide {
                pending,
                reviewer_id,
                decision,
                feedback,
                allow_self_review,
                now,
            } => {
                let (round, events) = self.current(pending)?;
                if !allow_self_review && round.submitter_id == reviewer_id {
                    return Err(ReviewError::SelfReview);
                }
                let feedback = feedback
                    .filter(|words| !words.trim().is_empty())
                    .map(|words| Personal::new(between(round.submitter_id, reviewer_id), words));
                if feedback.is_none() && decision != Decision::Approve {
                    return Err(ReviewError::FeedbackRequired);
                }
                let verdict = Verdict {
                    decision,
                    reviewer_id,
                    feedback,
                };
                decided(&round, events, verdict, now)
            }
            ReviewCommand::Comment {
                pending,
                comment_id,
                author_id,
                text,
            } => {
                let (round, mut events) = self.current(pending)?;
                not_withdrawn(&round)?;
                events.push(ReviewEvent::ReviewCommented {
                    round: round.number,
                    comment_id,
                    author_id,
                    text: Personal::new(between(round.submitter_id, author_id), text),
                });
                Ok(events)
            }
            ReviewCommand::Withdraw { pending } => {
                let (round, mut events) = self.current(pending)?;
                match round.outcome {
                    None => {
                        events.push(ReviewEvent::ReviewWithdrawn {
                            round: round.number,
                        });
                        Ok(events)
                    }
                    Some(Outcome::Withdrawn) => Ok(vec![]),
                    Some(Outcome::Decided(_)) => Err(ReviewError::AlreadyDecided),
                }
            }
        }
    }
}

fn opened(pending: Pending) -> ReviewEvent {
    ReviewEvent::ReviewOpened {
        round: pending.round,
        project_id: pending.project_id,
        item_type: pending.item_type,
        submitter_id: pending.submitter_id,
    }
}

const fn opened_again(round: &Round) -> Round {
    Round {
        reopened: round.reopened + 1,
        claim: None,
        outcome: None,
        ..*round
    }
}

/// What its owner took back is a draft, and no reviewer's business.
fn not_withdrawn(round: &Round) -> Result<(), ReviewError> {
    match round.outcome {
        Some(Outcome::Withdrawn) => Err(ReviewError::NotPending),
        _ => Ok(()),
    }
}

fn still_open(round: &Round) -> Result<(), ReviewError> {
    match round.outcome {
        None => Ok(()),
        Some(Outcome::Decided(_)) => Err(ReviewError::AlreadyDecided),
        Some(Outcome::Withdrawn) => Err(ReviewError::NotPending),
    }
}

fn decided(
    round: &Round,
    mut events: Vec<ReviewEvent>,
    verdict: Verdict,
    now: OffsetDateTime,
) -> Result<Vec<ReviewEvent>, ReviewError> {
    still_open(round)?;
    if round.claimed_by_other(verdict.reviewer_id, now) {
        return Err(ReviewError::Claimed);
    }
    events.push(ReviewEvent::ReviewDecided {
        round: round.number,
        decision: verdict.decision,
        reviewer_id: verdict.reviewer_id,
        feedback: verdict.feedback,
    });
    Ok(events)
}

impl Aggregate for Review {
    const TYPE: &'static str = "review";
    type Command = ReviewCommand;
    type Event = ReviewEvent;
    type Error = ReviewError;
    type Services = ();

    async fn handle(
        &mut self,
        command: ReviewCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), ReviewError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: ReviewEvent) {
        if let ReviewEvent::ReviewOpened {
            round,
            submitter_id,
            ..
        } = event
        {
            self.round = Some(Round {
                number: round,
                reopened: 0,
                submitter_id,
                claim: None,
                outcome: None,
            });
            return;
        }
        let Some(current) = &mut self.round else {
            return;
        };
        match event {
            ReviewEvent::ReviewOpened { .. } | ReviewEvent::ReviewCommented { .. } => {}
            ReviewEvent::ReviewClaimed {
                reviewer_id, until, ..
            } => current.claim = Some(Claim { reviewer_id, until }),
            ReviewEvent::ClaimReleased { .. } => current.claim = None,
            ReviewEvent::ReviewDecided {
                decision,
                reviewer_id,
                feedback,
                ..
            } => {
                current.outcome = Some(Outcome::Decided(Verdict {
                    decision,
                    reviewer_id,
                    feedback,
                }));
            }
            ReviewEvent::ReviewReopened { .. } => *current = opened_again(current),
            ReviewEvent::ReviewWithdrawn { .. } => current.outcome = Some(Outcome::Withdrawn),
        }
    }
}
