//! Given, when, then: what a project allows, refuses and quietly ignores.

use super::{ProjectCommand, ProjectError, ProjectEvent, ProjectMembership};
use crate::{Personal, ProjectRole};
use cqrs_es::{Aggregate, test::TestFramework};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const MAKER: Uuid = Uuid::from_u128(1);
const GUEST: Uuid = Uuid::from_u128(2);
const STRANGER: Uuid = Uuid::from_u128(3);
const INVITATION: Uuid = Uuid::from_u128(4);
const MEMBERSHIP: Uuid = Uuid::from_u128(5);
const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const LATER: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::days(7));

type Outcome = Result<Vec<ProjectEvent>, ProjectError>;

fn result(given: Vec<ProjectEvent>, when: ProjectCommand) -> Outcome {
    TestFramework::<ProjectMembership>::with(())
        .given(given)
        .when(when)
        .inspect_result()
}

fn create() -> ProjectCommand {
    ProjectCommand::Create {
        name: "Diwan".into(),
        description: None,
        created_by_id: MAKER,
        membership_id: MEMBERSHIP,
    }
}

fn created() -> Vec<ProjectEvent> {
    vec![
        ProjectEvent::ProjectCreated {
            name: "Diwan".into(),
            description: None,
            created_by_id: MAKER,
            allow_self_review: true,
        },
        joined(MAKER, ProjectRole::Admin),
    ]
}

fn joined(user_id: Uuid, role: ProjectRole) -> ProjectEvent {
    ProjectEvent::MemberJoined {
        membership_id: MEMBERSHIP,
        user_id,
        role,
    }
}

fn with(more: impl IntoIterator<Item = ProjectEvent>) -> Vec<ProjectEvent> {
    created().into_iter().chain(more).collect()
}

fn invite(invitee_id: Option<Uuid>) -> ProjectCommand {
    ProjectCommand::Invite {
        invitation_id: INVITATION,
        email: "guest@example.org".into(),
        invitee_id,
        role: ProjectRole::Reviewer,
        invited_by_id: MAKER,
        expires_at: LATER,
    }
}

fn invited() -> ProjectEvent {
    ProjectEvent::MemberInvited {
        invitation_id: INVITATION,
        email: Personal::new(INVITATION, "guest@example.org".into()),
        role: ProjectRole::Reviewer,
        invited_by_id: MAKER,
        expires_at: LATER,
    }
}

fn accept(user_id: Uuid, email: &str, now: OffsetDateTime) -> ProjectCommand {
    ProjectCommand::AcceptInvitation {
        invitation_id: INVITATION,
        user_id,
        email: email.into(),
        membership_id: MEMBERSHIP,
        now,
    }
}

fn accepted() -> Vec<ProjectEvent> {
    vec![
        ProjectEvent::InvitationAccepted {
            invitation_id: INVITATION,
            user_id: GUEST,
        },
        joined(GUEST, ProjectRole::Reviewer),
    ]
}

const REVOKE: ProjectCommand = ProjectCommand::RevokeInvitation {
    invitation_id: INVITATION,
};
const REVOKED: ProjectEvent = ProjectEvent::InvitationRevoked {
    invitation_id: INVITATION,
};

fn rename(name: &str) -> ProjectCommand {
    ProjectCommand::Change {
        name: Some(name.into()),
        description: None,
        allow_self_review: None,
    }
}

fn describe(description: Option<&str>) -> ProjectCommand {
    ProjectCommand::Change {
        name: None,
        description: Some(description.map(Into::into)),
        allow_self_review: None,
    }
}

fn role(user_id: Uuid, role: ProjectRole) -> ProjectCommand {
    ProjectCommand::ChangeRole { user_id, role }
}

fn commands_to_a_living_project() -> Vec<ProjectCommand> {
    vec![
        rename("x"),
        ProjectCommand::Delete,
        invite(None),
        REVOKE,
        accept(GUEST, "guest@example.org", NOW),
        role(MAKER, ProjectRole::Reviewer),
        ProjectCommand::RemoveMember { user_id: MAKER },
        ProjectCommand::Leave { user_id: MAKER },
    ]
}

#[test]
fn whoever_makes_a_project_becomes_its_admin() {
    assert_eq!(result(vec![], create()), Ok(created()));
}

#[test]
fn making_the_same_project_again_is_refused() {
    let refused = Err(ProjectError::AlreadyCreated);
    assert_eq!(result(created(), create()), refused);
    let deleted = with([ProjectEvent::ProjectDeleted {}]);
    assert_eq!(result(deleted, create()), refused);
}

#[test]
fn a_project_that_never_was_or_is_deleted_refuses() {
    for command in commands_to_a_living_project() {
        let refused = Err(ProjectError::ProjectNotFound);
        assert_eq!(result(vec![], command.clone()), refused, "{command:?}");
        let deleted = with([ProjectEvent::ProjectDeleted {}]);
        assert_eq!(result(deleted, command.clone()), refused, "{command:?}");
    }
    let never = result(vec![], ProjectCommand::Restore);
    assert_eq!(never, Err(ProjectError::ProjectNotFound));
}

