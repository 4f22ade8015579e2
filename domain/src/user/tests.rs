//! Given, when, then: what an account allows, refuses and quietly ignores.

use super::{User, UserCommand, UserError, UserEvent};
use crate::{GlobalRole, Personal};
use cqrs_es::{Aggregate, test::TestFramework};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const USER: Uuid = Uuid::from_u128(1);
const LINK: Uuid = Uuid::from_u128(2);
const NEWER_LINK: Uuid = Uuid::from_u128(3);
const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const LATER: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::HOUR);

fn result(given: Vec<UserEvent>, when: UserCommand) -> Result<Vec<UserEvent>, UserError> {
    TestFramework::<User>::with(())
        .given(given)
        .when(when)
        .inspect_result()
}

fn register() -> UserCommand {
    UserCommand::Register {
        user_id: USER,
        email: "Amal@example.org".into(),
        name: Some("Amal".into()),
        global_role: GlobalRole::User,
        is_verified: false,
        verification_expires_at: Some(LATER),
    }
}

fn registered() -> UserEvent {
    UserEvent::UserRegistered {
        email: Personal::new(USER, "Amal@example.org".into()),
        name: Some(Personal::new(USER, "Amal".into())),
        global_role: GlobalRole::User,
        is_verified: false,
        verification_expires_at: Some(LATER),
    }
}

fn reset_requested(reset_id: Uuid) -> UserEvent {
    UserEvent::PasswordResetRequested {
        reset_id,
        expires_at: LATER,
    }
}

fn reset_at(now: OffsetDateTime) -> UserCommand {
    UserCommand::ResetPassword {
        reset_id: LINK,
        now,
    }
}

fn rename(name: Option<&str>) -> UserCommand {
    UserCommand::Change {
        name: Some(name.map(Into::into)),
        global_role: None,
        suspended: None,
    }
}

fn promote() -> UserCommand {
    UserCommand::Change {
        name: None,
        global_role: Some(GlobalRole::SuperAdmin),
        suspended: None,
    }
}

fn suspend(suspended: bool) -> UserCommand {
    UserCommand::Change {
        name: None,
        global_role: None,
        suspended: Some(suspended),
    }
}

fn all_but_register() -> Vec<UserCommand> {
    vec![
        UserCommand::RequestVerification {
            verification_id: LINK,
            expires_at: LATER,
        },
        UserCommand::VerifyEmail,
        UserCommand::RequestPasswordReset {
            reset_id: LINK,
            expires_at: LATER,
        },
        reset_at(NOW),
        UserCommand::ChangePassword,
        rename(None),
        promote(),
        suspend(true),
        suspend(false),
        UserCommand::Deactivate,
    ]
}

#[test]
fn registering_records_the_address_and_name_as_the_persons_own() {
    assert_eq!(result(vec![], register()), Ok(vec![registered()]));
}

#[test]
fn registering_the_same_id_again_is_refused() {
    let refused = Err(UserError::AlreadyRegistered);
    assert_eq!(result(vec![registered()], register()), refused);
    let closed = vec![registered(), UserEvent::UserDeactivated {}];
    assert_eq!(result(closed, register()), refused);
}

#[test]
fn an_account_that_never_was_refuses_everything_but_registration() {
    for command in all_but_register() {
        let refused = Err(UserError::UserNotFound);
        assert_eq!(result(vec![], command.clone()), refused, "{command:?}");
    }
}

#[test]
fn a_closed_account_refuses_everything() {
    for command in all_but_register() {
        let closed = vec![registered(), UserEvent::UserDeactivated {}];
        let refused = Err(UserError::UserNotFound);
        assert_eq!(result(closed, command.clone()), refused, "{command:?}");
    }
}

#[test]
fn an_unverified_account_may_ask_for_another_link_and_a_verified_one_is_left_alone() {
    let ask = || UserCommand::RequestVerification {
        verification_id: LINK,
        expires_at: LATER,
    };
    let requested = UserEvent::VerificationRequested {
        verification_id: LINK,
        expires_at: LATER,
    };
    assert_eq!(result(vec![registered()], ask()), Ok(vec![requested]));
    let verified = vec![registered(), UserEvent::EmailVerified {}];
    assert_eq!(result(verified, ask()), Ok(vec![]));
}

#[test]
fn verifying_counts_once() {
    let verified = UserEvent::EmailVerified {};
    let first = result(vec![registered()], UserCommand::VerifyEmail);
    assert_eq!(first, Ok(vec![verified.clone()]));
    let again = result(vec![registered(), verified], UserCommand::VerifyEmail);
    assert_eq!(again, Ok(vec![]));
}

#[test]
fn a_reset_link_works_until_it_expires_and_not_at_that_moment() {
    let given = || vec![registered(), reset_requested(LINK)];
    let reset = Ok(vec![UserEvent::PasswordReset { reset_id: LINK }]);
    let refused = Err(UserError::ResetNotPending);
    assert_eq!(result(given(), reset_at(NOW)), reset);
    assert_eq!(result(given(), reset_at(LATER - Duration::SECOND)), reset);
    assert_eq!(result(given(), reset_at(LATER)), refused);
    assert_eq!(result(given(), reset_at(LATER + Duration::SECOND)), refused);
}

#[test]
fn a_reset_link_that_was_never_sent_used_replaced_or_overtaken_is_refused() {
    let refused = Err(UserError::ResetNotPending);
    assert_eq!(result(vec![registered()], reset_at(NOW)), refused);
    let used = UserEvent::PasswordReset { reset_id: LINK };
    let used = vec![registered(), reset_requested(LINK), used];
    assert_eq!(result(used, reset_at(NOW)), refused);
    let replaced = vec![
        registered(),
        reset_requested(LINK),
        reset_requested(NEWER_LINK),
    ];
    assert_eq!(result(replaced, reset_at(NOW)), refused);
    let changed = UserEvent::PasswordChanged {};
    let changed = vec![registered(), reset_requested(LINK), changed];
    assert_eq!(result(changed, reset_at(NOW)), refused);
}

