//! People who register, follow the link in their mail, and make a project.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::json;
use test_kit::MailCatcher;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    actor::{Actor, Body, Call, Fleet, Told, id_in},
    reads::Expected,
    record::{Effect, Fact, What},
};
use crate::{Mailbox, PASSWORD};

/// How long somebody looks for a mail before they do something else.
const MAIL_WITHIN: Duration = Duration::from_mins(1);

/// Registers; the mail is another matter. False when it is not known whether that succeeded.
pub(super) async fn register(me: &mut Actor) -> Result<bool> {
    let email = me.email.clone();
    let account = json!({ "email": email, "password": PASSWORD });
    let call = Call::new(
        What::Register,
        Method::POST,
        "/auth/register",
        Body::Json(account),
    );
    let told = me
        .carry_out(call, |answer| {
            let id = id_in(answer, "id")?;
            let fact = Fact::Account { id, email };
            Ok((vec![Effect::new("UserRegistered", id)], fact))
        })
        .await?;
    let Told::Done(answer) = told else {
        return Ok(false);
    };
    me.id = id_in(&answer, "id")?;
    Ok(true)
}

/// Follows the link in the mail and signs in; false when there was no mail or no certain answer.
pub(super) async fn verify(me: &mut Actor, mails: &MailCatcher) -> Result<bool> {
    let Some(token) = token(me, mails).await? else {
        return Ok(false);
    };
    let path = format!("/auth/verify-email?token={token}");
    let call = Call::new(What::Verify, Method::GET, path, Body::Nothing);
    let promise = (vec![Effect::new("EmailVerified", me.id)], Fact::Nothing);
    let Told::Done(_) = me.carry_out(call, |_| Ok(promise)).await? else {
        return Ok(false);
    };
    me.signed_in().await;
    Ok(true)
}

async fn token(me: &Actor, mails: &MailCatcher) -> Result<Option<String>> {
    let deadline = Instant::now() + MAIL_WITHIN;
    loop {
        let mails = mails.mails();
        if let Some(mail) = mails.iter().find(|mail| mail.to.contains(&me.email)) {
            return Mailbox::token(&mail.text).map(Some);
        }
        if me.fleet.is_ending() || Instant::now() > deadline {
            return Ok(None);
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Makes a project.
pub(super) async fn project(me: &mut Actor) -> Result<Option<Uuid>> {
    let name = me.mark();
    let body = Body::Json(json!({ "name": name }));
    let call = Call::new(What::CreateProject, Method::POST, "/projects", body);
    let named = name.clone();
    let told = me
        .carry_out(call, |answer| {
            let id = id_in(answer, "id")?;
            let events = What::CreateProject.events().iter();
            let effects = events.map(|event| Effect::new(event, id)).collect();
            Ok((effects, Fact::Project { id, name: named }))
        })
        .await?;
    let Told::Done(answer) = told else {
        return Ok(None);
    };
    let project = id_in(&answer, "id")?;
    show(me, project, name).await;
    Ok(Some(project))
}

async fn rename(me: &mut Actor, project: Uuid) -> Result<()> {
    let name = me.mark();
    let body = Body::Json(json!({ "name": name }));
    let path = format!("/projects/{project}");
    let call = Call::new(What::RenameProject, Method::PUT, path, body);
    let fact = Fact::Project {
        id: project,
        name: name.clone(),
    };
    let promise = (vec![Effect::new("ProjectChanged", project)], fact);
    if let Told::Done(_) = me.carry_out(call, |_| Ok(promise)).await? {
        show(me, project, name).await;
    }
    Ok(())
}

async fn show(me: &mut Actor, project: Uuid, name: String) {
    let shown = Expected::new(format!("name {name}"), move |body| {
        body["name"] == name.as_str()
    });
    me.see(&format!("/projects/{project}"), shown).await;
}

/// Brings a person who is signed in into a project.
pub(super) async fn bring_in(
    manager: &mut Actor,
    project: Uuid,
    person: &mut Actor,
    role: &str,
) -> Result<()> {
    let body = Body::Json(json!({ "email": person.email, "role": role }));
    let path = format!("/projects/{project}/invite");
    let call = Call::new(What::Invite, Method::POST, path, body);
    let effects = vec![Effect::new("MemberInvited", project)];
    let told = manager
        .carry_out(call, |_| Ok((effects, Fact::Nothing)))
        .await?;
    let Told::Done(answer) = told else {
        anyhow::bail!("{} was not invited", person.name);
    };
    let token = answer.text("token")?;
    let path = format!("/projects/invitations/{token}/accept");
    let call = Call::new(What::Join, Method::POST, path, Body::Nothing);
    let events = What::Join.events().iter();
    let effects = events.map(|event| Effect::new(event, project)).collect();
    let fact = Fact::Member {
        project,
        user: person.id,
    };
    let told = person.carry_out(call, |_| Ok((effects, fact))).await?;
    let Told::Done(_) = told else {
        anyhow::bail!("{} did not join", person.name);
    };
    Ok(())
}

/// Somebody new, again and again.
pub(super) async fn arrive(
    fleet: Arc<Fleet>,
    mails: Arc<MailCatcher>,
    seed: u64,
    pause: Duration,
) -> Result<()> {
    for number in 0_u64.. {
        if fleet.is_ending() {
            break;
        }
        let mut me = Actor::new(
            &format!("newcomer{number}"),
            seed.wrapping_add(number),
            &fleet,
        );
        come(&mut me, &mails)
            .await
            .with_context(|| me.name.clone())?;
        me.rest(pause).await;
    }
    Ok(())
}

async fn come(me: &mut Actor, mails: &MailCatcher) -> Result<()> {
    if !(register(me).await? && verify(me, mails).await?) {
        return Ok(());
    }
    let Some(project) = project(me).await? else {
        return Ok(());
    };
    rename(me, project).await
}
