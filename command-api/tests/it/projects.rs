//! Projects, invitations, members.

use serde_json::json;
use time::Duration;
use uuid::Uuid;

use crate::{
    house::{House, Reply},
    team::Team,
};

#[tokio::test]
async fn a_project_is_made_changed_deleted_and_brought_back() {
    let house = House::new().await;
    let (root, admin) = (
        house.super_admin().await,
        house.person("a@example.org").await,
    );
    let made = house
        .post(
            &admin,
            "/projects",
            json!({"name": " Letters ", "description": "Old"}),
        )
        .await
        .is(201);
    let path = format!("/projects/{}", made.id());
    assert_eq!(
        (&made.body["name"], &made.body["created_by_id"]),
        (&json!("Letters"), &json!(admin.id))
    );
    assert_eq!(made.body["created_at"], made.body["updated_at"]);
    assert_eq!(
        house.stream(made.id()).await,
        ["ProjectCreated", "MemberJoined"]
    );

    let change = json!({"description": null, "allow_self_review": false});
    let changed = house.put(&admin, &path, change).await.is(200);
    assert_eq!(
        (&changed.body["name"], &changed.body["description"]),
        (&json!("Letters"), &json!(null))
    );
    assert_eq!(changed.body["created_at"], made.body["created_at"]);
    assert_ne!(changed.body["updated_at"], made.body["updated_at"]);

    let restore = format!("{path}/restore");
    house
        .refused(house.post_bare(&admin, &restore), 403, "FORBIDDEN")
        .await;
    assert_eq!(
        house.delete(&admin, &path).await.is(200).body,
        json!({"deleted": true})
    );
    house
        .refused(
            house.put(&admin, &path, json!({})),
            404,
            "PROJECT_NOT_FOUND",
        )
        .await;
    house
        .refused(house.delete(&admin, &path), 404, "PROJECT_NOT_FOUND")
        .await;
    house
        .refused(house.post_bare(&admin, &restore), 404, "PROJECT_NOT_FOUND")
        .await;
    let restored = house.post_bare(&root, &restore).await.is(200);
    assert_eq!(restored.body["name"], "Letters");
    house
        .put(&admin, &path, json!({"name": "Postcards"}))
        .await
        .is(200);
}

#[tokio::test]
async fn names_and_descriptions_are_bounded() {
    let house = House::new().await;
    let admin = house.person("a@example.org").await;
    for bad in [
        json!({"name": ""}),
        json!({"name": "x".repeat(201)}),
        json!({"name": "a\u{0}b"}),
        json!({"name": "x", "description": "x".repeat(5001)}),
        json!({"description": "x"}),
        json!({"name": 5}),
    ] {
        house
            .refused(
                house.post(&admin, "/projects", bad),
                422,
                "VALIDATION_ERROR",
            )
            .await;
    }
    let longest = json!({"name": "ä".repeat(200), "description": "ä".repeat(5000)});
    house.post(&admin, "/projects", longest).await.is(201);
}

#[tokio::test]
async fn only_admins_manage_and_strangers_see_nothing() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        stranger,
    } = Team::new().await;
    let path = format!("/projects/{project}");
    let member = format!("{path}/members/{}", contributor.id);
    for (who, status, code) in [
        (&contributor, 403, "FORBIDDEN"),
        (&reviewer, 403, "FORBIDDEN"),
        (&stranger, 404, "NOT_FOUND"),
    ] {
        let invite = json!({"email": "x@example.org", "role": "admin"});
        house
            .refused(house.put(who, &path, json!({"name": "x"})), status, code)
            .await;
        house.refused(house.delete(who, &path), status, code).await;
        house
            .refused(
                house.post(who, &format!("{path}/invite"), invite),
                status,
                code,
            )
            .await;
        house
            .refused(
                house.put(who, &member, json!({"role": "admin"})),
                status,
                code,
            )
            .await;
        house
            .refused(house.delete(who, &member), status, code)
            .await;
    }
    let nowhere = format!("/projects/{}", Uuid::from_u128(1));
    house
        .refused(
            house.put(&admin, &nowhere, json!({})),
            404,
            "PROJECT_NOT_FOUND",
        )
        .await;
    house
        .refused(
            house.put(&admin, "/projects/x", json!({})),
            404,
            "NOT_FOUND",
        )
        .await;
}

