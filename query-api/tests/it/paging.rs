//! Walks through lists while other people write.

use crate::house::{House, Person, ids};
use domain::ProjectRole;
use std::collections::HashSet;
use uuid::Uuid;

/// Two projects that all of these see, the second with some items of its own.
struct Place {
    house: House,
    admin: Person,
    writer: Person,
    reviewer: Person,
    root: Person,
    projects: [Uuid; 2],
}

impl Place {
    async fn new(house: House) -> Self {
        let admin = house.person("admin").await;
        let writer = house.person("writer").await;
        let reviewer = house.person("reviewer").await;
        let root = house.super_admin("root").await;
        let mut projects = [Uuid::nil(); 2];
        for project in &mut projects {
            *project = house.project(&admin, "Letters").await;
            house
                .join(&admin, *project, &writer, ProjectRole::Contributor)
                .await;
            house
                .join(&admin, *project, &reviewer, ProjectRole::Reviewer)
                .await;
        }
        Self {
            house,
            admin,
            writer,
            reviewer,
            root,
            projects,
        }
    }

    async fn write(&self, n: usize) -> Uuid {
        let project = self.projects[n % 2];
        let id = self
            .house
            .raw_text(&self.writer, project, &format!("Rain {n}"))
            .await;
        self.house.submit(&self.writer, id).await;
        id
    }

    /// All ids of a list, page by page; a little is written between each page and the next.
    async fn walk(&self, who: &Person, path: &str) -> Vec<Uuid> {
        let (mut seen, mut written) = (vec![], 0);
        let mut page = Some(path.to_owned());
        while let Some(path) = page {
            let read = self.house.get(who, &path);
            let answer = if written < 12 {
                written += 1;
                tokio::join!(read, self.write(100 + written)).0
            } else {
                read.await
            };
            seen.extend(ids(&answer.ok()));
            page = answer.next();
        }
        seen
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_neither_skips_nor_repeats_while_rows_are_inserted() {
    let (house, _running) = House::new().await;
    let place = Place::new(house).await;
    let mut before = vec![];
    for n in 0..9 {
        before.push(place.write(n).await);
    }
    let mut lists = vec![
        (&place.writer, "/my-contributions?limit=2".to_owned()),
        (&place.reviewer, "/review?limit=2".to_owned()),
        (&place.root, "/review?limit=2".to_owned()),
    ];
    for who in [&place.admin, &place.writer, &place.reviewer, &place.root] {
        for sort_by in ["created_at", "updated_at", "submitted_at"] {
            for order in ["asc", "desc"] {
                let list = format!("/submissions?limit=2&sort_by={sort_by}&order={order}");
                lists.push((who, list));
            }
        }
        lists.push((who, "/submissions?limit=2&q=rain".to_owned()));
        lists.push((who, "/submissions?limit=2&q=rain&order=asc".to_owned()));
        lists.push((
            who,
            "/submissions?limit=2&q=rain&sort_by=updated_at".to_owned(),
        ));
    }
    for (who, list) in lists {
        place.house.settled().await;
        let seen = place.walk(who, &list).await;
        let once: HashSet<Uuid> = seen.iter().copied().collect();
        assert_eq!(once.len(), seen.len(), "{list} as {}", who.email);
        for id in &before {
            assert!(once.contains(id), "{list} as {}", who.email);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_ends_on_its_first_page_says_how_many_rows_it_has() {
    let (house, _running) = House::new().await;
    let place = Place::new(house).await;
    for n in 0..3 {
        place.write(n).await;
    }
    place
        .house
        .raw_text(&place.writer, place.projects[0], "Draft")
        .await;
    place.house.settled().await;
    let total = async |who: &Person, path: &str| {
        let answer = place.house.get(who, path).await;
        answer.ok();
        let total = answer.header("x-total-count");
        (total.map(str::to_owned), answer.next())
    };
    let none = |path: Option<String>| path.is_none();
    for (who, path, count) in [
        (&place.reviewer, "/review", "3"),
        (&place.reviewer, "/submissions?limit=3", "3"),
        (&place.writer, "/my-contributions", "4"),
        (&place.writer, "/my-drafts", "1"),
    ] {
        let (counted, next) = total(who, path).await;
        assert_eq!(counted.as_deref(), Some(count), "{path}");
        assert!(none(next), "{path}");
    }
    let (counted, next) = total(&place.reviewer, "/review?limit=2").await;
    assert_eq!(counted, None);
    let (counted, _) = total(&place.reviewer, &next.expect("a next page")).await;
    assert_eq!(counted, None, "the last page is not the list");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_cursor_is_refused() {
    let (house, _running) = House::new().await;
    let place = Place::new(house).await;
    let forged = [
        "x",
        "%00",
        "",
        "!",
        // "[]", "null", ["yesterday", an id], [a time, "x"], [a time], {"at": 1}
        "W10",
        "bnVsbA",
        "WyJ5ZXN0ZXJkYXkiLCIwMTkyZjBjMS03ZDVlLTdiNTItOGQ5YS04YTJmMGY3YjNjMTEiXQ",
        "WyIyMDI2LTAxLTE1VDEwOjMwOjAwWiIsIngiXQ",
        "WyIyMDI2LTAxLTE1VDEwOjMwOjAwWiJd",
        "eyJhdCI6MX0",
        &"A".repeat(2_000),
    ];
    for list in [
        "/submissions",
        "/submissions?q=rain",
        "/my-contributions",
        "/review",
    ] {
        for cursor in forged {
            let mark = if list.contains('?') { '&' } else { '?' };
            let path = format!("{list}{mark}cursor={cursor}");
            let answer = place.house.get(&place.admin, &path).await;
            assert_eq!(answer.refusal().0, 400, "{path}");
        }
    }
}
