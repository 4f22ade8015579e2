//! What an item was called when it was made, from its stream: names are sealed there, and kept
//! nowhere else on the command side.

use std::convert::Infallible;

use cqrs_es::{Aggregate, event_sink::EventSink};
use domain::{Personal, Submission, submission::SubmissionEvent};
use serde::{Deserialize, Serialize};

/// The name of an uploaded file or the title of a text, as it was at first; takes no commands.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct FirstName(Option<Personal<String>>);

impl FirstName {
    /// The name; absent once it is erased.
    pub fn get(&self) -> Option<&String> {
        self.0.as_ref().and_then(Personal::get)
    }
}

impl Aggregate for FirstName {
    const TYPE: &'static str = Submission::TYPE;
    type Command = Infallible;
    type Event = SubmissionEvent;
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

    fn apply(&mut self, event: SubmissionEvent) {
        if let SubmissionEvent::DocumentUploaded {
            original_filename: name,
            ..
        }
        | SubmissionEvent::VoiceSampleUploaded {
            original_filename: name,
            ..
        }
        | SubmissionEvent::RawTextCreated { title: name, .. } = event
        {
            self.0 = Some(name);
        }
    }
}