fn token(invited: &Reply) -> String {
    invited.body["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn an_invitation_is_for_one_address_once_and_for_seven_days() {
    let house = House::new().await;
    let admin = house.person("admin@example.org").await;
    let guest = house.person("guest@example.org").await;
    let other = house.person("other@example.org").await;
    let project = house.project(&admin).await;
    let path = format!("/projects/{project}/invite");
    let invite =
        |email: &str, role: &str| house.post(&admin, &path, json!({"email": email, "role": role}));
    let accept = |who, token: &str| {
        let path = format!("/projects/invitations/{token}/accept");
        let house = &house;
        async move { house.post_bare(who, &path).await }
    };
    house
        .refused(
            invite("guest@example.org", "owner"),
            422,
            "VALIDATION_ERROR",
        )
        .await;
    house
        .refused(invite("guest", "reviewer"), 422, "VALIDATION_ERROR")
        .await;
    house
        .refused(
            invite("Admin@example.org", "reviewer"),
            409,
            "ALREADY_MEMBER",
        )
        .await;

    let invited = invite("Guest@example.org", "reviewer").await.is(201);
    assert_eq!(invited.body["invited"], true);
    let first = token(&invited);
    house
        .refused(accept(&other, &first), 403, "INVITATION_FOR_ANOTHER")
        .await;
    house
        .refused(accept(&guest, "rubbish"), 404, "INVITATION_NOT_FOUND")
        .await;
    let accepted = accept(&guest, &first).await.is(200);
    assert_eq!(
        accepted.body,
        json!({"accepted": true, "projectId": project})
    );
    house
        .refused(accept(&guest, &first), 409, "INVITATION_USED")
        .await;
    house
        .refused(invite("guest@example.org", "admin"), 409, "ALREADY_MEMBER")
        .await;

    let second = token(&invite("other@example.org", "contributor").await.is(201));
    house.clock.advance(Duration::days(7) + Duration::SECOND);
    let other = house.sign_in(other.id, "other@example.org").await;
    house
        .refused(accept(&other, &second), 410, "INVITATION_EXPIRED")
        .await;
}

#[tokio::test]
async fn an_invitation_can_be_taken_back_until_it_is_accepted() {
    let house = House::new().await;
    let (admin, guest) = (
        house.person("a@example.org").await,
        house.person("g@example.org").await,
    );
    let project = house.project(&admin).await;
    let invite = || async {
        let body = json!({"email": "g@example.org", "role": "contributor"});
        token(
            &house
                .post(&admin, &format!("/projects/{project}/invite"), body)
                .await
                .is(201),
        )
    };
    let now = house.clock.now();
    let id_of = |token: &str| {
        let kind = runtime::signed_token::TokenKind::Invitation;
        house.signed.verify(kind, token, now).expect("ours").nonce
    };
    let (first, second) = (invite().await, invite().await);
    let revoke = |id: Uuid| {
        let path = format!("/projects/{project}/invitations/{id}");
        let (house, admin) = (&house, &admin);
        async move { house.delete(admin, &path).await }
    };
    for _ in 0..2 {
        revoke(id_of(&first)).await.is(204);
    }
    let accept = |token: &str| house_accept(&house, &guest, token.to_owned());
    house
        .refused(accept(&first), 404, "INVITATION_NOT_FOUND")
        .await;
    accept(&second).await.is(200);
    house
        .refused(revoke(id_of(&second)), 409, "INVITATION_USED")
        .await;
    house
        .refused(revoke(Uuid::from_u128(1)), 404, "INVITATION_NOT_FOUND")
        .await;
}

async fn house_accept(house: &House, guest: &crate::house::Person, token: String) -> Reply {
    house
        .post_bare(guest, &format!("/projects/invitations/{token}/accept"))
        .await
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_gone_with_the_next_request() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let member = |id: Uuid| format!("/projects/{project}/members/{id}");
    house.raw_text(&contributor, project).await;
    let changed = house
        .put(&admin, &member(contributor.id), json!({"role": "reviewer"}))
        .await
        .is(200);
    assert_eq!(
        (&changed.body["role"], &changed.body["user_id"]),
        (&json!("reviewer"), &json!(contributor.id))
    );
    let body = json!({"project_id": project, "title": "t", "content": "c"});
    house
        .refused(
            house.post(&contributor, "/raw-text", body.clone()),
            403,
            "FORBIDDEN",
        )
        .await;
    house.delete(&admin, &member(contributor.id)).await.is(204);
    house
        .refused(
            house.post(&contributor, "/raw-text", body),
            404,
            "NOT_FOUND",
        )
        .await;
    house
        .refused(
            house.delete(&admin, &member(contributor.id)),
            404,
            "MEMBER_NOT_FOUND",
        )
        .await;
    let theirs = member(contributor.id);
    let gone = house.put(&admin, &theirs, json!({"role": "admin"}));
    house.refused(gone, 404, "MEMBER_NOT_FOUND").await;
    house
        .post_bare(&reviewer, &format!("/projects/{project}/leave"))
        .await
        .is(204);
    let leave = format!("/projects/{project}/leave");
    let again = house.post_bare(&reviewer, &leave);
    house.refused(again, 404, "PROJECT_NOT_FOUND").await;
}

#[tokio::test]
async fn the_last_admin_stays() {
    let Team {
        house,
        project,
        admin,
        contributor,
        ..
    } = Team::new().await;
    let path = format!("/projects/{project}");
    let me = format!("{path}/members/{}", admin.id);
    let leave = format!("{path}/leave");
    house
        .refused(
            house.put(&admin, &me, json!({"role": "reviewer"})),
            409,
            "LAST_ADMIN",
        )
        .await;
    house
        .refused(house.delete(&admin, &me), 409, "LAST_ADMIN")
        .await;
    house
        .refused(house.post_bare(&admin, &leave), 409, "LAST_ADMIN")
        .await;
    let promote = format!("{path}/members/{}", contributor.id);
    house
        .put(&admin, &promote, json!({"role": "admin"}))
        .await
        .is(200);
    house.post_bare(&admin, &leave).await.is(204);
}
