//! Who asks.

use anyhow::Result;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use e2e::{Client, PASSWORD, Person};
use http_kit::{
    AccessTokens,
    permissions::{GlobalRole, ProjectRole},
};
use runtime::{clock::Clock, secret::SecretKey};
use serde_json::{Value, json};
use time::macros::datetime;
use uuid::Uuid;

use super::{SECRET, scene::Owner};
use crate::house::House;

/// Somebody with an active account, as the table knows them.
pub struct Actor {
    pub name: &'static str,
    pub global: GlobalRole,
    pub role: Option<ProjectRole>,
    pub id: String,
    pub client: Client,
}

impl Actor {
    pub fn owns(&self, owner: Owner) -> bool {
        self.name == owner.name()
    }
}

/// Everybody.
pub struct People {
    actors: Vec<Actor>,
    emails: Vec<String>,
    suspended: Client,
    signed_out: Client,
    refresh_token: String,
}

/// Name, global role, role in the project.
const ACTORS: [(&str, GlobalRole, Option<ProjectRole>); 6] = [
    ("admin", GlobalRole::User, Some(ProjectRole::Admin)),
    (
        "contributor",
        GlobalRole::User,
        Some(ProjectRole::Contributor),
    ),
    (
        "colleague",
        GlobalRole::User,
        Some(ProjectRole::Contributor),
    ),
    ("reviewer", GlobalRole::User, Some(ProjectRole::Reviewer)),
    ("stranger", GlobalRole::User, None),
    ("root", GlobalRole::SuperAdmin, None),
];

impl People {
    pub async fn gather(house: &House) -> Result<Self> {
        let root = e2e::super_admin(&house.anybody, "root@example.org", PASSWORD).await?;
        let (mut actors, mut emails) = (Vec::new(), Vec::new());
        for (name, global, role) in ACTORS {
            let person = if name == "root" {
                root.clone()
            } else {
                account(house, &root, name).await?
            };
            emails.push(person.email.clone());
            actors.push(Actor {
                name,
                global,
                role,
                id: person.id,
                client: person.client,
            });
        }
        let suspended = account(house, &root, "suspended").await?;
        let path = format!("/admin/users/{}", suspended.id);
        let body = json!({ "suspended": true });
        root.client.put(&path, body).await?.expect(200)?;
        let signed_out = account(house, &root, "signed-out").await?;
        let body = json!({ "refresh_token": signed_out.refresh_token });
        house
            .anybody
            .post("/auth/logout", body)
            .await?
            .expect(204)?;
        let spare = account(house, &root, "spare").await?;
        Ok(Self {
            actors,
            emails,
            suspended: suspended.client,
            signed_out: signed_out.client,
            refresh_token: spare.refresh_token,
        })
    }

    pub fn active(&self) -> &[Actor] {
        &self.actors
    }

    pub fn actor(&self, name: &str) -> &Actor {
        let found = self.actors.iter().find(|actor| actor.name == name);
        found.expect("one of the actors")
    }

    pub fn email(&self, name: &str) -> &str {
        let place = self.actors.iter().position(|actor| actor.name == name);
        &self.emails[place.expect("one of the actors")]
    }

    /// A token that only the service's secret can make.
    pub fn remade(&self, anybody: &Client) -> Client {
        let claims = claims_of(self.actor("root").client.token());
        anybody.with_token(&issued(&claims, SECRET, Clock::system()))
    }

    /// Whoever must be told that they are nobody.
    pub fn with_bad_tokens(&self, anybody: &Client) -> Vec<(&'static str, Client)> {
        let good = self.actor("root").client.token().to_owned();
        let claims = claims_of(&good);
        let with = |token: &str| anybody.with_token(token);
        vec![
            ("nobody", anybody.clone()),
            ("a suspended account", self.suspended.clone()),
            ("somebody who signed out", self.signed_out.clone()),
            ("somebody with an unsigned token", with(&unsigned(&good))),
            (
                "somebody with another's key",
                with(&signed_otherwise(&claims)),
            ),
            ("somebody with an expired token", with(&expired(&claims))),
            ("somebody with a refresh token", with(&self.refresh_token)),
            ("somebody with garbage", with("garbage")),
        ]
    }
}

/// An account made by the super admin, signed in.
async fn account(house: &House, root: &Person, name: &str) -> Result<Person> {
    let email = format!("{name}@example.org");
    let body = json!({ "email": email, "password": PASSWORD });
    let made = root.client.post("/admin/users", body).await?.expect(201)?;
    Person::sign_in(&house.anybody, made.text("id")?, &email, PASSWORD).await
}

fn claims_of(token: &str) -> Value {
    let body = token.split('.').nth(1).expect("three parts");
    let bytes = URL_SAFE_NO_PAD.decode(body).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The same claims, signed by nobody.
fn unsigned(token: &str) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let body = token.split('.').nth(1).expect("three parts");
    format!("{head}.{body}.")
}

fn issued(claims: &Value, secret: &str, clock: Clock) -> String {
    let key = SecretKey::from_bytes(secret);
    let id = |name: &str| {
        let text = claims[name].as_str().expect("a text");
        Uuid::parse_str(text).expect("an id")
    };
    let tokens = AccessTokens::new(&key, clock);
    tokens.issue(id("sub"), id("sid")).expect("a token").0
}

fn signed_otherwise(claims: &Value) -> String {
    issued(
        claims,
        "another secret that is longer than 32 bytes",
        Clock::system(),
    )
}

fn expired(claims: &Value) -> String {
    issued(
        claims,
        SECRET,
        Clock::fixed(datetime!(2026-01-15 10:30 UTC)),
    )
}
