//! Invitations: for one address, once, for seven days, and the newest counts.

use serde_json::json;
use time::Duration;
use uuid::Uuid;

use crate::house::{House, Person, Reply};

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
async fn a_newer_invitation_takes_the_place_of_the_older_one() {
    let house = House::new().await;
    let (admin, guest) = (
        house.person("a@example.org").await,
        house.person("g@example.org").await,
    );
    let project = house.project(&admin).await;
    let invite = async |email: &str, role: &str| {
        let body = json!({"email": email, "role": role});
        let path = format!("/projects/{project}/invite");
        token(&house.post(&admin, &path, body).await.is(201))
    };
    let mistaken = invite("g@example.org", "admin").await;
    let meant = invite("G@example.org", "reviewer").await;
    let old = house_accept(&house, &guest, mistaken);
    house.refused(old, 404, "INVITATION_NOT_FOUND").await;
    house_accept(&house, &guest, meant.clone()).await.is(200);
    let again = house_accept(&house, &guest, meant);
    house.refused(again, 409, "INVITATION_USED").await;
    let body = json!({"project_id": project, "title": "t", "content": "c"});
    let text = house.post(&guest, "/raw-text", body);
    house.refused(text, 403, "FORBIDDEN").await;

    // Who left may be invited anew.
    let leave = format!("/projects/{project}/leave");
    house.post_bare(&guest, &leave).await.is(204);
    let back = invite("g@example.org", "contributor").await;
    house_accept(&house, &guest, back).await.is(200);
}

#[tokio::test]
async fn an_invitation_to_nobody_yet_is_for_whoever_registers_and_proves_the_address() {
    let house = House::new().await;
    let admin = house.person("a@example.org").await;
    let project = house.project(&admin).await;
    let path = format!("/projects/{project}/invite");
    let body = json!({"email": "new@example.org", "role": "contributor"});
    let invited = token(&house.post(&admin, &path, body).await.is(201));
    let path = format!("/projects/invitations/{invited}/accept");
    let nobody = house.ask(axum::http::Method::POST, &path, None, &[], None);
    house.refused(nobody, 401, "UNAUTHENTICATED").await;
    let guest = house.person("New@example.org").await;
    house.post_bare(&guest, &path).await.is(200);
    let deleted = house.delete(&admin, &format!("/projects/{project}")).await;
    deleted.is(200);
    let gone = house.post_bare(&guest, &path);
    house.refused(gone, 404, "PROJECT_NOT_FOUND").await;
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

async fn house_accept(house: &House, guest: &Person, token: String) -> Reply {
    house
        .post_bare(guest, &format!("/projects/invitations/{token}/accept"))
        .await
}
