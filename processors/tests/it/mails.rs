//! Mails from the event to the mailbox: what they say, to whom, once, and when there is no reason
//! for them any more.

use crate::house::{House, JobRow, Running, run, tokens, until};
use domain::{
    Submission, User, project_membership::ProjectCommand, review::Decision,
    submission::SubmissionCommand, user::UserCommand,
};
use processors::{Part, jobs::Kind};
use runtime::{
    config::mail::{SmtpConfig, SmtpSecurity},
    signed_token::{Claims, TokenKind},
};
use std::{fs, time::Duration};
use test_kit::{MailCatcher, MailMode};
use uuid::Uuid;

const MAILS: [Part; 3] = [Part::Policies, Part::Intake, Part::Work(Kind::Email)];

/// A house whose mails go to a catcher.
async fn with_server() -> (House, MailCatcher) {
    let mut house = House::new().await;
    let catcher = MailCatcher::start().await.expect("it starts");
    house.settings.mail.smtp = Some(SmtpConfig {
        host: "127.0.0.1".into(),
        port: catcher.port(),
        credentials: None,
        security: SmtpSecurity::None,
        authorities: None,
    });
    (house, catcher)
}

fn start(house: &House) -> Running {
    house.run(&MAILS)
}

/// The token in a link of the mail's text.
fn token_after(text: &str, before: &str) -> String {
    let rest = text.split_once(before).expect("the link").1;
    let end = |letter: char| !(letter.is_ascii_alphanumeric() || "-_".contains(letter));
    rest.split(end).next().unwrap_or_default().to_owned()
}

fn claims(house: &House, kind: TokenKind, token: &str) -> Claims {
    let now = house.settings.clock.now();
    tokens().verify(kind, token, now).expect("a good token")
}

/// The one mail job that an event of this type led to.
async fn job_of(house: &House, stream: Uuid, event_type: &str) -> Uuid {
    house.event(stream, event_type).await.event_id
}

