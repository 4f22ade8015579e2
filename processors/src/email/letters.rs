//! What each mail says: facts from the streams, links with tokens made anew, templates filled in.
//! `Err(word)` is not a failure: there is no reason for the mail any more, and the word says why.

use super::{
    letter::Letter,
    template::{Values, one_line},
    templates::{Kind, Templates},
};
use crate::jobs::{Failure, Mail, item_facts::ItemFacts};
use domain::{
    Personal, ProjectMembership, User, project_membership::InvitationState, review::Decision,
    submission::Status, user::Standing,
};
use event_store::EventStore;
use runtime::{
    clock::Clock,
    signed_token::{SignedTokens, TokenKind},
};
use std::sync::Arc;
use time::{Duration, OffsetDateTime, UtcOffset, macros::format_description};
use uuid::Uuid;

/// News about a decision is no news after this.
const NEWS_FOR: Duration = Duration::days(7);
/// The longest name or title in a sentence, in characters.
const NAME_CHARS: usize = 100;

const EXPIRED: &str = "EXPIRED";
const RECIPIENT_GONE: &str = "RECIPIENT_GONE";
const NOT_NEEDED: &str = "NOT_NEEDED";
const SUPERSEDED: &str = "SUPERSEDED";

type Written = Result<Result<Letter, &'static str>, Failure>;

/// Writes mails.
pub(super) struct Letters {
    pub store: EventStore,
    pub tokens: SignedTokens,
    pub clock: Clock,
    pub public_url: String,
    pub templates: Arc<Templates>,
}

/// What there is to say about an item.
struct News<'a> {
    kind: Kind,
    headline: &'a str,
    more: &'a Values<'a>,
}

impl Letters {
    /// The letter, or the reason why there is none; `asked_at` is when its event was recorded.
    pub(super) async fn write(&self, mail: &Mail, asked_at: OffsetDateTime) -> Written {
        match *mail {
            Mail::VerifyEmail {
                user_id,
                nonce,
                expires_at,
            } => self.verify_email(user_id, nonce, expires_at).await,
            Mail::ResetPassword {
                user_id,
                reset_id,
                expires_at,
            } => self.reset_password(user_id, reset_id, expires_at).await,
            Mail::Invitation {
                project_id,
                invitation_id,
                invited_by_id,
            } => {
                self.invitation(project_id, invitation_id, invited_by_id)
                    .await
            }
            Mail::Decision {
                item_id,
                round,
                version,
            } => self.decision(item_id, round, version, asked_at).await,
            Mail::Reversal { item_id, version } => self.reversal(item_id, version, asked_at).await,
        }
    }

    async fn verify_email(
        &self,
        user_id: Uuid,
        nonce: Uuid,
        expires_at: OffsetDateTime,
    ) -> Written {
        let user = self.store.load::<User>(user_id).await?.aggregate;
        let Some((standing, to)) = reachable(&user) else {
            return Ok(Err(RECIPIENT_GONE));
        };
        if standing.is_verified {
            return Ok(Err(NOT_NEEDED));
        }
        if self.clock.now() >= expires_at {
            return Ok(Err(EXPIRED));
        }
        let token = self
            .tokens
            .sign(TokenKind::VerifyEmail, user_id, nonce, expires_at);
        let link = format!("{}/api/auth/verify-email?token={token}", self.public_url);
        let values = [
            ("name", &*name_of(standing)),
            ("link", &*link),
            ("until", &*moment(expires_at)),
        ];
        let subject = "Confirm your e-mail address".to_owned();
        Ok(Ok(self.templates.letter(
            Kind::VerifyEmail,
            to,
            subject,
            &values,
        )))
    }

    async fn reset_password(
        &self,
        user_id: Uuid,
        reset_id: Uuid,
        expires_at: OffsetDateTime,
    ) -> Written {
        let user = self.store.load::<User>(user_id).await?.aggregate;
        let Some((standing, to)) = reachable(&user) else {
            return Ok(Err(RECIPIENT_GONE));
        };
        if standing.pending_reset.map(|(pending, _)| pending) != Some(reset_id) {
            return Ok(Err(SUPERSEDED));
        }
        if self.clock.now() >= expires_at {
            return Ok(Err(EXPIRED));
        }
        let token = self
            .tokens
            .sign(TokenKind::ResetPassword, user_id, reset_id, expires_at);
        let link = format!("{}/reset-password?token={token}", self.public_url);
        let values = [
            ("name", &*name_of(standing)),
            ("link", &*link),
            ("until", &*moment(expires_at)),
        ];
        let subject = "Set a new password".to_owned();
        Ok(Ok(self.templates.letter(
            Kind::ResetPassword,
            to,
            subject,
            &values,
        )))
    }

