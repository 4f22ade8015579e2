//! Servers that take, refuse, break off and hang; files that are written once.

use super::*;
use runtime::secret::SecretString;
use std::net::TcpListener;
use test_kit::{MailCatcher, MailMode, MailTls};

const EVENT: Uuid = Uuid::from_u128(7);
const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn letter() -> Letter {
    Letter {
        to: "amal@example.org".into(),
        subject: "مرحبا — hello".into(),
        text: "Open http://127.0.0.1/x?token=abc".into(),
        html: "<p>Open</p>".into(),
    }
}

fn server(port: u16) -> MailConfig {
    MailConfig {
        smtp: Some(SmtpConfig {
            host: "127.0.0.1".into(),
            port,
            credentials: None,
            security: SmtpSecurity::Opportunistic,
            authorities: None,
        }),
        from: "Alta Data <alta@example.org>".into(),
        templates: None,
    }
}

/// Sends to this port, and trusts nobody in particular.
fn to_port(port: u16) -> Post {
    Post::new(&server(port), Authorities::default(), PathBuf::new())
}

/// Trusts this server's certificate.
fn trusting(catcher: &MailCatcher) -> Authorities {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("ca.pem");
    fs::write(&file, catcher.certificate().expect("it has one")).expect("written");
    Authorities::read(&file).expect("a certificate")
}

fn with(
    catcher: &MailCatcher,
    security: SmtpSecurity,
    trusted: Authorities,
    password: Option<&str>,
) -> Post {
    let mut config = server(catcher.port());
    if let Some(smtp) = &mut config.smtp {
        smtp.host = "localhost".into();
        smtp.security = security;
        smtp.credentials = password.map(|word| ("alta".into(), SecretString::new(word)));
    }
    Post::new(&config, trusted, PathBuf::new())
}

const ACCOUNT: (&str, &str) = ("alta", "hush");

async fn attempt(post: &Post) -> Result<(), Undelivered> {
    post.deliver(&letter(), "verify-email", EVENT, AT).await
}

async fn deliver(post: &Post) -> Result<(), Failure> {
    attempt(post)
        .await
        .map_err(|undelivered| undelivered.failure)
}

#[tokio::test]
async fn a_mail_is_sent_with_both_parts_and_an_id_from_its_event() {
    let catcher = MailCatcher::start().await.expect("it starts");
    let post = to_port(catcher.port());
    deliver(&post).await.expect("it is taken");
    deliver(&post).await.expect("it is taken again");
    let mails = catcher.mails();
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        assert_eq!(mail.from, "alta@example.org");
        assert_eq!(mail.to, ["amal@example.org"]);
        assert!(
            mail.text
                .contains(&format!("Message-ID: <{EVENT}@example.org>"))
        );
        assert!(mail.text.contains("Auto-Submitted: auto-generated"));
        assert!(mail.text.contains("Subject: =?utf-8?b?"), "{}", mail.text);
        assert!(mail.text.contains("Content-Type: text/plain"));
        assert!(mail.text.contains("Content-Type: text/html"));
        assert!(mail.text.contains("?token=abc"));
    }
}