#[test]
fn every_request_for_a_reset_is_recorded() {
    let ask = UserCommand::RequestPasswordReset {
        reset_id: LINK,
        expires_at: LATER,
    };
    let asked = result(vec![registered()], ask);
    assert_eq!(asked, Ok(vec![reset_requested(LINK)]));
}

#[test]
fn changing_the_password_is_recorded_each_time() {
    let changed = UserEvent::PasswordChanged {};
    let given = vec![registered(), changed.clone()];
    let again = result(given, UserCommand::ChangePassword);
    assert_eq!(again, Ok(vec![changed]));
}

#[test]
fn the_name_can_be_set_and_removed_and_the_same_name_changes_nothing() {
    let named = |name: Option<&str>| UserEvent::ProfileChanged {
        name: name.map(|name| Personal::new(USER, name.into())),
    };
    let given = || vec![registered()];
    let other = result(given(), rename(Some("Amina")));
    assert_eq!(other, Ok(vec![named(Some("Amina"))]));
    assert_eq!(result(given(), rename(None)), Ok(vec![named(None)]));
    assert_eq!(result(given(), rename(Some("Amal"))), Ok(vec![]));
    let nameless = vec![registered(), named(None)];
    assert_eq!(result(nameless, rename(None)), Ok(vec![]));
}

#[test]
fn the_global_role_changes_once() {
    let promoted = UserEvent::GlobalRoleChanged {
        global_role: GlobalRole::SuperAdmin,
    };
    let first = result(vec![registered()], promote());
    assert_eq!(first, Ok(vec![promoted.clone()]));
    let again = result(vec![registered(), promoted], promote());
    assert_eq!(again, Ok(vec![]));
}

#[test]
fn suspending_and_reinstating_count_once_each() {
    let suspended = UserEvent::UserSuspended {};
    let reinstated = UserEvent::UserReinstated {};
    let given = vec![registered()];
    let first = result(given.clone(), suspend(true));
    assert_eq!(first, Ok(vec![suspended.clone()]));
    assert_eq!(result(given, suspend(false)), Ok(vec![]));
    let given = vec![registered(), suspended];
    assert_eq!(result(given.clone(), suspend(true)), Ok(vec![]));
    let back = result(given, suspend(false));
    assert_eq!(back, Ok(vec![reinstated]));
}

#[test]
fn all_changes_of_one_request_are_recorded_together() {
    let all = UserCommand::Change {
        name: Some(Some("Amina".into())),
        global_role: Some(GlobalRole::SuperAdmin),
        suspended: Some(true),
    };
    let name = Some(Personal::new(USER, "Amina".into()));
    let together = vec![
        UserEvent::ProfileChanged { name },
        UserEvent::GlobalRoleChanged {
            global_role: GlobalRole::SuperAdmin,
        },
        UserEvent::UserSuspended {},
    ];
    let first = result(vec![registered()], all.clone());
    assert_eq!(first, Ok(together.clone()));
    let given = [vec![registered()], together].concat();
    assert_eq!(result(given, all), Ok(vec![]));
}

#[test]
fn closing_an_account_is_recorded() {
    let closed = result(vec![registered()], UserCommand::Deactivate);
    assert_eq!(closed, Ok(vec![UserEvent::UserDeactivated {}]));
}

#[test]
fn erasing_counts_once_and_a_closed_account_can_be_erased() {
    let erased = || UserEvent::UserErased {};
    let first = result(vec![registered()], UserCommand::Erase);
    assert_eq!(first, Ok(vec![erased()]));
    let closed = vec![registered(), UserEvent::UserDeactivated {}];
    assert_eq!(result(closed, UserCommand::Erase), Ok(vec![erased()]));
    let again = result(vec![registered(), erased()], UserCommand::Erase);
    assert_eq!(again, Ok(vec![]));
    let nobody = result(vec![], UserCommand::Erase);
    assert_eq!(nobody, Err(UserError::UserNotFound));
}

#[test]
fn an_erased_account_refuses_everything_and_knows_nobody() {
    let given = || vec![registered(), UserEvent::UserErased {}];
    for command in all_but_register() {
        let refused = Err(UserError::UserNotFound);
        assert_eq!(result(given(), command.clone()), refused, "{command:?}");
    }
    assert_eq!(
        result(given(), register()),
        Err(UserError::AlreadyRegistered)
    );
    let mut user = User::default();
    for event in given() {
        user.apply(event);
    }
    let User::Registered(standing) = user else {
        panic!("an erased account is still an account");
    };
    assert_eq!((standing.email.get(), standing.name), (None, None));
}

#[test]
fn only_a_verified_account_in_good_standing_is_active() {
    let standing_after = |events: Vec<UserEvent>| {
        let mut user = User::default();
        user.apply(registered());
        for event in events {
            user.apply(event);
        }
        user.standing().map(super::Standing::is_active)
    };
    let verified = || UserEvent::EmailVerified {};
    let suspended = || UserEvent::UserSuspended {};
    assert_eq!(standing_after(vec![]), Some(false));
    assert_eq!(standing_after(vec![verified()]), Some(true));
    assert_eq!(standing_after(vec![verified(), suspended()]), Some(false));
    let back = UserEvent::UserReinstated {};
    let reinstated = vec![verified(), suspended(), back];
    assert_eq!(standing_after(reinstated), Some(true));
    let closed = vec![verified(), UserEvent::UserDeactivated {}];
    assert_eq!(standing_after(closed), None);
}
