//! `alta audit`: whether the log is what was recorded, and what shows it to others.

pub(crate) mod checkpoint;
mod export;
mod verify;

use anyhow::{Context, Result};
use event_store::audit::{AuditError, Signer, Span};
use runtime::{
    config::Config,
    secret::{SecretKey, purpose},
    telemetry,
};
use serde_json::{Value, json};

use crate::{
    cli::log::{AuditAction, SpanArguments},
    shown,
};

/// Does it. What went wrong is said in JSON too where that was asked for.
pub(crate) async fn run(config: Config, action: AuditAction) -> Result<()> {
    telemetry::init(&config.logging, "alta")?;
    let (as_json, done) = match action {
        AuditAction::Verify(arguments) => (arguments.json, verify::run(&config, arguments).await),
        AuditAction::Export { span, output, json } => (
            json,
            export::run(&config, span.into(), output.as_deref(), json).await,
        ),
        AuditAction::Checkpoint { output, json } => (
            json,
            checkpoint::run(&config, output.as_deref(), json).await,
        ),
        AuditAction::Key { json } => (json, key(&config, json)),
    };
    if let (true, Err(error)) = (as_json, &done) {
        shown::line(&failure(error).to_string());
    }
    done
}

/// `alta audit key`.
fn key(config: &Config, as_json: bool) -> Result<()> {
    let key = signer(config)?.public_key().to_string();
    let object = json!({ "algorithm": "Ed25519", "public_key": key });
    shown::line(&if as_json { object.to_string() } else { key });
    Ok(())
}

/// What signs checkpoints.
fn signer(config: &Config) -> Result<Signer> {
    let secret = config.secrets.existing_key(&config.server.data_dir)?;
    let secret = secret.context("SECRET_KEY is not set, and none is kept in the data directory")?;
    Ok(signer_of(&secret))
}

/// The signer that belongs to a secret.
pub(crate) fn signer_of(secret: &SecretKey) -> Signer {
    Signer::new(&secret.derive(purpose::AUDIT_CHECKPOINT))
}

/// A failure as one JSON object: a fault with its position, anything else in words.
fn failure(error: &anyhow::Error) -> Value {
    let message = format!("{error:#}");
    match error.downcast_ref::<AuditError>() {
        Some(AuditError::Fault(fault)) => json!({
            "ok": false,
            "position": fault.position,
            "fault": fault.wrong.word(),
            "message": message,
        }),
        _ => json!({ "ok": false, "position": null, "fault": null, "message": message }),
    }
}

impl From<SpanArguments> for Span {
    fn from(span: SpanArguments) -> Self {
        Self {
            from: span.from,
            to: span.to,
        }
    }
}
