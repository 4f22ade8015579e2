//! Users, projects, members and invitations.

use crate::story::{
    OWNER, PROJECT, REVIEWER, Story, assert_has, joined, project_created, registered, row, rows,
};
use domain::{
    GlobalRole, Personal, ProjectRole, project_membership::ProjectEvent, user::UserEvent,
};
use projectors::Access;
use serde_json::{Value, json};
use time::macros::datetime;
use uuid::Uuid;

#[tokio::test]
async fn a_registered_user_is_there_and_verifies() {
    let mut story = Story::default();
    story.user(OWNER, registered());
    let pool = story.shown_by(Access).await;
    let expected = json!({
        "id": OWNER, "email": "amina@example.org", "name": "Amina", "is_verified": false,
        "global_role": "user", "suspended": false, "deactivated": false,
        "created_at": "2026-01-15T10:00:00+00:00", "updated_at": "2026-01-15T10:00:00+00:00",
    });
    assert_has(&row(&pool, "users").await, &expected);
    let pool = story
        .user(OWNER, UserEvent::EmailVerified {})
        .shown_by(Access)
        .await;
    let expected = json!({"is_verified": true, "updated_at": "2026-01-15T10:00:01+00:00"});
    assert_has(&row(&pool, "users").await, &expected);
}

#[tokio::test]
async fn each_change_of_an_account_changes_its_own_field() {
    let role = UserEvent::GlobalRoleChanged {
        global_role: GlobalRole::SuperAdmin,
    };
    let name = UserEvent::ProfileChanged {
        name: Some(Personal::new(OWNER, "Amal".into())),
    };
    let changes = [
        (role, json!({"global_role": "super_admin", "name": "Amina"})),
        (name, json!({"name": "Amal", "global_role": "user"})),
        (
            UserEvent::ProfileChanged { name: None },
            json!({"name": null}),
        ),
        (
            UserEvent::UserSuspended {},
            json!({"suspended": true, "deactivated": false}),
        ),
        (
            UserEvent::UserDeactivated {},
            json!({"suspended": false, "deactivated": true}),
        ),
        (
            UserEvent::PasswordChanged {},
            json!({"updated_at": "2026-01-15T10:00:00+00:00"}),
        ),
    ];
    for (event, expected) in changes {
        let mut story = Story::default();
        story.user(OWNER, registered()).user(OWNER, event);
        assert_has(
            &row(&story.shown_by(Access).await, "users").await,
            &expected,
        );
    }
}

#[tokio::test]
async fn an_erased_address_and_name_are_absent() {
    let mut story = Story::default();
    story.user(
        OWNER,
        UserEvent::UserRegistered {
            email: Personal::Erased { subject: OWNER },
            name: Some(Personal::Erased { subject: OWNER }),
            global_role: GlobalRole::User,
            is_verified: true,
            verification_expires_at: None,
        },
    );
    let pool = story.shown_by(Access).await;
    assert_has(
        &row(&pool, "users").await,
        &json!({"email": null, "name": null}),
    );
}

#[tokio::test]
async fn a_project_is_made_changed_deleted_and_restored() {
    let mut story = Story::default();
    let pool = story.project(project_created()).shown_by(Access).await;
    let expected = json!({
        "id": PROJECT, "name": "Letters", "description": "Old ones", "created_by_id": OWNER,
        "allow_self_review": true, "deleted": false,
    });
    assert_has(&row(&pool, "projects").await, &expected);
    story.project(ProjectEvent::ProjectChanged {
        name: "Notes".into(),
        description: None,
        allow_self_review: false,
    });
    let pool = story
        .project(ProjectEvent::ProjectDeleted {})
        .shown_by(Access)
        .await;
    let expected = json!({
        "name": "Notes", "description": null, "allow_self_review": false, "deleted": true,
        "updated_at": "2026-01-15T10:00:02+00:00",
    });
    assert_has(&row(&pool, "projects").await, &expected);
    let pool = story
        .project(ProjectEvent::ProjectRestored {})
        .shown_by(Access)
        .await;
    assert_has(&row(&pool, "projects").await, &json!({"deleted": false}));
}

#[tokio::test]
async fn members_join_change_and_go() {
    let mut story = Story::default();
    story
        .project(project_created())
        .project(joined(OWNER, ProjectRole::Admin))
        .project(joined(REVIEWER, ProjectRole::Reviewer))
        .project(ProjectEvent::MemberRoleChanged {
            user_id: REVIEWER,
            previous_role: ProjectRole::Reviewer,
            role: ProjectRole::Contributor,
        });
    let pool = story.shown_by(Access).await;
    let roles: Vec<Value> = rows(&pool, "project_members")
        .await
        .iter()
        .map(|member| json!([member["user_id"], member["role"]]))
        .collect();
    assert_eq!(
        roles,
        [json!([OWNER, "admin"]), json!([REVIEWER, "contributor"])]
    );
    for gone in [
        ProjectEvent::MemberRemoved { user_id: REVIEWER },
        ProjectEvent::MemberLeft { user_id: OWNER },
    ] {
        story.project(gone);
    }
    let pool = story.shown_by(Access).await;
    assert_eq!(rows(&pool, "project_members").await, Vec::<Value>::new());
    story.project(joined(REVIEWER, ProjectRole::Admin));
    let pool = story.shown_by(Access).await;
    assert_has(
        &row(&pool, "project_members").await,
        &json!({"role": "admin"}),
    );
}

#[tokio::test]
async fn an_invitation_is_pending_until_it_is_accepted_or_revoked() {
    let invitation_id = Uuid::from_u128(1);
    let mut story = Story::default();
    story
        .project(project_created())
        .project(ProjectEvent::MemberInvited {
            invitation_id,
            email: Personal::new(invitation_id, "bilal@example.org".into()),
            role: ProjectRole::Reviewer,
            invited_by_id: OWNER,
            expires_at: datetime!(2026-01-22 10:00 UTC),
        });
    let pool = story.shown_by(Access).await;
    let expected = json!({
        "id": invitation_id, "project_id": PROJECT, "email": "bilal@example.org",
        "role": "reviewer", "invited_by_id": OWNER, "state": "pending",
        "expires_at": "2026-01-22T10:00:00+00:00",
    });
    assert_has(&row(&pool, "project_invitations").await, &expected);
    let accepted = ProjectEvent::InvitationAccepted {
        invitation_id,
        user_id: REVIEWER,
    };
    let pool = story.project(accepted).shown_by(Access).await;
    assert_has(
        &row(&pool, "project_invitations").await,
        &json!({"state": "accepted"}),
    );
    let revoked = ProjectEvent::InvitationRevoked { invitation_id };
    let pool = story.project(revoked).shown_by(Access).await;
    assert_has(
        &row(&pool, "project_invitations").await,
        &json!({"state": "revoked"}),
    );
}
