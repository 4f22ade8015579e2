//! What happens by itself: policies, recognition and transcription, mails. Events in, commands out;
//! knows nothing of HTTP and reads no read model.

pub mod audio;
pub mod email;
mod engines;
mod follow;
pub mod jobs;
pub mod ocr;
mod policies;
mod remote;
mod run;
pub mod transcription;
pub mod when_review_ended_record_outcome;
pub mod when_submission_submitted_open_review;
mod when_user_erased_leave_nothing;

pub use engines::{BadSetting, Engines};
pub use run::{Part, Settings, UnknownPart, run};
