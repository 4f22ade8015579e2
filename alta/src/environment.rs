//! The configuration, from the environment and `.env`. What is set in the environment wins.

use std::path::Path;

use anyhow::{anyhow, bail, ensure};
use media::engine_child::EngineProgram;
use processors::email::{Authorities, Templates};
use runtime::{
    clock::Clock,
    config::{Config, environment},
    dotenv,
};

/// Reads it. Fails with one line that names the bad variable.
pub(crate) fn config() -> anyhow::Result<Config> {
    let mut variables = dotenv::read(Path::new(".env"))?;
    let set = environment()?;
    // An empty value counts as none, so it does not hide one in the file.
    variables.extend(
        set.into_iter()
            .filter(|(_, value)| !value.trim().is_empty()),
    );
    let config = Config::from_vars(&variables)?;
    as_those_who_use_it(&config)?;
    Ok(config)
}

/// Refuses what the sections let pass and the parts that use it would not: better now than when the
/// first mail is to be sent.
fn as_those_who_use_it(config: &Config) -> anyhow::Result<()> {
    ensure!(
        processors::email::is_sender(&config.mail.from),
        "SMTP_FROM cannot be used: it must be an address or Name <address>"
    );
    templates(config)?;
    authorities(config)?;
    let program = EngineProgram::current(&[])?;
    processors::Engines::chosen(&config.engines, program, &Clock::system())?;
    if let Some(first) = &config.admin.first
        && let Err((field, why)) = command_api::may_sign_in(&first.email, first.password.expose())
    {
        let variable = match field {
            "password" => "SUPER_ADMIN_PASSWORD",
            _ => "SUPER_ADMIN_EMAIL",
        };
        bail!("{variable} cannot be used: it {why}");
    }
    Ok(())
}

/// Who may vouch for the mail server.
pub(crate) fn authorities(config: &Config) -> anyhow::Result<Authorities> {
    let smtp = config.mail.smtp.as_ref();
    let Some(file) = smtp.and_then(|smtp| smtp.authorities.as_ref()) else {
        return Ok(Authorities::default());
    };
    Authorities::read(file).map_err(|why| anyhow!("SMTP_CA_FILE cannot be used: {why}"))
}

/// What mails say.
pub(crate) fn templates(config: &Config) -> anyhow::Result<Templates> {
    let Some(directory) = &config.mail.templates else {
        return Ok(Templates::default());
    };
    Templates::read(directory).map_err(|why| anyhow!("MAIL_TEMPLATES_DIR cannot be used: {why}"))
}
