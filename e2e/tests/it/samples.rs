//! `alta seed` beside a running service.

use crate::house::House;
use anyhow::{Result, ensure};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use test_kit::AltaProcess;

const PATIENCE: Duration = Duration::from_mins(1);
/// As the samples have it.
const PASSWORD: &str = "alta sample 2718";

/// `alta seed` on the data directory of a running service.
fn seed(house: &House) -> Result<AltaProcess> {
    let directory = house.alta.data_dir().display().to_string();
    Ok(AltaProcess::new()?
        .arguments(&["seed", "--env", "development"])
        .env("ALTA_DATA_DIR", &directory))
}

async fn seeded(house: &House) -> Result<String> {
    let mut seed = seed(house)?;
    seed.launch()?;
    let status = seed.wait().await?;
    ensure!(status.success(), "{status}: {}", seed.output());
    Ok(seed.output())
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_that_broke_off_are_completed_by_the_next_run() -> Result<()> {
    let mut house = House::start().await?;
    let root = e2e::super_admin(&house.anybody, "root@example.org", e2e::PASSWORD).await?;
    let items = async || {
        let items = root
            .client
            .get("/submissions?limit=200")
            .await?
            .expect(200)?;
        anyhow::Ok(items.body.as_array().cloned().unwrap_or_default())
    };
    let mut broken = seed(&house)?;
    broken.launch()?;
    let begun = Instant::now();
    while items().await?.len() < 4 {
        ensure!(
            begun.elapsed() < PATIENCE,
            "no samples: {}",
            broken.output()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    broken.kill_tree().await?;
    let before = items().await?.len();
    ensure!(before < 15, "it was faster than this test");

    assert!(seeded(&house).await?.contains("nora@example.org"));
    let mut kinds: BTreeMap<(String, String), usize> = BTreeMap::new();
    for item in items().await? {
        let text = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
        *kinds.entry((text("type"), text("status"))).or_default() += 1;
    }
    let expected = ["document", "raw_text", "voice_sample"].map(|kind| {
        [
            ("approved", 1),
            ("draft", 2),
            ("pending_review", 1),
            ("rejected", 1),
        ]
        .map(|(status, count)| ((kind.to_owned(), status.to_owned()), count))
    });
    assert_eq!(kinds, expected.into_iter().flatten().collect());
    let projects = root.client.get("/projects").await?.expect(200)?;
    assert_eq!(projects.body.as_array().map(Vec::len), Some(2));
    let nora = serde_json::json!({ "email": "nora@example.org", "password": PASSWORD });
    house.anybody.post("/auth/login", nora).await?.expect(200)?;

    assert!(seeded(&house).await?.contains("nothing was changed"));
    assert_eq!(items().await?.len(), 15);
    house.alta.terminate().await?;
    Ok(())
}
