//! Mails that follow from events. The job names ids; who it goes to and what it says is asked from
//! the streams when it is sent, so that nothing is sent about somebody who has left meanwhile.

mod letter;
mod letters;
mod post;
mod template;

use crate::{
    Settings,
    jobs::{Done, Failure, queue::Leased},
};
use letters::Letters;
use post::Post;
pub use post::is_sender;

/// Writes and sends mails.
pub(crate) struct Mailer {
    letters: Letters,
    post: Post,
}

impl Mailer {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            letters: Letters {
                store: settings.store.clone(),
                tokens: settings.tokens.clone(),
                clock: settings.clock.clone(),
                public_url: settings.public_url.clone(),
            },
            post: Post::new(&settings.mail, settings.mail_directory.clone()),
        }
    }

    /// Sends the job's mail, unless there is no reason for it any more.
    pub(crate) async fn attempt(&self, job: &Leased) -> Result<Done, Failure> {
        let Some(mail) = &job.task.mail else {
            return Err(Failure::lasting("BAD_JOB", "the job names no mail"));
        };
        match self.letters.write(mail, job.created_at).await? {
            Ok(letter) => {
                self.post
                    .deliver(&letter, mail.as_str(), job.source_event_id, job.created_at)
                    .await?;
                Ok(Done::Sent)
            }
            Err(why) => Ok(Done::Skipped(why)),
        }
    }
}
