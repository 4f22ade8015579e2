//! Random commands, one after the other and several at once, against a small model of the contract:
//! every answer and what is there in the end must be what the model says, or, of commands at once,
//! what it says of them in some order.

mod contract;
mod drive;

use std::env;

use anyhow::Result;
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use tokio::runtime::Runtime;

use contract::{Command, Decision, PEOPLE, Role};
use drive::Scene;

/// How many sequences there are, unless `ALTA_MODEL_CASES` says otherwise; then they are other ones
/// each time.
const CASES: u32 = 12;
const LONGEST: usize = 40;
/// How many commands are sent at once.
const AT_ONCE: usize = 3;

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![
        Just(Role::Admin),
        Just(Role::Contributor),
        Just(Role::Reviewer)
    ]
}

fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![
        Just(Decision::Approve),
        Just(Decision::Reject),
        Just(Decision::RequestChanges)
    ]
}

/// Few people and few items, so that their commands meet.
fn command() -> impl Strategy<Value = Command> {
    let (by, who, item) = (0..PEOPLE, 0..PEOPLE, 0..4_usize);
    let on_item = (by.clone(), item);
    prop_oneof![
        3 => (who.clone(), role()).prop_map(|(who, role)| Command::Join { who, role }),
        1 => (by.clone(), who.clone(), role())
            .prop_map(|(by, who, role)| Command::ChangeRole { by, who, role }),
        1 => (by.clone(), who).prop_map(|(by, who)| Command::Remove { by, who }),
        1 => by.clone().prop_map(|by| Command::Leave { by }),
        4 => by.prop_map(|by| Command::Create { by }),
        3 => on_item.clone().prop_map(|(by, item)| Command::Edit { by, item }),
        1 => on_item.clone().prop_map(|(by, item)| Command::Delete { by, item }),
        5 => on_item.clone().prop_map(|(by, item)| Command::Submit { by, item }),
        3 => on_item.clone().prop_map(|(by, item)| Command::Withdraw { by, item }),
        4 => on_item.clone().prop_map(|(by, item)| Command::Claim { by, item }),
        2 => on_item.clone().prop_map(|(by, item)| Command::Release { by, item }),
        2 => on_item.clone().prop_map(|(by, item)| Command::Comment { by, item }),
        5 => (on_item, decision())
            .prop_map(|((by, item), decision)| Command::Decide { by, item, decision }),
    ]
}

fn runner() -> TestRunner {
    let more = env::var("ALTA_MODEL_CASES").ok();
    let cases = more.as_ref().and_then(|text| text.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(CASES),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let algorithm = RngAlgorithm::ChaCha;
    match more {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(algorithm)),
    }
}

/// Runs every sequence in a project of its own, in groups of so many commands at once.
fn hold(at_once: usize) -> Result<()> {
    let runtime = Runtime::new()?;
    let mut scene = runtime.block_on(Scene::start())?;
    let sequences = prop::collection::vec(command(), 1..LONGEST);
    let outcome = runner().run(&sequences, |commands| {
        let played = runtime.block_on(scene.play(&commands, at_once));
        played.map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    runtime.block_on(scene.end())?;
    outcome.map_err(|error| anyhow::anyhow!("{error}"))
}

#[test]
fn commands_one_after_the_other_are_answered_as_the_contract_says() -> Result<()> {
    hold(1)
}

#[test]
fn commands_at_once_are_answered_as_in_some_order_of_them() -> Result<()> {
    hold(AT_ONCE)
}
