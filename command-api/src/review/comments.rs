//! What was said about an item, from its review: comments decide nothing, so that the rules do not
//! remember them, but an answer that is given again must say them again.

use std::{collections::BTreeMap, convert::Infallible};

use cqrs_es::{Aggregate, event_sink::EventSink};
use domain::{Personal, Review, review::ReviewEvent};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// All comments on one item; takes no commands.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Comments(BTreeMap<Uuid, Comment>);

/// One of them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Comment {
    /// In which round.
    pub round: u32,
    /// What was said.
    pub text: Personal<String>,
}

impl Comments {
    /// The comment of this id.
    pub fn get(&self, id: Uuid) -> Option<&Comment> {
        self.0.get(&id)
    }
}

impl Aggregate for Comments {
    const TYPE: &'static str = Review::TYPE;
    type Command = Infallible;
    type Event = ReviewEvent;
    type Error = Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        command: Infallible,
        (): &(),
        _: &EventSink<Self>,
    ) -> Result<(), Infallible> {
        match command {}
    }

    fn apply(&mut self, event: ReviewEvent) {
        if let ReviewEvent::ReviewCommented {
            round,
            comment_id,
            text,
            ..
        } = event
        {
            self.0.insert(comment_id, Comment { round, text });
        }
    }
}