#[test]
fn a_change_keeps_what_was_not_given_and_an_equal_one_is_ignored() {
    let changed = |name: &str, description: Option<&str>| ProjectEvent::ProjectChanged {
        name: name.into(),
        description: description.map(Into::into),
        allow_self_review: true,
    };
    let renamed = result(created(), rename("Majlis"));
    assert_eq!(renamed, Ok(vec![changed("Majlis", None)]));
    let described = result(created(), describe(Some("old books")));
    assert_eq!(described, Ok(vec![changed("Diwan", Some("old books"))]));
    let given = with([changed("Diwan", Some("old books"))]);
    let removed = result(given, describe(None));
    assert_eq!(removed, Ok(vec![changed("Diwan", None)]));
    for same in [rename("Diwan"), describe(None)] {
        assert_eq!(result(created(), same), Ok(vec![]));
    }
}

#[test]
fn self_review_can_be_forbidden_and_allowed_again() {
    let allow = |allow_self_review| ProjectCommand::Change {
        name: None,
        description: None,
        allow_self_review: Some(allow_self_review),
    };
    let forbidden = ProjectEvent::ProjectChanged {
        name: "Diwan".into(),
        description: None,
        allow_self_review: false,
    };
    assert_eq!(result(created(), allow(true)), Ok(vec![]));
    let first = result(created(), allow(false));
    assert_eq!(first, Ok(vec![forbidden.clone()]));
    assert_eq!(result(with([forbidden]), allow(false)), Ok(vec![]));
}

#[test]
fn a_deleted_project_comes_back_once() {
    let deleted = ProjectEvent::ProjectDeleted {};
    let gone = result(created(), ProjectCommand::Delete);
    assert_eq!(gone, Ok(vec![deleted.clone()]));
    let back = result(with([deleted]), ProjectCommand::Restore);
    assert_eq!(back, Ok(vec![ProjectEvent::ProjectRestored {}]));
    assert_eq!(result(created(), ProjectCommand::Restore), Ok(vec![]));
}

#[test]
fn an_invitation_is_sealed_under_its_own_key() {
    assert_eq!(result(created(), invite(None)), Ok(vec![invited()]));
    let unknown_to_us = result(created(), invite(Some(GUEST)));
    assert_eq!(unknown_to_us, Ok(vec![invited()]));
}

#[test]
fn the_same_invitation_is_made_once_whatever_became_of_it() {
    assert_eq!(result(with([invited()]), invite(None)), Ok(vec![]));
    let given = with([invited(), REVOKED]);
    assert_eq!(result(given, invite(None)), Ok(vec![]));
}

#[test]
fn a_newer_invitation_of_an_address_takes_the_older_one_back() {
    let again = |email: &str, given| {
        let invite = ProjectCommand::Invite {
            invitation_id: Uuid::from_u128(40),
            email: email.into(),
            invitee_id: Some(GUEST),
            role: ProjectRole::Contributor,
            invited_by_id: MAKER,
            expires_at: LATER,
        };
        let events = result(given, invite).expect("invited");
        (events.len(), events.first() == Some(&REVOKED))
    };
    let pending = || with([invited()]);
    assert_eq!(again("Guest@EXAMPLE.org", pending()), (2, true));
    assert_eq!(again("other@example.org", pending()), (1, false));
    let used = [with([invited()]), accepted()].concat();
    let left = [used, vec![ProjectEvent::MemberLeft { user_id: GUEST }]].concat();
    assert_eq!(again("guest@example.org", left), (1, false));
}

#[test]
fn a_member_is_not_invited_again() {
    let again = result(created(), invite(Some(MAKER)));
    assert_eq!(again, Err(ProjectError::AlreadyMember));
}

#[test]
fn an_invitation_is_revoked_once_and_not_after_it_was_accepted() {
    assert_eq!(result(with([invited()]), REVOKE), Ok(vec![REVOKED]));
    assert_eq!(result(with([invited(), REVOKED]), REVOKE), Ok(vec![]));
    let used = with([invited()].into_iter().chain(accepted()));
    assert_eq!(result(used, REVOKE), Err(ProjectError::InvitationUsed));
    let unknown = result(created(), REVOKE);
    assert_eq!(unknown, Err(ProjectError::InvitationNotFound));
}

#[test]
fn the_invited_address_joins_whatever_its_case() {
    let joins = result(with([invited()]), accept(GUEST, "Guest@EXAMPLE.org", NOW));
    assert_eq!(joins, Ok(accepted()));
}

#[test]
fn an_invitation_holds_until_it_expires_and_not_at_that_moment() {
    let at = |now| result(with([invited()]), accept(GUEST, "guest@example.org", now));
    let refused = Err(ProjectError::InvitationExpired);
    assert_eq!(at(LATER - Duration::SECOND), Ok(accepted()));
    assert_eq!(at(LATER), refused);
    assert_eq!(at(LATER + Duration::SECOND), refused);
}

