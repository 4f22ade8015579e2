//! A house with one project and one member of each role.

use uuid::Uuid;

use crate::house::{House, Person};

/// A project with one of each role.
pub struct Team {
    pub house: House,
    pub project: Uuid,
    pub admin: Person,
    pub contributor: Person,
    pub reviewer: Person,
    pub stranger: Person,
}

impl Team {
    pub async fn new() -> Self {
        Self::of(House::new().await).await
    }

    pub async fn of(house: House) -> Self {
        let admin = house.person("admin@example.org").await;
        let contributor = house.person("contributor@example.org").await;
        let reviewer = house.person("reviewer@example.org").await;
        let stranger = house.person("stranger@example.org").await;
        let project = house.project(&admin).await;
        house
            .join(&admin, project, &contributor, "contributor")
            .await;
        house.join(&admin, project, &reviewer, "reviewer").await;
        Self {
            house,
            project,
            admin,
            contributor,
            reviewer,
            stranger,
        }
    }
}