    async fn invitation(
        &self,
        project_id: Uuid,
        invitation_id: Uuid,
        invited_by_id: Uuid,
    ) -> Written {
        let (membership, inviter) = self
            .store
            .load_two::<ProjectMembership, User>(project_id, invited_by_id)
            .await?;
        let Some(project) = membership.aggregate.project() else {
            return Ok(Err(NOT_NEEDED));
        };
        let invitation = project.invitations.get(&invitation_id);
        let pending = invitation.filter(|invitation| invitation.state == InvitationState::Pending);
        let Some(invitation) = pending else {
            return Ok(Err(NOT_NEEDED));
        };
        let Some(to) = invitation.email.get() else {
            return Ok(Err(RECIPIENT_GONE));
        };
        let expires_at = invitation.expires_at;
        if self.clock.now() >= expires_at {
            return Ok(Err(EXPIRED));
        }
        let token = self
            .tokens
            .sign(TokenKind::Invitation, project_id, invitation_id, expires_at);
        let link = format!(
            "{}/api/projects/invitations/{token}/accept",
            self.public_url
        );
        let project = one_line(&project.name, NAME_CHARS);
        let inviter = inviter
            .aggregate
            .standing()
            .map(name_of)
            .unwrap_or_default();
        let inviter = if inviter.is_empty() {
            "A project admin".to_owned()
        } else {
            inviter
        };
        let values = [
            ("project", &*project),
            ("inviter", &*inviter),
            ("role", invitation.role.as_str()),
            ("link", &*link),
            ("until", &*moment(expires_at)),
        ];
        let subject = format!("Invitation to {project}");
        let letter = self
            .templates
            .letter(Kind::Invitation, to.clone(), subject, &values);
        Ok(Ok(letter))
    }

    /// A decision that was taken back, or made again since, is no news.
    async fn decision(
        &self,
        item_id: Uuid,
        round: u32,
        version: u64,
        asked_at: OffsetDateTime,
    ) -> Written {
        if self.clock.now() >= asked_at + NEWS_FOR {
            return Ok(Err(EXPIRED));
        }
        let facts = self.store.load::<ItemFacts>(item_id).await?.aggregate;
        let verdict = facts.verdicts.get(&round);
        let verdict = verdict.filter(|(at, _)| version == 0 || version == *at);
        let Some((_, verdict)) = verdict else {
            return Ok(Err(NOT_NEEDED));
        };
        let (headline, sentence) = words_for(verdict.decision);
        let feedback = verdict.feedback.as_ref().and_then(Personal::get);
        let more = [
            ("sentence", sentence),
            ("feedback", feedback.map_or("", |words| words.trim())),
        ];
        let news = News {
            kind: Kind::Decision,
            headline,
            more: &more,
        };
        self.to_owner(item_id, &facts, &news).await
    }

    /// That the item waits again is news as long as it does.
    async fn reversal(&self, item_id: Uuid, version: u64, asked_at: OffsetDateTime) -> Written {
        if self.clock.now() >= asked_at + NEWS_FOR {
            return Ok(Err(EXPIRED));
        }
        let facts = self.store.load::<ItemFacts>(item_id).await?.aggregate;
        let item = facts.submission.item();
        let waits = item.is_some_and(|item| item.status == Status::PendingReview);
        if !waits || facts.reverted != Some(version) {
            return Ok(Err(NOT_NEEDED));
        }
        let news = News {
            kind: Kind::Reversal,
            headline: "Back in review",
            more: &[],
        };
        self.to_owner(item_id, &facts, &news).await
    }

    /// A letter to an item's owner about the item.
    async fn to_owner(&self, item_id: Uuid, facts: &ItemFacts, news: &News<'_>) -> Written {
        let Some(item) = facts.submission.item_even_deleted() else {
            return Ok(Err(NOT_NEEDED));
        };
        let owner = self.store.load::<User>(item.owner_id).await?.aggregate;
        let Some((standing, to)) = reachable(&owner) else {
            return Ok(Err(RECIPIENT_GONE));
        };
        let item_name = facts.name.as_ref().and_then(Personal::get);
        let item_name = one_line(item_name.map_or("", String::as_str), NAME_CHARS);
        let (id, name) = (item_id.to_string(), name_of(standing));
        let item_type = item.item_type.as_str().replace('_', " ");
        let mut values = vec![
            ("name", &*name),
            ("item", &*item_name),
            ("type", &*item_type),
            ("id", &*id),
        ];
        values.extend(news.more);
        let title = if item_name.is_empty() {
            &id
        } else {
            &item_name
        };
        let subject = format!("{}: {title}", news.headline);
        Ok(Ok(self.templates.letter(news.kind, to, subject, &values)))
    }
}

/// The account's standing and address, unless it was closed or erased.
fn reachable(user: &User) -> Option<(&Standing, String)> {
    let standing = user.standing()?;
    let address = standing.email.get()?.clone();
    Some((standing, address))
}

fn name_of(standing: &Standing) -> String {
    let name = standing.name.as_ref().and_then(Personal::get);
    one_line(name.map_or("", String::as_str), NAME_CHARS)
}

const fn words_for(decision: Decision) -> (&'static str, &'static str) {
    match decision {
        Decision::Approve => ("Approved", "has been approved"),
        Decision::Reject => ("Rejected", "has been rejected"),
        Decision::RequestChanges => ("Changes requested", "has come back to you for changes"),
    }
}

fn moment(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    at.to_offset(UtcOffset::UTC)
        .format(&form)
        .unwrap_or_default()
}
