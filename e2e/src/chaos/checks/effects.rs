//! Every acknowledged command's events are there once, a refused one's not at all, those of one whose
//! answer was lost at most once, and no others.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    record::{Effect, Finding, Op, Outcome, What},
    seen::Seen,
};

const ONCE: &str = "what was acknowledged is there exactly once";
const NOTHING: &str = "what was refused is not there";
const AT_MOST_ONCE: &str = "what was not acknowledged is there at most once";
const NOBODY: &str = "nothing is there that nobody asked for";

pub(super) fn check(ops: &[Op], seen: &Seen) -> Vec<Finding> {
    let mut found: BTreeMap<&str, Vec<Effect>> = BTreeMap::new();
    for event in seen
        .events
        .iter()
        .filter(|event| What::commanded(&event.event))
    {
        let effect = Effect::new(&event.event, event.stream);
        found.entry(&event.request_id).or_default().push(effect);
    }
    let mut findings: Vec<Finding> = ops
        .iter()
        .filter_map(|op| judge(op, found.remove(op.id.as_str()).unwrap_or_default()))
        .collect();
    findings.extend(found.into_iter().map(|(request, effects)| {
        Finding::new(NOBODY, format!("request {request:?}: {}", list(&effects)))
    }));
    findings
}

fn judge(op: &Op, mut found: Vec<Effect>) -> Option<Finding> {
    found.sort();
    let broken = |rule, expected: &str| {
        let (id, what) = (&op.id, op.what);
        let detail = format!(
            "{id} {what:?} promised {expected} and left {}",
            list(&found)
        );
        Some(Finding::new(rule, detail))
    };
    match &op.outcome {
        // Whether there was a claim to release is not said.
        _ if op.what == What::Release => (found.len() > 1)
            .then(|| broken(ONCE, "one event"))
            .flatten(),
        Outcome::Acknowledged(promised) => {
            let mut promised = promised.clone();
            promised.sort();
            let kept = promised == found;
            (!kept).then(|| broken(ONCE, &list(&promised))).flatten()
        }
        Outcome::Refused(code) => {
            let kept = found.is_empty();
            (!kept)
                .then(|| broken(NOTHING, &format!("{code} and nothing")))
                .flatten()
        }
        Outcome::Unknown => {
            let distinct: BTreeSet<&Effect> = found.iter().collect();
            let own = found
                .iter()
                .all(|effect| op.what.events().contains(&effect.event.as_str()));
            let kept = own && distinct.len() == found.len();
            (!kept)
                .then(|| broken(AT_MOST_ONCE, "nothing or all once"))
                .flatten()
        }
    }
}

fn list(effects: &[Effect]) -> String {
    if effects.is_empty() {
        return "nothing".to_owned();
    }
    let effects: Vec<String> = effects.iter().map(ToString::to_string).collect();
    effects.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{super::sample::Sample, *};

    fn rules(sample: &Sample) -> Vec<&'static str> {
        let findings = check(&sample.ops, &sample.seen);
        findings.iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_true_record_has_no_findings() {
        assert_eq!(rules(&Sample::new()), [""; 0]);
    }

    #[test]
    fn an_acknowledged_effect_that_is_lost_is_found() {
        let mut sample = Sample::new();
        sample.remove("RawTextCreated");
        assert_eq!(rules(&sample), [ONCE]);
    }

    #[test]
    fn an_acknowledged_effect_that_is_there_twice_is_found() {
        let mut sample = Sample::new();
        sample.repeat("SubmissionEdited");
        assert_eq!(rules(&sample), [ONCE]);
    }

    #[test]
    fn an_acknowledged_effect_in_another_stream_is_found() {
        let mut sample = Sample::new();
        sample.event("ReviewDecided").stream = uuid::Uuid::from_u128(99);
        assert_eq!(rules(&sample), [ONCE]);
    }

    #[test]
    fn an_effect_of_a_refused_command_is_found() {
        let mut sample = Sample::new();
        sample.op(What::Edit).outcome = Outcome::Refused("NOT_A_DRAFT".to_owned());
        assert_eq!(rules(&sample), [NOTHING]);
    }

    #[test]
    fn an_effect_whose_answer_was_lost_may_be_there_once_and_not_twice() {
        let mut sample = Sample::new();
        sample.op(What::Edit).outcome = Outcome::Unknown;
        assert_eq!(rules(&sample), [""; 0]);
        sample.repeat("SubmissionEdited");
        assert_eq!(rules(&sample), [AT_MOST_ONCE]);
        let mut sample = Sample::new();
        sample.op(What::Edit).outcome = Outcome::Unknown;
        sample.remove("SubmissionEdited");
        assert_eq!(rules(&sample), [""; 0]);
    }

    #[test]
    fn an_effect_that_nobody_asked_for_is_found() {
        let mut sample = Sample::new();
        sample.event("ReviewDecided").request_id = "somebody-else".to_owned();
        assert_eq!(rules(&sample), [ONCE, NOBODY]);
    }
}
