//! The one rule.

use super::{Access, AccessCommand, AccessError, AccessEvent};
use cqrs_es::test::TestFramework;

fn failed() -> AccessEvent {
    AccessEvent::SignInFailed {
        user_id: None,
        code: "INVALID_CREDENTIALS".into(),
    }
}

#[test]
fn an_access_is_recorded_as_it_was() {
    TestFramework::<Access>::with(())
        .given_no_previous_events()
        .when(AccessCommand::Record(failed()))
        .then_expect_events(vec![failed()]);
}

#[test]
fn no_second_access_hides_under_the_first() {
    TestFramework::<Access>::with(())
        .given(vec![failed()])
        .when(AccessCommand::Record(failed()))
        .then_expect_error(AccessError::AlreadyRecorded);
}
