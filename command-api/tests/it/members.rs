//! Members: roles that change, people who go, and the admin who stays.

use domain::{ProjectMembership, ProjectRole};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{house::Person, team::Team};

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
    let project_of = house.store.load::<ProjectMembership>(project).await;
    let project_of = project_of.expect("loaded").aggregate;
    let membership = &project_of.project().expect("there").members[&contributor.id];
    let joined_at: OffsetDateTime = sqlx::query_scalar(
        "SELECT recorded_at FROM events WHERE aggregate_id = $1 AND event_type = 'MemberJoined'
         ORDER BY id LIMIT 1 OFFSET 1",
    )
    .bind(project.to_string())
    .fetch_one(house.pool())
    .await
    .expect("a time");
    let expected = json!({
        "id": membership.membership_id,
        "project_id": project,
        "user_id": contributor.id,
        "email": "contributor@example.org",
        "role": "reviewer",
        "created_at": joined_at.format(&Rfc3339).expect("a time"),
    });
    assert_eq!(changed.body, expected);
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
            "PROJECT_NOT_FOUND",
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

#[tokio::test]
async fn of_two_admins_who_go_at_the_same_moment_one_stays() {
    let Team {
        house,
        admin,
        contributor: other,
        ..
    } = Team::new().await;
    for way in ["step back", "remove oneself", "leave", "remove each other"] {
        let project = house.project(&admin).await;
        house.join(&admin, project, &other, "admin").await;
        let go = async |who: &Person, whom: &Person| {
            let member = format!("/projects/{project}/members/{}", whom.id);
            let leave = format!("/projects/{project}/leave");
            match way {
                "step back" => house.put(who, &member, json!({"role": "reviewer"})).await,
                "leave" => house.post_bare(who, &leave).await,
                _ => house.delete(who, &member).await,
            }
        };
        let (a, b) = if way == "remove each other" {
            tokio::join!(go(&admin, &other), go(&other, &admin))
        } else {
            tokio::join!(go(&admin, &admin), go(&other, &other))
        };
        let (done, refused) = if a.status < 300 { (a, b) } else { (b, a) };
        assert!(done.status < 300, "{way}: {}", done.body);
        // Who was removed meanwhile does not see the project any more.
        let codes = ["LAST_ADMIN", "PROJECT_NOT_FOUND"];
        assert!(codes.contains(&refused.code()), "{way}: {}", refused.body);
        let project = house.store.load::<ProjectMembership>(project).await;
        let project = project.expect("loaded").aggregate;
        let members = &project.project().expect("there").members;
        let admins = members
            .values()
            .filter(|one| one.role == ProjectRole::Admin);
        assert_eq!(admins.count(), 1, "{way}");
    }
}
