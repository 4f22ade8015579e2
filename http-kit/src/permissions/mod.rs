//! Who may do what: one table, asked by both APIs. Roles come as words, so that neither side must
//! know the other's types. Which route asks what stands in [`routes`].

pub mod routes;

/// What an account may do everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobalRole {
    /// An ordinary account.
    User,
    /// Sees and administers everything.
    SuperAdmin,
}

/// What a member may do in one project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectRole {
    /// Changes the project and its members, and may do all that the other two may.
    Admin,
    /// Creates data and submits it.
    Contributor,
    /// Claims and decides.
    Reviewer,
}

impl GlobalRole {
    /// The role of this word; an unknown one is the lesser role.
    pub fn of(word: &str) -> Self {
        if word == "super_admin" {
            Self::SuperAdmin
        } else {
            Self::User
        }
    }
}

impl ProjectRole {
    /// The role of this word, if it is one.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "admin" => Some(Self::Admin),
            "contributor" => Some(Self::Contributor),
            "reviewer" => Some(Self::Reviewer),
            _ => None,
        }
    }
}

/// What a caller may want to do. `own` means: with an item, or about figures, of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// See the project and its members.
    SeeProject,
    /// Change or delete it, invite, change roles, remove members.
    ManageProject,
    /// Bring a deleted project back.
    RestoreProject,
    /// Upload or write something new; submit or withdraw one's own.
    Contribute,
    /// Read an item that is a draft.
    ReadDraft,
    /// Read an item that was handed in.
    ReadSubmitted,
    /// Change, delete, restore or process an item that is a draft.
    ChangeDraft,
    /// The same with one that was handed in (what its state allows is another question).
    ChangeSubmitted,
    /// Have an item recognised or transcribed that the caller may read.
    Process,
    /// See the review queue, claim, decide, comment.
    Review,
    /// See figures about contributions: all of the project, or one's own.
    SeeContributionFigures,
    /// See figures about reviews.
    SeeReviewFigures,
    /// See the whole project's audit trail; with `own`, the trail of one's own items.
    SeeProjectAudit,
    /// Users, global figures, global audit, replay, operations.
    Administer,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allow,
    /// 403: the caller knows of it, but may not.
    Forbid,
    /// 404: the caller may not even know of it.
    Hide,
}

impl Verdict {
    /// Nothing when allowed.
    ///
    /// # Errors
    /// 403 or 404.
    pub fn check(self) -> Result<(), crate::ApiError> {
        match self {
            Self::Allow => Ok(()),
            Self::Forbid => Err(crate::ApiError::forbidden()),
            Self::Hide => Err(crate::ApiError::not_found()),
        }
    }
}

/// Whether somebody with these roles may do this. `project` is the caller's role in the project
/// concerned, `None` for who is no member of it.
pub const fn verdict(
    action: Action,
    global: GlobalRole,
    project: Option<ProjectRole>,
    own: bool,
) -> Verdict {
    if matches!(action, Action::Administer) {
        return match global {
            GlobalRole::SuperAdmin => Verdict::Allow,
            GlobalRole::User => Verdict::Forbid,
        };
    }
    let as_member = match project {
        Some(role) => member(action, role, own),
        None => Verdict::Hide,
    };
    match (global, as_member) {
        (GlobalRole::User, verdict) => verdict,
        (GlobalRole::SuperAdmin, Verdict::Allow) => Verdict::Allow,
        (GlobalRole::SuperAdmin, _) => super_admin(action, own),
    }
}

/// The table, by columns `admin`, `contributor`, `reviewer`.
#[expect(clippy::match_same_arms, reason = "a table is read row by row")]
const fn member(action: Action, role: ProjectRole, own: bool) -> Verdict {
    use Verdict::{Allow, Forbid, Hide};
    let (admin, contributor, reviewer) = match (action, own) {
        (Action::SeeProject, _) => (Allow, Allow, Allow),
        (Action::ManageProject, _) => (Allow, Forbid, Forbid),
        (Action::RestoreProject | Action::Administer, _) => (Forbid, Forbid, Forbid),
        (Action::Contribute, _) => (Allow, Allow, Forbid),
        (Action::ReadDraft, true) => (Allow, Allow, Forbid),
        (Action::ReadDraft, false) => (Allow, Hide, Hide),
        (Action::ReadSubmitted, true) => (Allow, Allow, Allow),
        (Action::ReadSubmitted, false) => (Allow, Hide, Allow),
        (Action::ChangeDraft | Action::ChangeSubmitted, true) => (Allow, Allow, Forbid),
        (Action::ChangeDraft, false) => (Forbid, Hide, Hide),
        (Action::ChangeSubmitted, false) => (Forbid, Hide, Forbid),
        (Action::Process, true) => (Allow, Allow, Forbid),
        (Action::Process, false) => (Allow, Forbid, Forbid),
        (Action::Review, _) => (Allow, Forbid, Allow),
        (Action::SeeContributionFigures, true) => (Allow, Allow, Forbid),
        (Action::SeeContributionFigures, false) => (Allow, Forbid, Forbid),
        (Action::SeeReviewFigures, _) => (Allow, Forbid, Allow),
        (Action::SeeProjectAudit, true) => (Allow, Allow, Allow),
        (Action::SeeProjectAudit, false) => (Allow, Forbid, Forbid),
    };
    match role {
        ProjectRole::Admin => admin,
        ProjectRole::Contributor => contributor,
        ProjectRole::Reviewer => reviewer,
    }
}

