//! Every run that was asked for has one outcome, and its job ended as that says; what a review came to
//! is recorded once for each round.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::super::{
    record::Finding,
    seen::{Event, Seen},
};

const ONE_OUTCOME: &str = "a run has one outcome";
const JOB: &str = "a job ends as its run did";
const MADE_ONCE: &str = "a job is made once";
const ROUND: &str = "a round opens once and ends once";

const OUTCOMES: [(&str, &str); 3] = [
    ("ProcessingSucceeded", "succeeded"),
    ("ProcessingFailed", "failed"),
    ("ProcessingDeadLettered", "dead"),
];
/// How a review's round ends, and what the item records of it.
const ENDS: [&str; 2] = ["ReviewDecided", "ReviewWithdrawn"];
const RECORDED: [&str; 4] = [
    "SubmissionApproved",
    "SubmissionRejected",
    "ChangesRequested",
    "SubmissionWithdrawn",
];

pub(super) fn check(seen: &Seen) -> Vec<Finding> {
    let mut findings = runs(seen);
    findings.extend(made_once(seen));
    findings.extend(rounds(seen));
    findings
}

fn runs(seen: &Seen) -> Vec<Finding> {
    let mut findings = vec![];
    for request in named(seen, &["ProcessingRequested"]) {
        let Some(run) = request.run_id else {
            findings.push(Finding::new(
                ONE_OUTCOME,
                format!("{} has no run", request.event_id),
            ));
            continue;
        };
        let ends = seen.events.iter().filter(|event| event.run_id == Some(run));
        let ends: Vec<&str> = ends
            .filter_map(|event| OUTCOMES.iter().find(|(name, _)| *name == event.event))
            .map(|(_, state)| *state)
            .collect();
        let [end] = ends.as_slice() else {
            findings.push(Finding::new(ONE_OUTCOME, format!("run {run}: {ends:?}")));
            continue;
        };
        let states: Vec<&str> = seen
            .jobs
            .iter()
            .filter(|job| job.job_id == run)
            .map(|job| job.state.as_str())
            .collect();
        if states != [*end] {
            findings.push(Finding::new(
                JOB,
                format!("run {run} {end}, its jobs: {states:?}"),
            ));
        }
    }
    findings
}

fn made_once(seen: &Seen) -> Vec<Finding> {
    let mut made: BTreeMap<(&str, Uuid), usize> = BTreeMap::new();
    for job in &seen.jobs {
        *made.entry((&job.kind, job.source_event_id)).or_default() += 1;
    }
    let twice = made.into_iter().filter(|(_, count)| *count > 1);
    twice
        .map(|((kind, event), count)| {
            Finding::new(MADE_ONCE, format!("{count} {kind} jobs for event {event}"))
        })
        .collect()
}

fn rounds(seen: &Seen) -> Vec<Finding> {
    let opened = count(seen, &["ReviewOpened"]);
    let ended = count(seen, &ENDS);
    let recorded = count(seen, &RECORDED);
    let submitted = count(seen, &["SubmissionSubmitted"]);
    let mut findings = vec![];
    for (round, times) in &submitted {
        let opened = opened.get(round).copied().unwrap_or_default();
        let ended = ended.get(round).copied().unwrap_or_default();
        let recorded = recorded.get(round).copied().unwrap_or_default();
        if (*times, opened) != (1, 1) || ended > 1 || ended != recorded {
            let (item, number) = round;
            let detail = format!(
                "{item} round {number}: handed in {times} times, opened {opened}, ended {ended}, \
                 recorded {recorded}"
            );
            findings.push(Finding::new(ROUND, detail));
        }
    }
    findings
}

fn count(seen: &Seen, names: &[&str]) -> BTreeMap<(Uuid, i64), usize> {
    let mut counts = BTreeMap::new();
    for event in named(seen, names) {
        let round = (event.stream, event.round.unwrap_or_default());
        *counts.entry(round).or_default() += 1;
    }
    counts
}

fn named<'a>(seen: &'a Seen, names: &[&str]) -> impl Iterator<Item = &'a Event> {
    seen.events
        .iter()
        .filter(move |event| names.contains(&event.event.as_str()))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::Sample, *};

    fn rules(sample: &Sample) -> Vec<&'static str> {
        let findings = check(&sample.seen);
        findings.iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_true_record_has_no_findings() {
        assert_eq!(rules(&Sample::new()), [""; 0]);
    }

    #[test]
    fn a_run_without_an_outcome_is_found() {
        let mut sample = Sample::new();
        sample.remove("ProcessingSucceeded");
        assert_eq!(rules(&sample), [ONE_OUTCOME]);
    }

    #[test]
    fn a_run_with_two_outcomes_is_found() {
        let mut sample = Sample::new();
        sample.repeat("ProcessingSucceeded");
        assert_eq!(rules(&sample), [ONE_OUTCOME]);
    }

    #[test]
    fn a_job_that_is_open_or_ended_otherwise_or_is_not_there_is_found() {
        for state in ["running", "dead"] {
            let mut sample = Sample::new();
            sample.seen.jobs[0].state = state.to_owned();
            assert_eq!(rules(&sample), [JOB]);
        }
        let mut sample = Sample::new();
        sample.seen.jobs.remove(0);
        assert_eq!(rules(&sample), [JOB]);
    }

    #[test]
    fn a_job_that_was_made_twice_is_found() {
        let mut sample = Sample::new();
        let mut again = sample.seen.jobs[1].clone();
        again.job_id = Uuid::from_u128(99);
        sample.seen.jobs.push(again);
        assert_eq!(rules(&sample), [MADE_ONCE]);
    }

    #[test]
    fn a_round_that_ends_twice_or_whose_end_is_not_recorded_is_found() {
        for (name, twice) in [
            ("ReviewDecided", true),
            ("SubmissionApproved", true),
            ("SubmissionApproved", false),
            ("ReviewOpened", true),
            ("ReviewOpened", false),
        ] {
            let mut sample = Sample::new();
            if twice {
                sample.repeat(name);
            } else {
                sample.remove(name);
            }
            assert_eq!(rules(&sample), [ROUND], "{name} {twice}");
        }
    }
}
