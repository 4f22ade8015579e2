//! Servers that take, refuse, break off and hang; files that are written once.

use super::*;
use runtime::secret::SecretString;
use std::net::TcpListener;
use test_kit::{MailCatcher, MailMode};

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
        }),
        from: "Alta Data <alta@example.org>".into(),
        templates: None,
    }
}

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
    let post = Post::new(&server(catcher.port()), PathBuf::new());
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
    let post = Post::new(&server(catcher.port()), PathBuf::new());
    catcher.set_mode(MailMode::Refuse(451));
    let failure = deliver(&post).await.expect_err("refused");
    let passing = Failure::passing("MAIL_REFUSED_FOR_NOW", "the mail server answered 451");
    assert_eq!(failure, passing);
    catcher.set_mode(MailMode::Refuse(550));
    let failure = deliver(&post).await.expect_err("refused");
    let lasting = Failure::lasting("MAIL_REFUSED", "the mail server answered 550");
    assert_eq!(failure, lasting);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_in_time() {
    let catcher = MailCatcher::start().await.expect("it starts");
    catcher.set_mode(MailMode::Hang);
    let mut post = Post::new(&server(catcher.port()), PathBuf::new());
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
    let post = Post::new(&server(port), PathBuf::new());
    let failure = deliver(&post).await.expect_err("nobody listens");
    let seen = (failure.code.as_str(), failure.permanent);
    assert_eq!(seen, ("MAIL_SERVER_UNAVAILABLE", false));
}

#[tokio::test]
async fn tls_is_insisted_on_where_it_is_configured() {
    let catcher = MailCatcher::start().await.expect("it starts");
    let mut config = server(catcher.port());
    if let Some(smtp) = &mut config.smtp {
        smtp.security = SmtpSecurity::StartTls;
        smtp.credentials = Some(("user".into(), SecretString::new("hush")));
    }
    let failure = deliver(&Post::new(&config, PathBuf::new())).await;
    let failure = failure.expect_err("the server has no TLS");
    assert!(!failure.detail.contains("hush"));
    assert!(catcher.mails().is_empty());
}

#[tokio::test]
async fn an_address_that_cannot_be_one_is_never_tried() {
    let catcher = MailCatcher::start().await.expect("it starts");
    let post = Post::new(&server(catcher.port()), PathBuf::new());
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
    let post = Post::new(&config, directory.clone());
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
    let post = Post::new(&server(catcher.port()), PathBuf::new());
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
