//! Mails that follow from events. The job names ids; who it goes to and what it says is asked from
//! the streams when it is sent, so that nothing is sent about somebody who has left meanwhile.

mod letter;
mod letters;
mod post;
mod refusal;
mod suppressed;
mod template;
mod templates;

use crate::{
    Settings,
    jobs::{Done, Failure, Mail, queue::Leased},
};
use event_store::EventStore;
use letter::Letter;
use letters::Letters;
pub use post::{Authorities, is_sender};
use post::{Post, Undelivered};
use runtime::clock::Clock;
use std::time::Duration;
pub use templates::Templates;

/// Writes and sends mails.
pub(crate) struct Mailer {
    letters: Letters,
    post: Post,
    store: EventStore,
    clock: Clock,
}

impl Mailer {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            letters: Letters {
                store: settings.store.clone(),
                tokens: settings.tokens.clone(),
                clock: settings.clock.clone(),
                public_url: settings.public_url.clone(),
                templates: settings.mail_templates.clone(),
            },
            post: Post::new(
                &settings.mail,
                settings.mail_authorities.clone(),
                settings.mail_directory.clone(),
            ),
            store: settings.store.clone(),
            clock: settings.clock.clone(),
        }
    }

    /// How long to wait before taking on another mail, while the server is left alone.
    pub(crate) fn rest(&self) -> Option<Duration> {
        self.post.rest()
    }

    /// Sends the job's mail, unless there is no reason for it any more.
    pub(crate) async fn attempt(&self, job: &Leased) -> Result<Done, Failure> {
        let Some(mail) = &job.task.mail else {
            return Err(Failure::lasting("BAD_JOB", "the job names no mail"));
        };
        match self.letters.write(mail, job.created_at).await? {
            Ok(letter) => self.send(job, mail, &letter).await,
            Err(why) => Ok(Done::Skipped(why)),
        }
    }

    async fn send(&self, job: &Leased, mail: &Mail, letter: &Letter) -> Result<Done, Failure> {
        let rest = suppressed::until(&self.store, &letter.to, self.clock.now()).await;
        if let Some(until) = rest.map_err(|error| unreadable(&error))? {
            let detail =
                format!("the address refused a mail; nothing is sent there before {until}");
            return Err(Failure::lasting("ADDRESS_SUPPRESSED", detail));
        }
        let sent = self
            .post
            .deliver(letter, mail.as_str(), job.source_event_id, job.created_at);
        let Err(Undelivered { failure, bounce }) = sent.await else {
            return Ok(Done::Sent);
        };
        if let Some(bounce) = bounce {
            let now = self.clock.now();
            let kept = suppressed::suppress(&self.store, &letter.to, bounce, now).await;
            kept.map_err(|error| unreadable(&error))?;
        }
        Err(failure)
    }
}

fn unreadable(error: &sqlx::Error) -> Failure {
    tracing::warn!(%error, "the list of refused addresses cannot be reached: {error}");
    Failure::passing(
        "STORE_UNAVAILABLE",
        "the list of refused addresses cannot be reached",
    )
}
