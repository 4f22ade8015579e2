//! Who one is, and what one may know of: accounts, projects, members.

use crate::house::{House, NOTHING, ids, keys};
use axum::{body::Body, http::Request};
use domain::{ProjectRole, project_membership::ProjectCommand, user::UserCommand};
use serde_json::json;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn one_sees_oneself_right_after_registration() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let answer = house.get(&amina, "/auth/me").await;
    let me = answer.ok();
    let fields = [
        "created_at",
        "email",
        "global_role",
        "id",
        "is_verified",
        "name",
        "updated_at",
    ];
    assert_eq!(keys(&me), fields);
    assert_eq!(me["email"], "amina@example.org");
    assert!(me["created_at"].as_str().expect("a time").ends_with('Z'));
    assert!(
        answer
            .header("x-alta-position")
            .expect("a position")
            .parse::<i64>()
            .expect("a number")
            >= 1
    );
    assert!(answer.header("x-request-id").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_good_token_is_nobody() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    house.get(&amina, "/auth/me").await.ok();
    let nobody = Request::get("/api/projects")
        .body(Body::empty())
        .expect("a request");
    assert_eq!(
        house.ask(nobody).await.refusal(),
        (401, "UNAUTHENTICATED".into())
    );
    let mut forged = amina.clone();
    forged.token.pop();
    assert_eq!(house.get(&forged, "/auth/me").await.refusal().0, 401);
    let mut other_session = amina.clone();
    other_session.token = house
        .tokens
        .issue(amina.id, house.ids.next())
        .expect("a token")
        .0;
    assert_eq!(house.get(&other_session, "/auth/me").await.refusal().0, 401);
    sqlx::query("UPDATE sessions SET revoked_at = now() WHERE session_id = $1")
        .bind(amina.session_id)
        .execute(&house.database.pool)
        .await
        .expect("revoked");
    assert_eq!(house.get(&amina, "/auth/me").await.refusal().0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_suspended_or_closed_is_nobody() {
    let (house, _running) = House::new().await;
    let root = house.super_admin("root").await;
    let suspend = UserCommand::Change {
        name: None,
        global_role: None,
        suspended: Some(true),
    };
    for (name, command) in [("a", suspend), ("b", UserCommand::Deactivate)] {
        let person = house.person(name).await;
        house.get(&person, "/auth/me").await.ok();
        house.user(person.id, command, root.id).await;
        house.settled().await;
        assert_eq!(house.get(&person, "/auth/me").await.refusal().0, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_for_its_members_and_super_admins() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let root = house.super_admin("root").await;
    let project = house.project(&amina, "Letters").await;
    house.settled().await;
    let path = format!("/projects/{project}");
    let shown = house.get(&amina, &path).await.ok();
    let fields = [
        "allow_self_review",
        "created_at",
        "created_by_id",
        "description",
        "id",
        "name",
        "updated_at",
    ];
    assert_eq!(keys(&shown), fields);
    assert_eq!(shown["created_by_id"], json!(amina.id));
    for seen_from in ["", "/members", "/invitations"] {
        let path = format!("{path}{seen_from}");
        assert_eq!(
            house.get(&bilal, &path).await.refusal(),
            (404, "NOT_FOUND".into())
        );
        house.get(&root, &path).await.ok();
    }
    assert_eq!(ids(&house.get(&amina, "/projects").await.ok()), [project]);
    assert_eq!(ids(&house.get(&bilal, "/projects").await.ok()), NOTHING);
    assert_eq!(ids(&house.get(&root, "/projects").await.ok()), [project]);
    assert_eq!(
        house.get(&amina, "/projects/nonsense").await.refusal().0,
        404
    );
    assert_eq!(
        house
            .get(&amina, &format!("/projects/{}", Uuid::nil()))
            .await
            .refusal()
            .0,
        404
    );
    house.change(&amina, project, ProjectCommand::Delete).await;
    house.settled().await;
    for who in [&amina, &root] {
        assert_eq!(house.get(who, &path).await.refusal().0, 404);
        assert_eq!(ids(&house.get(who, "/projects").await.ok()), NOTHING);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_seen_by_members_and_invitations_by_admins() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    house
        .join(&amina, project, &bilal, ProjectRole::Contributor)
        .await;
    let invitation = house
        .invite(&amina, project, "carol@example.org", ProjectRole::Reviewer)
        .await;
    let members = house
        .get(&bilal, &format!("/projects/{project}/members"))
        .await
        .ok();
    assert_eq!(
        keys(&members[0]),
        ["created_at", "email", "id", "project_id", "role", "user_id"]
    );
    let roles: Vec<_> = members
        .as_array()
        .expect("a list")
        .iter()
        .map(|m| json!([m["email"], m["role"]]))
        .collect();
    assert_eq!(
        roles,
        [
            json!(["amina@example.org", "admin"]),
            json!(["bilal@example.org", "contributor"]),
        ]
    );
    let path = format!("/projects/{project}/invitations");
    let pending = house.get(&amina, &path).await.ok();
    assert_eq!(ids(&pending), [invitation]);
    let fields = [
        "created_at",
        "email",
        "expires_at",
        "id",
        "invited_by_id",
        "project_id",
        "role",
    ];
    assert_eq!(keys(&pending[0]), fields);
    assert_eq!(
        house.get(&bilal, &path).await.refusal(),
        (403, "FORBIDDEN".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_that_neither_skip_nor_repeat() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let mut made = vec![];
    for n in 0..7 {
        made.push(house.project(&amina, &format!("P{n}")).await);
    }
    let mut seen = vec![];
    let mut page = Some("/projects?limit=3".to_owned());
    while let Some(path) = page {
        let answer = house.get(&amina, &path).await;
        seen.extend(ids(&answer.ok()));
        page = answer.next();
    }
    assert_eq!(seen, made);
    for bad in [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=x",
        "cursor=WzEsMl0",
    ] {
        assert_eq!(
            house
                .get(&amina, &format!("/projects?{bad}"))
                .await
                .refusal()
                .0,
            400,
            "{bad}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_administered_by_super_admins_alone() {
    let (house, _running) = House::new().await;
    let root = house.super_admin("root").await;
    let amina = house.person("amina").await;
    let gone = house.person("gone").await;
    house.user(gone.id, UserCommand::Deactivate, root.id).await;
    house.settled().await;
    for path in ["/admin/users", "/users", &format!("/users/{}", root.id)] {
        assert_eq!(
            house.get(&amina, path).await.refusal(),
            (403, "FORBIDDEN".into())
        );
    }
    let page = house
        .get(&root, "/admin/users?sort_by=email&order=asc&page_size=1")
        .await
        .ok();
    assert_eq!(
        page["meta"],
        json!({"page": 1, "page_size": 1, "total_count": 2, "total_pages": 2})
    );
    assert_eq!(ids(&page["data"]), [amina.id]);
    let fields = [
        "created_at",
        "email",
        "global_role",
        "id",
        "is_verified",
        "name",
        "suspended",
        "updated_at",
    ];
    assert_eq!(keys(&page["data"][0]), fields);
    let found =
        async |query: &str| ids(&house.get(&root, &format!("/users?{query}")).await.ok()["data"]);
    assert_eq!(found("q=AMIN").await, [amina.id]);
    assert_eq!(found("q=%25").await, NOTHING);
    assert_eq!(found("role=super_admin").await, [root.id]);
    assert_eq!(found("verified=false").await, NOTHING);
    assert_eq!(found("page=9").await, NOTHING);
    let beyond = house.get(&root, "/users?page=9").await.ok();
    assert_eq!(beyond["meta"]["total_count"], 2);
    let one = house
        .get(&root, &format!("/admin/users/{}", amina.id))
        .await
        .ok();
    assert_eq!(one["email"], "amina@example.org");
    let path = format!("/users/{}", gone.id);
    assert_eq!(
        house.get(&root, &path).await.refusal(),
        (404, "USER_NOT_FOUND".into())
    );
    for bad in [
        "sort_by=password",
        "order=up",
        "role=admin",
        "verified=yes",
        "page=0",
        "page=x",
        "page_size=0",
        "page_size=101",
        "page=99999999999999999999",
        "q=%00",
    ] {
        let refused = house.get(&root, &format!("/users?{bad}")).await.refusal();
        assert_eq!(refused.0, 400, "{bad}");
    }
    house.get(&root, "/users?page_size=100").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_sorted_by_what_is_asked_for_in_either_direction() {
    let (house, _running) = House::new().await;
    let root = house.super_admin("root").await;
    let (zaid, amina) = (house.person("zaid").await, house.person("Amina").await);
    let rename = UserCommand::Change {
        name: Some(Some("A name".into())),
        global_role: None,
        suspended: None,
    };
    house.user(zaid.id, rename, root.id).await;
    house.settled().await;
    let sorted = async |query: &str| {
        let path = format!("/admin/users?{query}");
        ids(&house.get(&root, &path).await.ok()["data"])
    };
    for (sort_by, ascending) in [
        ("created_at", [root.id, zaid.id, amina.id]),
        ("updated_at", [root.id, amina.id, zaid.id]),
        ("email", [amina.id, root.id, zaid.id]),
    ] {
        let mut descending = ascending;
        descending.reverse();
        let asked = format!("sort_by={sort_by}&order=asc");
        assert_eq!(sorted(&asked).await, ascending, "{sort_by}");
        let asked = format!("sort_by={sort_by}&order=desc");
        assert_eq!(sorted(&asked).await, descending, "{sort_by}");
    }
    assert_eq!(sorted("").await, [amina.id, zaid.id, root.id]);
    let named = sorted("sort_by=name&order=asc").await;
    assert_eq!(
        named.first(),
        Some(&zaid.id),
        "those without a name are last"
    );
    let mut pages = vec![];
    for page in 1..=3 {
        pages.extend(sorted(&format!("page={page}&page_size=1&sort_by=email&order=asc")).await);
    }
    assert_eq!(pages, [amina.id, root.id, zaid.id]);
}