/// What a super admin may do beyond what membership gives.
const fn super_admin(action: Action, own: bool) -> Verdict {
    match action {
        // Contributing is for members.
        Action::Contribute => Verdict::Forbid,
        Action::ChangeDraft | Action::ChangeSubmitted if !own => Verdict::Forbid,
        _ => Verdict::Allow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Allow, Forbid, Hide};

    /// Columns: admin, contributor, reviewer, super admin (no member), stranger; for others' items
    /// and for own ones.
    const TABLE: [(Action, bool, [Verdict; 5]); 23] = [
        (
            Action::SeeProject,
            false,
            [Allow, Allow, Allow, Allow, Hide],
        ),
        (
            Action::ManageProject,
            false,
            [Allow, Forbid, Forbid, Allow, Hide],
        ),
        (
            Action::RestoreProject,
            false,
            [Forbid, Forbid, Forbid, Allow, Hide],
        ),
        (
            Action::Contribute,
            false,
            [Allow, Allow, Forbid, Forbid, Hide],
        ),
        (
            Action::Contribute,
            true,
            [Allow, Allow, Forbid, Forbid, Hide],
        ),
        (Action::ReadDraft, false, [Allow, Hide, Hide, Allow, Hide]),
        (Action::ReadDraft, true, [Allow, Allow, Forbid, Allow, Hide]),
        (
            Action::ReadSubmitted,
            false,
            [Allow, Hide, Allow, Allow, Hide],
        ),
        (
            Action::ReadSubmitted,
            true,
            [Allow, Allow, Allow, Allow, Hide],
        ),
        (
            Action::ChangeDraft,
            false,
            [Forbid, Hide, Hide, Forbid, Hide],
        ),
        (
            Action::ChangeDraft,
            true,
            [Allow, Allow, Forbid, Allow, Hide],
        ),
        (
            Action::ChangeSubmitted,
            false,
            [Forbid, Hide, Forbid, Forbid, Hide],
        ),
        (
            Action::ChangeSubmitted,
            true,
            [Allow, Allow, Forbid, Allow, Hide],
        ),
        (Action::Process, false, [Allow, Forbid, Forbid, Allow, Hide]),
        (Action::Process, true, [Allow, Allow, Forbid, Allow, Hide]),
        (Action::Review, false, [Allow, Forbid, Allow, Allow, Hide]),
        (Action::Review, true, [Allow, Forbid, Allow, Allow, Hide]),
        (
            Action::SeeContributionFigures,
            false,
            [Allow, Forbid, Forbid, Allow, Hide],
        ),
        (
            Action::SeeContributionFigures,
            true,
            [Allow, Allow, Forbid, Allow, Hide],
        ),
        (
            Action::SeeReviewFigures,
            false,
            [Allow, Forbid, Allow, Allow, Hide],
        ),
        (
            Action::SeeProjectAudit,
            false,
            [Allow, Forbid, Forbid, Allow, Hide],
        ),
        (
            Action::SeeProjectAudit,
            true,
            [Allow, Allow, Allow, Allow, Hide],
        ),
        (
            Action::Administer,
            false,
            [Forbid, Forbid, Forbid, Allow, Forbid],
        ),
    ];

    #[test]
    fn everybody_may_do_what_the_table_says_and_nothing_else() {
        let somebody = [
            (GlobalRole::User, Some(ProjectRole::Admin)),
            (GlobalRole::User, Some(ProjectRole::Contributor)),
            (GlobalRole::User, Some(ProjectRole::Reviewer)),
            (GlobalRole::SuperAdmin, None),
            (GlobalRole::User, None),
        ];
        for (action, own, row) in TABLE {
            for ((global, project), expected) in somebody.into_iter().zip(row) {
                let given = verdict(action, global, project, own);
                assert_eq!(
                    given, expected,
                    "{action:?}, own: {own}, {global:?}, {project:?}"
                );
            }
        }
    }

    #[test]
    fn a_super_admin_who_is_a_member_may_do_what_either_may() {
        let contributor = Some(ProjectRole::Contributor);
        let may = |action, own| verdict(action, GlobalRole::SuperAdmin, contributor, own);
        assert_eq!(may(Action::Contribute, true), Allow);
        assert_eq!(may(Action::ReadDraft, false), Allow);
        assert_eq!(may(Action::ChangeDraft, false), Forbid);
        assert_eq!(may(Action::Review, false), Allow);
    }

    #[test]
    fn words_that_are_no_roles_give_no_rights() {
        assert_eq!(GlobalRole::of("root"), GlobalRole::User);
        assert_eq!(ProjectRole::of("owner"), None);
    }
}
