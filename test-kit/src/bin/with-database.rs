//! Runs a command with `DATABASE_URL` set to a private, freshly migrated database.

use std::process::{Command, ExitCode};

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("usage: with-database PROGRAM [ARGUMENT]...");
        return ExitCode::from(2);
    };
    let database = test_kit::postgres().await;
    let status = Command::new(program)
        .args(words)
        .env("DATABASE_URL", &database.url)
        .status();
    database.pool.close().await;
    match status {
        Ok(status) => u8::try_from(status.code().unwrap_or(1)).unwrap_or(1).into(),
        Err(error) => {
            eprintln!("with-database: {error}");
            ExitCode::from(127)
        }
    }
}