#[tokio::test]
async fn a_refusal_for_now_is_passing_and_one_for_ever_is_lasting() {
    let catcher = MailCatcher::start().await.expect("it starts");
    let post = to_port(catcher.port());
    catcher.set_mode(MailMode::Refuse(451));
    let failure = deliver(&post).await.expect_err("refused");
    let passing = Failure::passing(
        "MAIL_REFUSED_FOR_NOW",
        "the mail server answered 451 to the recipient",
    );
    assert_eq!(failure, passing);
    catcher.set_mode(MailMode::Refuse(550));
    let failure = deliver(&post).await.expect_err("refused");
    let lasting = Failure::lasting(
        "MAIL_REFUSED",
        "the mail server answered 550 to the recipient",
    );
    assert_eq!(failure, lasting);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_in_time() {
    let catcher = MailCatcher::start().await.expect("it starts");
    catcher.set_mode(MailMode::Hang);
    let mut post = to_port(catcher.port());
    post.within = Duration::from_millis(300);
    let failure = deliver(&post).await.expect_err("it hangs");
    assert_eq!(
        (failure.code.as_str(), failure.permanent),
        ("MAIL_TIMEOUT", false)
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_asked_again_later() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it has one").port();
    drop(listener);
    let post = to_port(port);
    let failure = deliver(&post).await.expect_err("nobody listens");
    let seen = (failure.code.as_str(), failure.permanent);
    assert_eq!(seen, ("MAIL_SERVER_UNAVAILABLE", false));
}

#[tokio::test]
async fn tls_is_insisted_on_where_it_is_configured() {
    let catcher = MailCatcher::start().await.expect("it starts");
    for (security, code) in [
        (SmtpSecurity::StartTls, "MAIL_SERVER_UNFIT"),
        (SmtpSecurity::Implicit, "MAIL_SERVER_UNAVAILABLE"),
    ] {
        let post = with(&catcher, security, Authorities::default(), Some("hush"));
        let failure = deliver(&post).await.expect_err("the server has no TLS");
        // It is the operator's to mend, and no mail is lost over it.
        assert_eq!((failure.code.as_str(), failure.permanent), (code, false));
        assert!(!failure.detail.contains("hush"));
    }
    assert!(catcher.mails().is_empty());
}

#[tokio::test]
async fn a_mail_goes_over_tls_in_each_way_and_after_signing_in() {
    for (offered, security) in [
        (MailTls::StartTls, SmtpSecurity::StartTls),
        (MailTls::StartTls, SmtpSecurity::Opportunistic),
        (MailTls::Implicit, SmtpSecurity::Implicit),
    ] {
        let catcher = MailCatcher::secured(offered, Some(ACCOUNT)).await;
        let catcher = catcher.expect("it starts");
        let post = with(&catcher, security, trusting(&catcher), Some("hush"));
        deliver(&post).await.expect("it is taken");
        let [mail] = &catcher.mails()[..] else {
            panic!("one mail")
        };
        assert!(mail.secured, "{security:?}");
        assert_eq!(mail.user.as_deref(), Some("alta"));
        assert!(mail.text.contains("Subject: =?utf-8?b?"), "{}", mail.text);
    }
}

#[tokio::test]
async fn a_server_that_nobody_known_vouches_for_gets_neither_mail_nor_password() {
    for (offered, security) in [
        (MailTls::StartTls, SmtpSecurity::StartTls),
        (MailTls::StartTls, SmtpSecurity::Opportunistic),
        (MailTls::Implicit, SmtpSecurity::Implicit),
    ] {
        let catcher = MailCatcher::secured(offered, None).await;
        let catcher = catcher.expect("it starts");
        let post = with(&catcher, security, Authorities::default(), None);
        let failure = deliver(&post)
            .await
            .expect_err("its certificate is its own");
        let seen = (failure.code.as_str(), failure.permanent);
        assert_eq!(seen, ("MAIL_SERVER_UNAVAILABLE", false), "{security:?}");
        assert!(catcher.mails().is_empty());
        let post = with(&catcher, security, trusting(&catcher), None);
        deliver(&post).await.expect("it is trusted");
    }
}

/// The certificate is another server's, though somebody known vouches for it.
#[tokio::test]
async fn a_certificate_of_another_host_is_refused() {
    let catcher = MailCatcher::secured(MailTls::Implicit, None).await;
    let catcher = catcher.expect("it starts");
    let mut post = with(&catcher, SmtpSecurity::Implicit, trusting(&catcher), None);
    deliver(&post).await.expect("it is the one");
    let Way::Server(smtp) = &mut post.way else {
        panic!("a server")
    };
    // The same machine by a name that is not in it.
    smtp.host = "127.0.0.1".into();
    let failure = deliver(&post).await.expect_err("it is another's");
    assert_eq!(failure.code, "MAIL_SERVER_UNAVAILABLE");
    assert_eq!(catcher.mails().len(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_shown() {
    let catcher = MailCatcher::secured(MailTls::StartTls, Some(("alta", "another"))).await;
    let catcher = catcher.expect("it starts");
    let post = with(
        &catcher,
        SmtpSecurity::StartTls,
        trusting(&catcher),
        Some("hush"),
    );
    let undelivered = attempt(&post).await.expect_err("refused");
    // It is the operator's to mend, and no mail is lost over it.
    let said = "the mail server answered 535 5.7.8 to the sign-in";
    let passing = Failure::passing("MAIL_SIGN_IN_REFUSED", said);
    assert_eq!(undelivered.failure, passing);
    assert_eq!(undelivered.bounce, None);
    assert!(catcher.mails().is_empty());
}

#[tokio::test]
async fn a_server_that_nobody_can_sign_in_to_gets_no_password() {
    let catcher = MailCatcher::secured(MailTls::StartTls, None).await;
    let catcher = catcher.expect("it starts");
    let post = with(
        &catcher,
        SmtpSecurity::StartTls,
        trusting(&catcher),
        Some("hush"),
    );
    let failure = deliver(&post).await.expect_err("it offers no such thing");
    let seen = (failure.code.as_str(), failure.permanent);
    assert_eq!(seen, ("MAIL_SERVER_UNFIT", false));
    assert!(catcher.mails().is_empty());
}

#[tokio::test]
async fn a_server_that_closes_the_connection_is_asked_again_later() {
    let catcher = MailCatcher::start().await.expect("it starts");
    let post = to_port(catcher.port());
    for mode in [MailMode::Drop, MailMode::DropInData] {
        catcher.set_mode(mode);
        let failure = deliver(&post).await.expect_err("it hangs up");
        let seen = (failure.code.as_str(), failure.permanent);
        assert_eq!(seen, ("MAIL_SERVER_UNAVAILABLE", false), "{mode:?}");
    }
    catcher.set_mode(MailMode::Accept);
    deliver(&post).await.expect("it is taken");
}

#[tokio::test]
async fn a_server_that_goes_silent_over_a_mail_is_left_in_time() {
    let catcher = MailCatcher::start().await.expect("it starts");
    catcher.set_mode(MailMode::HangInData);
    let mut post = to_port(catcher.port());
    post.within = Duration::from_millis(300);
    let failure = deliver(&post).await.expect_err("it hangs");
    let seen = (failure.code.as_str(), failure.permanent);
    assert_eq!(seen, ("MAIL_TIMEOUT", false));
}

#[tokio::test]
async fn a_mail_that_is_refused_as_a_whole_says_nothing_of_its_address() {
    let catcher = MailCatcher::start().await.expect("it starts");
    let post = to_port(catcher.port());
    for (words, code, permanent) in [
        ("554 5.7.1 spam", "MAIL_REFUSED", true),
        ("552 5.3.4 too large", "MAIL_REFUSED", true),
        ("451 4.3.0 later", "MAIL_REFUSED_FOR_NOW", false),
        ("452 4.2.2 full", "MAIL_REFUSED_FOR_NOW", false),
    ] {
        catcher.set_mode(MailMode::SayToMail(words));
        let undelivered = attempt(&post).await.expect_err("refused");
        let failure = undelivered.failure;
        assert_eq!(
            (failure.code.as_str(), failure.permanent),
            (code, permanent)
        );
        assert_eq!(undelivered.bounce, None, "{words}");
    }
}

#[test]
fn only_certificates_vouch_for_a_server() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("ca.pem");
    let wrapped =
        |words: &str| format!("-----BEGIN CERTIFICATE-----\n{words}\n-----END CERTIFICATE-----\n");
    assert!(Authorities::read(&file).is_err());
    for text in [
        String::new(),
        "words".to_owned(),
        wrapped("!"),
        wrapped("bm8="),
    ] {
        fs::write(&file, &text).expect("written");
        assert!(Authorities::read(&file).is_err(), "{text:?}");
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_one_is_never_tried() {
    let catcher = MailCatcher::start().await.expect("it starts");
    let post = to_port(catcher.port());
    let letter = Letter {
        to: "a@b\r\nRCPT TO:<c@d>".into(),
        ..letter()
    };
    let failure = post.deliver(&letter, "decision", EVENT, AT).await;
    assert_eq!(
        failure.map_err(|undelivered| undelivered.failure.code),
        Err("BAD_ADDRESS".into())
    );
}

#[tokio::test]
async fn without_a_server_a_mail_becomes_one_private_file() {
    let home = tempfile::tempdir().expect("a directory");
    let config = MailConfig {
        smtp: None,
        from: "alta@localhost".into(),
        templates: None,
    };
    let directory = home.path().join("mail");
    let post = Post::new(&config, Authorities::default(), directory.clone());
    deliver(&post).await.expect("it is written");
    deliver(&post).await.expect("it is there");
    let files: Vec<_> = fs::read_dir(&directory).expect("it was made").collect();
    assert_eq!(files.len(), 1);
    let path = directory.join(format!("19700101T000000.000Z-verify-email-{EVENT}.eml"));
    let mail = fs::read_to_string(&path).expect("it is named after its event");
    assert!(mail.contains("?token=abc") && mail.contains(&EVENT.to_string()));
    let mode = fs::metadata(&path)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0);
}

#[tokio::test]
async fn an_address_that_is_refused_is_told_from_a_sender_or_a_mail_that_is() {
    let catcher = MailCatcher::start().await.expect("it starts");
    let post = to_port(catcher.port());
    let cases = [
        (
            "550 5.1.1 <amal@example.org>: user unknown",
            Some(Bounce::Certain),
        ),
        ("554 5.1.10 no such domain", Some(Bounce::Certain)),
        ("550 5.2.1 mailbox disabled", Some(Bounce::Certain)),
        ("550 no such user here", Some(Bounce::Likely)),
        ("553 sorry", Some(Bounce::Likely)),
        ("550 5.7.1 relaying denied", None),
        ("553 5.1.8 bad sender", None),
        ("552 5.2.2 mailbox full", None),
        ("554 no", None),
        ("451 4.1.1 later", None),
    ];
    for (words, expected) in cases {
        catcher.set_mode(MailMode::Say(words));
        let undelivered = attempt(&post).await.expect_err("refused");
        assert_eq!(undelivered.bounce, expected, "{words}");
        assert!(!undelivered.failure.detail.contains("amal"));
    }
}

/// The failure's code and whether it is the mail's own and for ever.
async fn verdict(post: &Post) -> (String, bool) {
    let undelivered = attempt(post).await.expect_err("refused");
    assert_eq!(undelivered.bounce, None);
    assert!(!undelivered.failure.detail.contains("amal"));
    (undelivered.failure.code, undelivered.failure.permanent)
}

#[tokio::test]
async fn a_refusal_that_is_not_about_the_mail_is_never_its_end() {
    let catcher = MailCatcher::start().await.expect("it starts");
    let post = to_port(catcher.port());
    for (command, words, code) in [
        ("", "554 no service for you", "MAIL_SERVER_REFUSES"),
        ("", "521 no mails here", "MAIL_SERVER_REFUSES"),
        (
            "",
            "550 5.1.1 amal: what the stage says counts",
            "MAIL_SERVER_REFUSES",
        ),
        ("EHLO", "550 5.7.1 who are you", "MAIL_SERVER_REFUSES"),
        (
            "EHLO",
            "504 5.5.2 a whole name, please",
            "MAIL_SERVER_REFUSES",
        ),
        (
            "MAIL FROM",
            "550 5.7.1 not in this name",
            "MAIL_SENDER_REFUSED",
        ),
        ("MAIL FROM", "553 sorry", "MAIL_SENDER_REFUSED"),
        ("MAIL FROM", "503 out of order", "MAIL_SENDER_REFUSED"),
        (
            "MAIL FROM",
            "530 5.7.0 sign in first",
            "MAIL_SIGN_IN_REFUSED",
        ),
        ("RCPT TO", "500 what", "MAIL_SERVER_REFUSES"),
        ("RCPT TO", "503 5.5.1 out of order", "MAIL_SERVER_REFUSES"),
        ("RCPT TO", "502 not here", "MAIL_SERVER_REFUSES"),
        ("RCPT TO", "504 5.5.2 a whole name", "MAIL_SERVER_REFUSES"),
        (
            "RCPT TO",
            "550 5.7.1 relaying denied",
            "MAIL_SERVER_REFUSES",
        ),
        ("RCPT TO", "554 5.3.2 closed", "MAIL_SERVER_REFUSES"),
        (
            "RCPT TO",
            "553 5.1.8 amal: bad sender",
            "MAIL_SENDER_REFUSED",
        ),
        ("RCPT TO", "535 5.7.8 no", "MAIL_SIGN_IN_REFUSED"),
        ("DATA", "503 5.5.1 out of order", "MAIL_SERVER_REFUSES"),
        (
            "DATA",
            "550 5.7.26 nobody vouches for it",
            "MAIL_SENDER_REFUSED",
        ),
    ] {
        catcher.set_mode(MailMode::SayTo(command, words));
        let expected = (code.to_owned(), false);
        assert_eq!(verdict(&post).await, expected, "{command}: {words}");
    }
    catcher.set_mode(MailMode::Accept);
    deliver(&post).await.expect("it is taken");
}

#[tokio::test]
async fn a_refusal_of_tls_or_of_signing_in_is_the_operators_to_mend() {
    let catcher = MailCatcher::secured(MailTls::StartTls, Some(ACCOUNT)).await;
    let catcher = catcher.expect("it starts");
    let post = with(
        &catcher,
        SmtpSecurity::StartTls,
        trusting(&catcher),
        Some("hush"),
    );
    for (command, words, code) in [
        ("STARTTLS", "502 not here", "MAIL_SERVER_REFUSES"),
        ("STARTTLS", "554 5.7.3 no", "MAIL_SERVER_REFUSES"),
        ("AUTH", "504 5.5.4 no such way", "MAIL_SIGN_IN_REFUSED"),
        ("AUTH", "550 5.1.1 no", "MAIL_SIGN_IN_REFUSED"),
        ("AUTH", "503 5.5.1 out of order", "MAIL_SIGN_IN_REFUSED"),
    ] {
        catcher.set_mode(MailMode::SayTo(command, words));
        let expected = (code.to_owned(), false);
        assert_eq!(verdict(&post).await, expected, "{command}: {words}");
    }
    assert!(catcher.mails().is_empty());
}

#[tokio::test]
async fn a_refusal_of_the_text_is_the_mails_end_and_no_word_on_the_address() {
    let catcher = MailCatcher::start().await.expect("it starts");
    let post = to_port(catcher.port());
    for words in ["550 5.7.1 spam", "554 no", "550 no", "552 5.2.2 full"] {
        catcher.set_mode(MailMode::SayTo("DATA", words));
        let expected = ("MAIL_REFUSED".to_owned(), true);
        assert_eq!(verdict(&post).await, expected, "{words}");
    }
    catcher.set_mode(MailMode::SayToMail("550 5.1.1 no such mailbox"));
    let undelivered = attempt(&post).await.expect_err("refused");
    assert_eq!(undelivered.bounce, Some(Bounce::Certain));
}

#[tokio::test]
async fn a_server_that_refuses_everybody_is_left_alone_and_one_that_refuses_some_is_not() {
    let catcher = MailCatcher::start().await.expect("it starts");
    let post = to_port(catcher.port());
    for mode in [
        MailMode::Refuse(550),
        MailMode::Refuse(451),
        MailMode::SayToMail("554 5.7.1 spam"),
    ] {
        catcher.set_mode(mode);
        for _ in 0..8 {
            deliver(&post).await.expect_err("refused");
        }
        assert_eq!(post.rest(), None, "{mode:?}");
    }
    for mode in [
        MailMode::SayTo("", "554 no"),
        MailMode::SayTo("MAIL FROM", "550 5.7.1 no"),
        MailMode::Drop,
    ] {
        let post = to_port(catcher.port());
        catcher.set_mode(mode);
        for _ in 0..8 {
            assert_eq!(post.rest(), None, "{mode:?}");
            deliver(&post).await.expect_err("refused");
        }
        assert!(post.rest().is_some(), "{mode:?}");
    }
}
