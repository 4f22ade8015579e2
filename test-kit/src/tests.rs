//! That what tests stand on holds.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

#[tokio::test]
async fn each_call_gives_a_migrated_database_of_its_own() {
    let (one, other) = tokio::join!(postgres(), postgres());
    assert_ne!(one.name, other.name);
    sqlx::query("CREATE TABLE mine ()")
        .execute(&one.pool)
        .await
        .expect("it is empty of mine");
    sqlx::query("CREATE TABLE mine ()")
        .execute(&other.pool)
        .await
        .expect("so is the other");
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&one.pool)
        .await
        .expect("it is migrated");
    let files = std::fs::read_dir(workspace().join("migrations"))
        .expect("there")
        .flatten();
    let ups = files.filter(|file| file.file_name().to_string_lossy().ends_with(".up.sql"));
    assert_eq!(usize::try_from(applied).expect("not negative"), ups.count());
}

#[tokio::test]
async fn all_migrations_can_be_undone_and_applied_again() {
    let database = empty_database().await;
    let migrations = workspace().join("migrations");
    let migrator = sqlx::migrate::Migrator::new(migrations.as_path())
        .await
        .expect("readable");
    migrator.run(&database.pool).await.expect("applied");
    migrator.undo(&database.pool, 0).await.expect("undone");
    migrator.run(&database.pool).await.expect("applied again");
}

#[tokio::test]
async fn a_nats_server_comes_back_at_the_same_place_after_a_wipe() {
    let mut server = nats().await;
    let (url, address) = (server.url.clone(), server.address().servers);
    assert_eq!(url, address);
    server.restart_wiped().await.expect("it starts again");
    assert_eq!(server.url, url);
    let mut stream = TcpStream::connect(url.trim_start_matches("nats://"))
        .await
        .expect("it is up");
    let mut greeting = [0; 5];
    stream.read_exact(&mut greeting).await.expect("it greets");
    assert_eq!(&greeting, b"INFO ");
}

#[tokio::test]
async fn a_cluster_of_nats_servers_takes_one_back_that_was_killed() {
    let mut cluster = nats_cluster().await;
    let url = cluster.url();
    assert_eq!(url.split(',').count(), 3);
    cluster.stop(1).await;
    let gone = cluster.url_of(1);
    let refused = TcpStream::connect(gone.trim_start_matches("nats://")).await;
    assert!(refused.is_err(), "{gone} is gone");
    cluster.start(1).await.expect("it meets the others again");
    assert_eq!(cluster.url(), url);
    assert_eq!(cluster.named("node-2"), Some(2));
}

#[tokio::test]
async fn the_mail_catcher_keeps_what_it_accepts_and_refuses_on_request() {
    let catcher = MailCatcher::start().await.expect("it starts");
    let talk = "EHLO me\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nSubject: s\r\n\r\n..\r\n.\r\nQUIT\r\n";
    let said = converse(catcher.port(), talk).await;
    assert!(said.ends_with("250 taken\r\n221 bye\r\n"), "{said}");
    let mail = catcher.wait_for("B@x", "Subject").await.expect("it came");
    assert_eq!(
        (mail.from.as_str(), mail.text.as_str()),
        ("a@x", "Subject: s\r\n\r\n.\r\n")
    );
    catcher.set_mode(MailMode::Refuse(451));
    let said = converse(
        catcher.port(),
        "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nQUIT\r\n",
    )
    .await;
    assert!(
        said.contains("451 refused") && said.contains("503"),
        "{said}"
    );
    assert_eq!(catcher.mails().len(), 1);
}

async fn converse(port: u16, text: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("it listens");
    stream.write_all(text.as_bytes()).await.expect("it reads");
    let mut said = String::new();
    stream.read_to_string(&mut said).await.expect("it answers");
    said
}
