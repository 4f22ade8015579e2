//! Rights that were taken away are gone with the next read, whatever access token asks.

use crate::house::House;
use domain::{GlobalRole, ProjectRole, project_membership::ProjectCommand, user::UserCommand};

fn change(global_role: Option<GlobalRole>, suspended: Option<bool>) -> UserCommand {
    UserCommand::Change {
        name: None,
        global_role,
        suspended,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_and_a_membership_that_were_taken_away_are_gone_with_the_next_read() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    house
        .join(&amina, project, &bilal, ProjectRole::Admin)
        .await;
    let invitations = format!("/projects/{project}/invitations");
    let members = format!("/projects/{project}/members");
    house.settled().await;
    house.get(&bilal, &invitations).await.ok();
    let user_id = bilal.id;
    let role = ProjectRole::Contributor;
    let demote = ProjectCommand::ChangeRole { user_id, role };
    house.change(&amina, project, demote).await;
    house.settled().await;
    let refused = house.get(&bilal, &invitations).await.refusal();
    assert_eq!(refused, (403, "FORBIDDEN".into()));
    house.get(&bilal, &members).await.ok();
    let remove = ProjectCommand::RemoveMember { user_id };
    house.change(&amina, project, remove).await;
    house.settled().await;
    for path in [&members, &invitations, &format!("/projects/{project}")] {
        let refused = house.get(&bilal, path).await.refusal();
        assert_eq!(refused, (404, "NOT_FOUND".into()), "{path}");
    }
    let none = house.get(&bilal, "/projects").await.ok();
    assert_eq!(none.as_array().map(Vec::len), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_super_admin_who_was_demoted_sees_their_own_alone() {
    let (house, _running) = House::new().await;
    let (root, other) = (
        house.super_admin("root").await,
        house.super_admin("other").await,
    );
    let project = house.project(&root, "Letters").await;
    house.settled().await;
    let path = format!("/projects/{project}");
    for seen in ["/admin/users", &path] {
        house.get(&other, seen).await.ok();
    }
    let demote = change(Some(GlobalRole::User), None);
    house.user(other.id, demote, root.id).await;
    house.settled().await;
    let refused = house.get(&other, "/admin/users").await.refusal();
    assert_eq!(refused, (403, "FORBIDDEN".into()));
    assert_eq!(house.get(&other, &path).await.refusal().0, 404);
    let me = house.get(&other, "/auth/me").await.ok();
    assert_eq!(me["global_role"], "user");
    let shown = house.get(&root, &format!("/users/{}", other.id)).await.ok();
    assert_eq!(shown["global_role"], "user");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_account_reads_nothing_until_it_is_reinstated() {
    let (house, _running) = House::new().await;
    let root = house.super_admin("root").await;
    let amina = house.person("amina").await;
    for (suspended, status) in [(true, Some(401)), (false, None)] {
        house
            .user(amina.id, change(None, Some(suspended)), root.id)
            .await;
        house.settled().await;
        for path in ["/auth/me", "/projects", "/submissions"] {
            let answer = house.get(&amina, path).await;
            match status {
                Some(status) => assert_eq!(answer.refusal().0, status, "{path}"),
                None => drop(answer.ok()),
            }
        }
        let shown = house.get(&root, &format!("/users/{}", amina.id)).await.ok();
        assert_eq!(shown["suspended"], suspended);
    }
}
