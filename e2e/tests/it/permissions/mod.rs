//! Every route of the permission table, asked by everybody: each role, a stranger, a super admin,
//! nobody, and whoever shows a token that is not good; about their own, others' and foreign items,
//! as drafts and once handed in. What each must get is worked out from the table.

mod calls;
mod people;
mod scene;

use anyhow::{Result, ensure};
use e2e::Answer;
use http_kit::permissions::{
    Action, Verdict,
    routes::{Access, RULES, Rule},
    verdict,
};
use std::collections::BTreeMap;

use calls::{Asked, call};
use people::{Actor, People};
use scene::{Owner, Scenes, State};

use crate::house::House;

const SECRET: &str = "a secret of more than thirty-two bytes, for this test alone";

/// Pages for people and machines at the root, not under `/api`.
const PAGES: &[&str] = &["/metrics", "/docs", "/redoc"];

/// What an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// Anything but a refusal for want of rights, and no fault of ours.
    Through,
    /// Exactly this status.
    Status(u16),
    /// There is nothing that the route could do, whoever asks.
    InVain,
}

/// What is said to those who may not, or may not even know. Other words are about the request.
const REFUSED: &[&str] = &[
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "NOT_FOUND",
    "PROJECT_NOT_FOUND",
    "ITEM_NOT_FOUND",
    "USER_NOT_FOUND",
];

impl Expected {
    fn holds(self, answer: &Answer) -> bool {
        match self {
            Self::Through => !REFUSED.contains(&answer.code()) && answer.status < 500,
            Self::Status(expected) => answer.status == expected,
            Self::InVain => matches!(answer.status, 403 | 404 | 409),
        }
    }
}

impl From<Verdict> for Expected {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allow => Self::Through,
            Verdict::Forbid => Self::Status(403),
            Verdict::Hide => Self::Status(404),
        }
    }
}

/// What the table says of an item for these roles: who may not even read it is told nothing else.
fn about_item(actor: &Actor, rule: &Rule, owner: Owner, state: State) -> Expected {
    let own = actor.owns(owner);
    let Access::Item { draft, submitted } = rule.access else {
        unreachable!("asked about an item")
    };
    let (read, action) = if state.is_draft() {
        (Action::ReadDraft, draft)
    } else {
        (Action::ReadSubmitted, submitted)
    };
    let role = (owner != Owner::Outsider).then_some(actor.role).flatten();
    let may = |action| verdict(action, actor.global, role, own);
    // There is nothing to review about a draft; who reviews at all is refused before anything is
    // said of an item.
    if action == Action::Review {
        return match Expected::from(may(action)) {
            Expected::Through if state == State::Draft => Expected::InVain,
            expected => expected,
        };
    }
    // Who deleted a draft alone knows that it was there.
    if state == State::Deleted && !own {
        return Expected::Status(404);
    }
    match may(read) {
        Verdict::Hide => Expected::Status(404),
        _ => may(action).into(),
    }
}

/// A tally of what was asked, and what went wrong.
#[derive(Default)]
struct Findings {
    asked: BTreeMap<u16, usize>,
    wrong: Vec<String>,
}

