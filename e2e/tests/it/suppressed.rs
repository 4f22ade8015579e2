//! An address whose server says that there is no such mailbox, as an operator meets it: seen at the
//! command line, and lifted once the server has changed its mind.

use crate::house::House;
use anyhow::Result;
use serde_json::{Value, json};
use test_kit::{MailCatcher, MailMode, MailTls};

const ADDRESS: &str = "amal@example.org";

/// Over TLS, with a certificate that the settings name, and with a password.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_back_goes_out_once_the_address_is_lifted() -> Result<()> {
    let catcher = MailCatcher::secured(MailTls::StartTls, Some(("alta", "hush"))).await?;
    let place = test_kit::Home::new()?;
    let authorities = place.path().join("ca.pem");
    std::fs::write(&authorities, catcher.certificate().unwrap_or_default())?;
    let mut house = House::start_with(&[
        ("SMTP_HOST", "localhost"),
        ("SMTP_PORT", &catcher.port().to_string()),
        ("SMTP_USER", "alta"),
        ("SMTP_PASSWORD", "hush"),
        ("SMTP_CA_FILE", &authorities.display().to_string()),
    ])
    .await?;
    catcher.set_mode(MailMode::Say("550 5.1.1 no such mailbox"));
    let account = json!({ "email": ADDRESS, "password": e2e::PASSWORD });
    let registered = house.anybody.post("/auth/register", account).await?;
    registered.expect(201)?;
    let mut held = vec![];
    while held.is_empty() {
        let printed = house
            .alta_says(&["mail", "suppressed", ADDRESS, "--json"])
            .await?;
        held = printed
            .lines()
            .map(serde_json::from_str::<Value>)
            .collect::<Result<_, _>>()?;
    }
    assert!(held.len() == 1 && held[0]["until"].is_string(), "{held:?}");
    let all = house.alta_says(&["mail", "suppressed"]).await?;
    assert!(
        all.contains("nothing is sent before") && !all.contains("amal"),
        "{all}"
    );

    catcher.set_mode(MailMode::Accept);
    let lifted = house.alta_says(&["mail", "lift", ADDRESS]).await?;
    assert_eq!(lifted.trim(), "mails are sent to this address again");
    let again = house.alta_says(&["mail", "lift", ADDRESS]).await;
    let refused = again.expect_err("it is lifted").to_string();
    assert!(
        refused.contains("mails are sent to this address"),
        "{refused}"
    );
    let asked = json!({ "email": ADDRESS });
    let asked = house
        .anybody
        .post("/auth/resend-verification", asked)
        .await?;
    asked.expect(202)?;
    let mail = catcher.wait_for(ADDRESS, "verify-email").await?;
    assert!(mail.secured && mail.user.as_deref() == Some("alta"));
    house.alta.terminate().await?;
    Ok(())
}