async fn ended(house: &House, job: Uuid) -> JobRow {
    let mut row = None;
    until("the mail's end", async || {
        row = house.job(job).await;
        row.as_ref()
            .is_some_and(|row| !matches!(row.state.as_str(), "queued" | "running"))
    })
    .await;
    row.expect("it was found")
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_sends_a_link_that_proves_the_address() {
    let (house, catcher) = with_server().await;
    let running = start(&house);
    let user = house.register("amal@example.org").await;
    let mail = catcher
        .wait_for("amal@example.org", "verify-email")
        .await
        .expect("a mail");
    let token = token_after(
        &mail.text,
        "http://127.0.0.1:8000/api/auth/verify-email?token=",
    );
    let said = claims(&house, TokenKind::VerifyEmail, &token);
    assert_eq!((said.subject, said.nonce), (user, user));
    assert!(mail.text.contains("Hello Amal"));
    let job = job_of(&house, user, "UserRegistered").await;
    assert_eq!(ended(&house, job).await.state, "succeeded");
    let row: (String,) = sqlx::query_as("SELECT task::text FROM jobs")
        .fetch_one(&house.database.pool)
        .await
        .expect("the job");
    assert!(
        !row.0.contains("amal") && !row.0.contains(&token),
        "{}",
        row.0
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_verification_link_and_a_reset_link_are_told_apart() {
    let (house, catcher) = with_server().await;
    let user = house.register("amal@example.org").await;
    let (link, reset) = (house.ids.next(), house.ids.next());
    let expires_at = house.in_an_hour();
    let again = UserCommand::RequestVerification {
        verification_id: link,
        expires_at,
    };
    house.user(user, again).await;
    let forgot = UserCommand::RequestPasswordReset {
        reset_id: reset,
        expires_at,
    };
    house.user(user, forgot).await;
    let running = start(&house);
    let mail = catcher
        .wait_for("amal@example.org", "/reset-password?")
        .await
        .expect("a mail");
    let token = token_after(&mail.text, "http://127.0.0.1:8000/reset-password?token=");
    let said = claims(&house, TokenKind::ResetPassword, &token);
    assert_eq!((said.subject, said.nonce), (user, reset));
    let job = job_of(&house, user, "VerificationRequested").await;
    assert_eq!(ended(&house, job).await.state, "succeeded");
    let mut nonces: Vec<Uuid> = catcher
        .mails()
        .iter()
        .filter(|mail| mail.text.contains("verify-email?token="))
        .map(|mail| token_after(&mail.text, "verify-email?token="))
        .map(|token| claims(&house, TokenKind::VerifyEmail, &token).nonce)
        .collect();
    nonces.sort();
    assert_eq!(nonces, [user, link]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_names_the_project_and_who_invites() {
    let (house, catcher) = with_server().await;
    let running = start(&house);
    let maker = house.register("maker@example.org").await;
    let project = house.project(maker).await;
    let invitation = house.invite(project, maker, "guest@example.org").await;
    let mail = catcher
        .wait_for("guest@example.org", "invitations")
        .await
        .expect("a mail");
    let token = token_after(
        &mail.text,
        "http://127.0.0.1:8000/api/projects/invitations/",
    );
    assert!(mail.text.contains(&format!("{token}/accept")));
    let said = claims(&house, TokenKind::Invitation, &token);
    assert_eq!((said.subject, said.nonce), (project, invitation));
    assert!(
        mail.text.contains("Subject: Invitation to Diwan & Co"),
        "{}",
        mail.text
    );
    assert!(
        mail.text
            .contains("Amal invites you to work on \"Diwan & Co\" as reviewer")
    );
    assert!(mail.text.contains("Diwan &amp; Co</b>"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_told_to_the_owner_with_the_reviewers_words() {
    let house = House::new().await;
    let running = start(&house);
    let owner = house.register("amal@example.org").await;
    let reviewer = house.register("reviewer@example.org").await;
    let item = house.submitted(owner).await;
    house.decide(item, reviewer, Decision::Reject).await;
    let job = job_of(&house, item, "SubmissionRejected").await;
    assert_eq!(ended(&house, job).await.state, "succeeded");
    let files: Vec<_> = fs::read_dir(house.mail_directory())
        .expect("mails are there")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.to_string_lossy().contains("-decision-"))
        .collect();
    assert_eq!(files.len(), 1);
    let name = files[0]
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    assert!(name.is_some_and(|name| name.ends_with(&format!("-decision-{job}.eml"))));
    let mail = fs::read_to_string(&files[0]).expect("readable");
    assert!(mail.contains("To: amal@example.org"));
    assert!(
        mail.contains("Subject: Rejected: =?utf-8?b?") || mail.contains("Subject: =?utf-8?b?"),
        "{mail}"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_is_taken_back_is_told_and_no_longer_news_itself() {
    let (house, catcher) = with_server().await;
    let owner = house.register("amal@example.org").await;
    let decide = async |item, decision| {
        house.decide(item, owner, decision).await;
        let review = house.store.load::<domain::Review>(item).await;
        let review = review.expect("a stream").aggregate;
        let outcome = domain::policy::record_outcome(&review).expect("it ended");
        house.item(item, outcome).await;
    };
    let revert = SubmissionCommand::RevertDecision {
        round: 1,
        reopened: 0,
        reverted_by_id: owner,
    };
    let (waits, decided_again) = (house.submitted(owner).await, house.submitted(owner).await);
    for item in [waits, decided_again] {
        decide(item, Decision::Approve).await;
        house.item(item, revert.clone()).await;
    }
    decide(decided_again, Decision::Reject).await;
    let running = run(house.settings.clone());
    let expected = [
        (waits, "SubmissionApproved", "discarded"),
        (waits, "DecisionReverted", "succeeded"),
        (decided_again, "SubmissionApproved", "discarded"),
        (decided_again, "DecisionReverted", "discarded"),
        (decided_again, "SubmissionRejected", "succeeded"),
    ];
    for (item, event_type, state) in expected {
        let job = job_of(&house, item, event_type).await;
        assert_eq!(ended(&house, job).await.state, state, "{event_type}");
    }
    running.stop().await;
    let about: Vec<String> = catcher
        .mails()
        .into_iter()
        .map(|mail| mail.text)
        .filter(|text| text.contains("Its number is"))
        .collect();
    assert_eq!(about.len(), 2);
    let told = |item: uuid::Uuid, words: &str| {
        let of_item = |text: &&String| text.contains(&item.to_string());
        about
            .iter()
            .any(|text| of_item(&text) && text.contains(words))
    };
    assert!(told(waits, "has been taken back"), "{about:?}");
    assert!(told(decided_again, "has been rejected"), "{about:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_for_now_is_tried_again() {
    let (mut house, catcher) = with_server().await;
    house.settings.jobs.retry_delay = Duration::from_millis(500);
    catcher.set_mode(MailMode::Refuse(451));
    let running = start(&house);
    let user = house.register("amal@example.org").await;
    let job = job_of(&house, user, "UserRegistered").await;
    until("a refused attempt", async || {
        let row = house.job(job).await;
        row.is_some_and(|row| row.error_code.as_deref() == Some("MAIL_REFUSED_FOR_NOW"))
    })
    .await;
    catcher.set_mode(MailMode::Accept);
    catcher
        .wait_for("amal@example.org", "verify-email")
        .await
        .expect("a mail");
    assert!(ended(&house, job).await.attempts >= 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_nobodys_mails_is_tried_again_and_no_address_suffers_for_it() {
    let (mut house, catcher) = with_server().await;
    house.settings.jobs.retry_delay = Duration::from_millis(500);
    for (email, mode, code) in [
        (
            "amal@example.org",
            MailMode::SayTo("", "554 no"),
            "MAIL_SERVER_REFUSES",
        ),
        (
            "badr@example.org",
            MailMode::SayTo("MAIL FROM", "553 not in this name"),
            "MAIL_SENDER_REFUSED",
        ),
    ] {
        catcher.set_mode(mode);
        let running = start(&house);
        let user = house.register(email).await;
        let job = job_of(&house, user, "UserRegistered").await;
        until("a refused attempt", async || {
            let row = house.job(job).await;
            row.is_some_and(|row| row.error_code.as_deref() == Some(code))
        })
        .await;
        catcher.set_mode(MailMode::Accept);
        let mail = catcher.wait_for(email, "verify-email").await;
        mail.expect("a mail");
        assert_eq!(ended(&house, job).await.state, "succeeded");
        running.stop().await;
    }
    let suppressed: i64 = sqlx::query_scalar("SELECT count(*) FROM suppressed_addresses")
        .fetch_one(&house.database.pool)
        .await
        .expect("the table");
    assert_eq!(suppressed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_ever_fails_at_once_and_one_that_lasts_is_a_dead_letter() {
    let (house, catcher) = with_server().await;
    catcher.set_mode(MailMode::Refuse(550));
    let running = start(&house);
    let user = house.register("amal@example.org").await;
    let job = job_of(&house, user, "UserRegistered").await;
    let row = ended(&house, job).await;
    assert_eq!((row.state.as_str(), row.attempts), ("failed", 1));
    assert_eq!(row.error_code.as_deref(), Some("MAIL_REFUSED"));
    catcher.set_mode(MailMode::Refuse(421));
    let user = house.register("badr@example.org").await;
    let job = job_of(&house, user, "UserRegistered").await;
    let row = ended(&house, job).await;
    assert_eq!((row.state.as_str(), row.attempts), ("dead", 4));
    assert!(catcher.mails().is_empty());
    catcher.set_mode(MailMode::Accept);
    let context = crate::house::context(user);
    let again = command_api::dead_letters::retry(&house.store, &house.ids, job, &context).await;
    assert_eq!(again.expect("it is dead"), job);
    catcher
        .wait_for("badr@example.org", "verify-email")
        .await
        .expect("a mail");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_sending_and_marking_sends_the_same_mail_and_no_other() {
    let (house, catcher) = with_server().await;
    let running = start(&house);
    let user = house.register("amal@example.org").await;
    let job = job_of(&house, user, "UserRegistered").await;
    ended(&house, job).await;
    running.stop().await;
    // As a crash leaves it: sent, not marked, held by nobody who lives.
    sqlx::query(
        "UPDATE jobs SET state = 'running', leased_by = gen_random_uuid(),
                leased_until = now() - interval '1 second', finished_at = NULL",
    )
    .execute(&house.database.pool)
    .await
    .expect("the job");
    let running = start(&house);
    ended(&house, job).await;
    running.stop().await;
    let ids: Vec<String> = catcher
        .mails()
        .iter()
        .map(|mail| message_id(&mail.text))
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0], format!("<{job}@example.org>"));
}

fn message_id(mail: &str) -> String {
    let line = mail
        .lines()
        .find_map(|line| line.strip_prefix("Message-ID: "));
    line.expect("every mail has one").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn as_a_file_a_mail_is_there_once_also_after_a_crash() {
    let house = House::new().await;
    let running = start(&house);
    let user = house.register("amal@example.org").await;
    let job = job_of(&house, user, "UserRegistered").await;
    ended(&house, job).await;
    running.stop().await;
    sqlx::query("UPDATE jobs SET state = 'queued', finished_at = NULL")
        .execute(&house.database.pool)
        .await
        .expect("the job");
    let running = start(&house);
    ended(&house, job).await;
    running.stop().await;
    let files = fs::read_dir(house.mail_directory()).expect("mails are there");
    assert_eq!(files.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_reason_any_more_is_not_sent() {
    let (house, catcher) = with_server().await;
    let gone = house.register("gone@example.org").await;
    house.user(gone, UserCommand::Deactivate).await;
    let verified = house.register("verified@example.org").await;
    house.user(verified, UserCommand::VerifyEmail).await;
    let late = house.ids.next();
    let expired = UserCommand::RequestPasswordReset {
        reset_id: late,
        expires_at: house.settings.clock.now(),
    };
    house.user(verified, expired).await;
    let maker = house.register("maker@example.org").await;
    house.user(maker, UserCommand::VerifyEmail).await;
    let project = house.project(maker).await;
    let invitation_id = house.invite(project, maker, "guest@example.org").await;
    let revoke = ProjectCommand::RevokeInvitation { invitation_id };
    house.membership(project, revoke).await;
    let running = run(house.settings.clone());
    let expected = [
        (gone, "UserRegistered", "RECIPIENT_GONE"),
        (verified, "UserRegistered", "NOT_NEEDED"),
        (verified, "PasswordResetRequested", "EXPIRED"),
        (project, "MemberInvited", "NOT_NEEDED"),
    ];
    for (stream, event_type, why) in expected {
        let job = job_of(&house, stream, event_type).await;
        let row = ended(&house, job).await;
        assert_eq!(
            (row.state.as_str(), row.error_code.as_deref()),
            ("discarded", Some(why))
        );
    }
    running.stop().await;
    assert!(catcher.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_about_an_erased_person() {
    let (house, catcher) = with_server().await;
    let owner = house.register("amal@example.org").await;
    let item = house.submitted(owner).await;
    house.decide(item, owner, Decision::Approve).await;
    let review = house
        .store
        .load::<domain::Review>(item)
        .await
        .expect("a stream");
    let outcome = domain::policy::record_outcome(&review.aggregate).expect("it ended");
    house.item(item, outcome).await;
    sqlx::query(
        "UPDATE vault.subject_keys SET wrapped_key = NULL, erased_at = now() WHERE subject_id = $1",
    )
    .bind(owner)
    .execute(&house.database.pool)
    .await
    .expect("the key");
    // Another process, which never had the key.
    let other = house.without_cached_keys().await;
    let loaded = other.store.load::<User>(owner).await.expect("a stream");
    assert!(
        loaded
            .aggregate
            .standing()
            .is_some_and(|user| user.email.get().is_none())
    );
    let running = run(other);
    for (stream, event_type) in [(owner, "UserRegistered"), (item, "SubmissionApproved")] {
        let job = job_of(&house, stream, event_type).await;
        let row = ended(&house, job).await;
        let seen = (row.state.as_str(), row.error_code.as_deref());
        assert_eq!(seen, ("discarded", Some("RECIPIENT_GONE")));
    }
    running.stop().await;
    assert!(catcher.mails().is_empty());
    let approved = house
        .store
        .load::<Submission>(item)
        .await
        .expect("a stream");
    assert!(approved.aggregate.item().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stops_before_it_could_note_a_sent_mail_sends_it_no_second_time() {
    let (mut house, catcher) = with_server().await;
    house.settings.grace = Duration::ZERO;
    let pool = &house.database.pool;
    // Ends cannot be noted while this table is there; refusals are counted.
    let refusing = "CREATE SEQUENCE refusals;
        CREATE TABLE refusing ();
        CREATE FUNCTION refuse() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
            IF to_regclass('refusing') IS NOT NULL THEN
                RAISE EXCEPTION 'refusal %', nextval('refusals');
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON jobs FOR EACH ROW
            WHEN (NEW.state = 'succeeded') EXECUTE FUNCTION refuse()";
    sqlx::raw_sql(refusing).execute(pool).await.expect("made");
    let running = start(&house);
    let user = house.register("amal@example.org").await;
    let job = job_of(&house, user, "UserRegistered").await;
    until("its end is refused", async || {
        let called = sqlx::query_scalar("SELECT is_called FROM refusals");
        called.fetch_one(pool).await.expect("the sequence")
    })
    .await;
    let stopped = tokio::spawn(running.stop());
    let drop = sqlx::query("DROP TABLE refusing").execute(pool).await;
    drop.expect("dropped");
    stopped.await.expect("it stops");
    assert_eq!(house.job(job).await.expect("the job").state, "succeeded");
    assert_eq!(catcher.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn to_an_address_that_does_not_exist_nothing_more_is_sent_for_a_while() {
    let (house, catcher) = with_server().await;
    let running = start(&house);
    catcher.set_mode(MailMode::Say("550 5.1.1 user unknown"));
    let user = house.register("Nobody@example.org").await;
    let job = job_of(&house, user, "UserRegistered").await;
    let row = ended(&house, job).await;
    assert_eq!(
        (row.state.as_str(), row.error_code.as_deref()),
        ("failed", Some("MAIL_REFUSED"))
    );
    catcher.set_mode(MailMode::Accept);
    let other = house.register("somebody@example.org").await;
    let forgot = |reset_id| UserCommand::RequestPasswordReset {
        reset_id,
        expires_at: house.in_an_hour(),
    };
    house.user(user, forgot(house.ids.next())).await;
    let job = job_of(&house, user, "PasswordResetRequested").await;
    let row = ended(&house, job).await;
    let suppressed = ("failed", Some("ADDRESS_SUPPRESSED"));
    assert_eq!((row.state.as_str(), row.error_code.as_deref()), suppressed);
    let job = job_of(&house, other, "UserRegistered").await;
    assert_eq!(ended(&house, job).await.state, "succeeded");
    let to: Vec<_> = catcher
        .mails()
        .into_iter()
        .flat_map(|mail| mail.to)
        .collect();
    assert_eq!(to, ["somebody@example.org"]);
    // Nobody's address stands in the table, and one day it is tried again.
    let rows: Vec<(String,)> = sqlx::query_as("SELECT s::text FROM suppressed_addresses s")
        .fetch_all(&house.database.pool)
        .await
        .expect("the table");
    assert!(rows.len() == 1 && !rows[0].0.contains("nobody"), "{rows:?}");
    sqlx::query("UPDATE suppressed_addresses SET until = now()")
        .execute(&house.database.pool)
        .await
        .expect("a week later");
    let again = UserCommand::RequestVerification {
        verification_id: house.ids.next(),
        expires_at: house.in_an_hour(),
    };
    house.user(user, again).await;
    let job = job_of(&house, user, "VerificationRequested").await;
    assert_eq!(ended(&house, job).await.state, "succeeded");
    running.stop().await;
}