#[test]
fn an_invitation_for_another_a_revoked_one_and_an_unknown_one_are_refused() {
    let other = result(
        with([invited()]),
        accept(STRANGER, "stranger@example.org", NOW),
    );
    assert_eq!(other, Err(ProjectError::InvitationForAnother));
    let mine = || accept(GUEST, "guest@example.org", NOW);
    let not_found = Err(ProjectError::InvitationNotFound);
    assert_eq!(result(with([invited(), REVOKED]), mine()), not_found);
    assert_eq!(result(created(), mine()), not_found);
}

#[test]
fn an_invitation_whose_address_was_erased_is_for_nobody() {
    let erased = ProjectEvent::MemberInvited {
        invitation_id: INVITATION,
        email: Personal::Erased {
            subject: INVITATION,
        },
        role: ProjectRole::Reviewer,
        invited_by_id: MAKER,
        expires_at: LATER,
    };
    let refused = result(with([erased]), accept(GUEST, "guest@example.org", NOW));
    assert_eq!(refused, Err(ProjectError::InvitationForAnother));
}

#[test]
fn an_invitation_is_accepted_once() {
    let used = with([invited()].into_iter().chain(accepted()));
    let again = result(used, accept(GUEST, "guest@example.org", NOW));
    assert_eq!(again, Err(ProjectError::InvitationUsed));
}

#[test]
fn who_joined_meanwhile_does_not_join_twice() {
    let given = with([invited(), joined(GUEST, ProjectRole::Contributor)]);
    let twice = result(given, accept(GUEST, "guest@example.org", NOW));
    assert_eq!(twice, Err(ProjectError::AlreadyMember));
}

#[test]
fn a_role_changes_once_and_names_the_one_before() {
    let given = || with([joined(GUEST, ProjectRole::Reviewer)]);
    let changed = ProjectEvent::MemberRoleChanged {
        user_id: GUEST,
        previous_role: ProjectRole::Reviewer,
        role: ProjectRole::Admin,
    };
    let first = result(given(), role(GUEST, ProjectRole::Admin));
    assert_eq!(first, Ok(vec![changed]));
    let same = result(given(), role(GUEST, ProjectRole::Reviewer));
    assert_eq!(same, Ok(vec![]));
}

#[test]
fn members_can_be_removed_and_can_leave() {
    let given = || with([joined(GUEST, ProjectRole::Reviewer)]);
    let removed = result(given(), ProjectCommand::RemoveMember { user_id: GUEST });
    assert_eq!(
        removed,
        Ok(vec![ProjectEvent::MemberRemoved { user_id: GUEST }])
    );
    let left = result(given(), ProjectCommand::Leave { user_id: GUEST });
    assert_eq!(left, Ok(vec![ProjectEvent::MemberLeft { user_id: GUEST }]));
}

#[test]
fn who_is_no_member_cannot_be_changed_removed_or_leave() {
    let refused = Err(ProjectError::MemberNotFound);
    let user_id = STRANGER;
    let commands = [
        role(user_id, ProjectRole::Admin),
        ProjectCommand::RemoveMember { user_id },
        ProjectCommand::Leave { user_id },
    ];
    for command in commands {
        assert_eq!(result(created(), command.clone()), refused, "{command:?}");
    }
}

#[test]
fn an_erased_member_goes_even_as_the_last_admin_and_from_a_hidden_project() {
    let erase = |user_id| ProjectCommand::RemoveErased { user_id };
    let removed = Ok(vec![ProjectEvent::MemberRemoved { user_id: MAKER }]);
    assert_eq!(result(with([]), erase(MAKER)), removed);
    let hidden = with([ProjectEvent::ProjectDeleted {}]);
    assert_eq!(result(hidden, erase(MAKER)), removed);
    assert_eq!(result(with([]), erase(GUEST)), Ok(vec![]));
    let nowhere = result(vec![], erase(MAKER));
    assert_eq!(nowhere, Err(ProjectError::ProjectNotFound));
}

#[test]
fn the_last_admin_stays_admin_until_there_is_another() {
    let commands = || {
        [
            role(MAKER, ProjectRole::Contributor),
            ProjectCommand::RemoveMember { user_id: MAKER },
            ProjectCommand::Leave { user_id: MAKER },
        ]
    };
    for command in commands() {
        let given = with([joined(GUEST, ProjectRole::Reviewer)]);
        let refused = Err(ProjectError::LastAdmin);
        assert_eq!(result(given, command.clone()), refused, "{command:?}");
    }
    for command in commands() {
        let given = with([joined(GUEST, ProjectRole::Admin)]);
        let events = result(given, command.clone());
        assert_eq!(events.map(|events| events.len()), Ok(1), "{command:?}");
    }
}

#[test]
fn a_deleted_project_gives_nobody_a_role() {
    let mut project = ProjectMembership::default();
    for event in created() {
        project.apply(event);
    }
    assert_eq!(project.role_of(MAKER), Some(ProjectRole::Admin));
    assert_eq!(project.role_of(STRANGER), None);
    project.apply(ProjectEvent::ProjectDeleted {});
    assert_eq!(project.role_of(MAKER), None);
}
