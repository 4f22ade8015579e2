//! Accounts, made as their owners would make them.

use crate::{Client, Mailbox};
use anyhow::Result;
use serde_json::json;

/// The password of everybody.
pub const PASSWORD: &str = "correct horse battery 7";

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their account.
    pub id: String,
    /// Their address.
    pub email: String,
    /// The service as they see it.
    pub client: Client,
    /// What a new access token can be had for.
    pub refresh_token: String,
}

impl Person {
    /// Registers, follows the link in the mail, and signs in.
    pub async fn register(anybody: &Client, mailbox: &Mailbox, email: &str) -> Result<Self> {
        let account = json!({ "email": email, "password": PASSWORD });
        let id = anybody
            .post("/auth/register", account)
            .await?
            .expect(201)?
            .text("id")?;
        let token = Mailbox::token(&mailbox.wait(email, 1).await?)?;
        anybody
            .get(&format!("/auth/verify-email?token={token}"))
            .await?
            .expect(200)?;
        Self::sign_in(anybody, id, email, PASSWORD).await
    }

    /// Signs in.
    pub async fn sign_in(
        anybody: &Client,
        id: String,
        email: &str,
        password: &str,
    ) -> Result<Self> {
        let credentials = json!({ "email": email, "password": password });
        let tokens = anybody
            .post("/auth/login", credentials)
            .await?
            .expect(200)?;
        Ok(Self {
            id,
            email: email.to_owned(),
            client: anybody.with_token(&tokens.text("access_token")?),
            refresh_token: tokens.text("refresh_token")?,
        })
    }

    /// Makes a project.
    pub async fn project(&self, name: &str) -> Result<String> {
        let body = json!({ "name": name, "description": "A project" });
        self.client
            .post("/projects", body)
            .await?
            .expect(201)?
            .text("id")
    }

    /// Invites somebody into a project; they accept through the mail's link.
    pub async fn bring_in(
        &self,
        project: &str,
        role: &str,
        other: &Self,
        mailbox: &Mailbox,
    ) -> Result<()> {
        let before = mailbox.to(&other.email).len();
        let body = json!({ "email": other.email, "role": role });
        self.client
            .post(&format!("/projects/{project}/invite"), body)
            .await?
            .expect(201)?;
        let token = Mailbox::token(&mailbox.wait(&other.email, before + 1).await?)?;
        other
            .client
            .trigger(&format!("/projects/invitations/{token}/accept"))
            .await?
            .expect(200)?;
        Ok(())
    }
}

/// The super admin that `SUPER_ADMIN_EMAIL` and `SUPER_ADMIN_PASSWORD` made at the start.
pub async fn super_admin(anybody: &Client, email: &str, password: &str) -> Result<Person> {
    let mut admin = Person::sign_in(anybody, String::new(), email, password).await?;
    admin.id = admin
        .client
        .get("/auth/me")
        .await?
        .expect(200)?
        .text("id")?;
    Ok(admin)
}
