//! Faults while clients work: the short form, or as many faults as `ALTA_CHAOS_FAULTS` says.

use std::{env, time::Duration};

use anyhow::{Context, Result, ensure};
use e2e::chaos::{self, Plan, Samples};

use crate::house::sample;

/// One of each kind.
const SHORT: usize = 12;
/// The short form is the same every time.
const SEED: u64 = 1;
/// How long the longest fault of the short form lasts, and of the long one.
const LONGEST: [Duration; 2] = [Duration::from_secs(4), Duration::from_mins(1)];

fn plan() -> Result<Plan> {
    let number = |name: &str| match env::var(name) {
        Ok(text) => {
            let number = text.parse::<u32>().map(Some);
            number.with_context(|| format!("{name} must be a number"))
        }
        Err(_) => Ok(None),
    };
    let (faults, seed) = (number("ALTA_CHAOS_FAULTS")?, number("ALTA_CHAOS_SEED")?);
    let drawn = faults.map_or(SEED, |_| rand::random::<u16>().into());
    Ok(Plan {
        seed: seed.map_or(drawn, u64::from),
        faults: faults.map_or(SHORT, |faults| faults as usize),
        longest: LONGEST[usize::from(faults.is_some())],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_once_whatever_fails_meanwhile() -> Result<()> {
    let plan = plan()?;
    let Plan { seed, faults, .. } = plan;
    let again = format!("make chaos SEED={seed} FAULTS={faults}");
    println!("seed {seed}, {faults} faults; again: {again}");
    let samples = Samples {
        document: sample("two-pages.pdf", "application/pdf")?,
        recording: sample("go-forward.wav", "audio/wav")?,
    };
    let report = chaos::run(plan, samples)
        .await
        .with_context(|| again.clone())?;
    println!("{report:#?}");
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    ensure!(findings.is_empty(), "{again}\n{}", findings.join("\n"));
    Ok(())
}