impl Findings {
    fn note(&mut self, what: &str, answer: &Answer, expected: Expected) {
        let (status, code) = (answer.status, answer.code());
        *self.asked.entry(status).or_default() += 1;
        if !expected.holds(answer) {
            self.wrong
                .push(format!("{what}: {status} {code}, not {expected:?}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_the_permission_table_says_on_every_route() -> Result<()> {
    let mut house = House::start_with(&[("SECRET_KEY", SECRET)]).await?;
    let people = People::gather(&house).await?;
    // So that the tokens below are refused for what is wrong with them.
    people
        .remade(&house.anybody)
        .get("/auth/me")
        .await?
        .expect(200)?;
    let mut scenes = Scenes::new(&house, &people);
    let mut findings = Findings::default();
    let of_the_api = |rule: &&Rule| !PAGES.iter().any(|page| rule.path.starts_with(page));
    for rule in RULES.iter().filter(of_the_api) {
        match rule.access {
            Access::Anyone => open_to_anyone(&house, &mut scenes, rule, &mut findings).await?,
            Access::Item { .. } => items(&people, &mut scenes, rule, &mut findings).await?,
            _ => others(&people, &mut scenes, rule, &mut findings).await?,
        }
        if rule.access.needs_token() {
            bad_tokens(&house, &people, &mut scenes, rule, &mut findings).await?;
        }
    }
    let asked: usize = findings.asked.values().sum();
    println!("{asked} requests, by status: {:?}", findings.asked);
    let wrong = &findings.wrong;
    ensure!(
        wrong.is_empty(),
        "{} of {asked} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    ensure!(asked > 1_000, "only {asked} requests");
    ensure!(
        house.alta.terminate().await?.success(),
        "it did not stop well"
    );
    Ok(())
}

async fn open_to_anyone(
    house: &House,
    scenes: &mut Scenes<'_>,
    rule: &Rule,
    findings: &mut Findings,
) -> Result<()> {
    let target = scenes
        .target(rule, Owner::Contributor, State::Draft)
        .await?;
    let answer = call(&house.anybody, rule, &target, Asked::Plainly).await?;
    let what = format!("{} {} by nobody", rule.method, rule.path);
    findings.note(&what, &answer, Expected::Through);
    Ok(())
}

async fn items(
    people: &People,
    scenes: &mut Scenes<'_>,
    rule: &Rule,
    findings: &mut Findings,
) -> Result<()> {
    for state in scene::states_for(rule) {
        for owner in Owner::ALL {
            for actor in people.active() {
                let target = scenes.target(rule, owner, *state).await?;
                let expected = about_item(actor, rule, owner, *state);
                let answer = call(&actor.client, rule, &target, Asked::Plainly).await?;
                let (method, path, name) = (rule.method, rule.path, actor.name);
                let what = format!("{method} {path} by {name}, {state:?} of {owner:?}");
                findings.note(&what, &answer, expected);
                if method != "GET" && answer.status < 300 {
                    scenes.forget(rule, owner, *state);
                }
            }
        }
    }
    Ok(())
}

/// Routes about projects, oneself or everything.
async fn others(
    people: &People,
    scenes: &mut Scenes<'_>,
    rule: &Rule,
    findings: &mut Findings,
) -> Result<()> {
    for asked in asked_how(rule.access) {
        for actor in people.active() {
            let target = scenes
                .target(rule, Owner::Contributor, State::Draft)
                .await?;
            let expected = about(actor, rule.access, *asked);
            let answer = call(&actor.client, rule, &target, *asked).await?;
            let (method, path, name) = (rule.method, rule.path, actor.name);
            let what = format!("{method} {path} by {name}, {asked:?}");
            findings.note(&what, &answer, expected);
            if method != "GET" && answer.status < 300 {
                scenes.forget(rule, Owner::Contributor, State::Draft);
            }
        }
    }
    Ok(())
}

fn asked_how(access: Access) -> &'static [Asked] {
    match access {
        Access::ProjectIfNamed(_) | Access::ProjectOrEverything(_) => {
            &[Asked::OfProject, Asked::OfForeignProject, Asked::Plainly]
        }
        Access::Project(_) => &[Asked::OfProject, Asked::OfForeignProject],
        Access::Oneself => &[Asked::OfOneself, Asked::OfAnother],
        _ => &[Asked::Plainly],
    }
}

fn about(actor: &Actor, access: Access, asked: Asked) -> Expected {
    let everything = || verdict(Action::Administer, actor.global, None, false).into();
    let role = (asked == Asked::OfProject).then_some(actor.role).flatten();
    // Figures and drafts are one's own here.
    let own = |action| {
        use Action::{ReadDraft, SeeContributionFigures, SeeProjectAudit};
        matches!(action, SeeContributionFigures | ReadDraft | SeeProjectAudit)
    };
    let project = |action| verdict(action, actor.global, role, own(action)).into();
    let named = matches!(asked, Asked::OfProject | Asked::OfForeignProject);
    match (access, asked) {
        (Access::ProjectOrEverything(_), Asked::Plainly)
        | (Access::Everything, _)
        | (Access::Oneself, Asked::OfAnother) => everything(),
        (
            Access::Project(action)
            | Access::ProjectIfNamed(action)
            | Access::ProjectOrEverything(action),
            _,
        ) if named => project(action),
        _ => Expected::Through,
    }
}

async fn bad_tokens(
    house: &House,
    people: &People,
    scenes: &mut Scenes<'_>,
    rule: &Rule,
    findings: &mut Findings,
) -> Result<()> {
    let target = scenes
        .target(rule, Owner::Contributor, State::Draft)
        .await?;
    for (name, client) in people.with_bad_tokens(&house.anybody) {
        let answer = call(&client, rule, &target, Asked::OfProject).await?;
        let what = format!("{} {} by {name}", rule.method, rule.path);
        findings.note(&what, &answer, Expected::Status(401));
    }
    Ok(())
}
