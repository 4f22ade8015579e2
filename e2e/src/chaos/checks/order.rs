//! Positions are contiguous from 1; in each stream sequences are, and positions follow them; and what
//! a client was told before it went on stands before what it did next.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::super::{
    record::{Finding, Op, Outcome, What},
    seen::{Event, Seen},
};

const POSITIONS: &str = "positions are contiguous from 1";
const STREAMS: &str = "a stream keeps its order";
const CAUSES: &str = "what was acknowledged before stands before";

pub(super) fn check(ops: &[Op], seen: &Seen) -> Vec<Finding> {
    let mut findings = positions(seen);
    findings.extend(streams(seen));
    findings.extend(causes(ops, seen));
    findings
}

fn positions(seen: &Seen) -> Vec<Finding> {
    let without = seen.events.iter().filter(|event| event.position.is_none());
    let mut findings: Vec<Finding> = without
        .map(|event| {
            let detail = format!("{} in {} has none", event.event, event.stream);
            Finding::new(POSITIONS, detail)
        })
        .collect();
    let gap = (1..)
        .zip(&seen.positions)
        .find(|(expected, found)| expected != *found);
    findings.extend(gap.map(|(expected, found)| {
        Finding::new(
            POSITIONS,
            format!("{found} comes in the place of {expected}"),
        )
    }));
    findings
}

/// A command, and the first and the last position of its events in a stream.
type Placed<'a> = (&'a Op, (i64, i64));

fn streams(seen: &Seen) -> Vec<Finding> {
    let mut streams: BTreeMap<(&str, Uuid), Vec<&Event>> = BTreeMap::new();
    for event in &seen.events {
        let stream = (event.stream_type.as_str(), event.stream);
        streams.entry(stream).or_default().push(event);
    }
    let broken = streams
        .into_iter()
        .filter_map(|((kind, stream), mut events)| {
            events.sort_by_key(|event| event.position);
            let sequences = events.iter().map(|event| event.sequence);
            let kept = (1..)
                .zip(sequences)
                .all(|(expected, found)| expected == found);
            (!kept).then(|| {
                let order: Vec<_> = events.iter().map(|e| (e.position, e.sequence)).collect();
                Finding::new(STREAMS, format!("{kind} {stream}: {order:?}"))
            })
        });
    broken.collect()
}

fn causes(ops: &[Op], seen: &Seen) -> Vec<Finding> {
    let mut places: BTreeMap<(&str, Uuid), (i64, i64)> = BTreeMap::new();
    let commanded = seen
        .events
        .iter()
        .filter(|event| What::commanded(&event.event));
    for event in commanded {
        let Some(position) = event.position else {
            continue;
        };
        let place = places
            .entry((event.request_id.as_str(), event.stream))
            .or_insert((position, position));
        *place = (place.0.min(position), place.1.max(position));
    }
    let mut by_stream: BTreeMap<Uuid, Vec<Placed<'_>>> = BTreeMap::new();
    for op in ops {
        let Outcome::Acknowledged(effects) = &op.outcome else {
            continue;
        };
        for effect in effects {
            if let Some(place) = places.get(&(op.id.as_str(), effect.stream)) {
                by_stream
                    .entry(effect.stream)
                    .or_default()
                    .push((op, *place));
            }
        }
    }
    let mut findings = vec![];
    for (stream, mut ops) in by_stream {
        ops.sort_by_key(|(op, _)| op.begun);
        for pair in ops.windows(2) {
            let [(first, (_, last)), (second, (next, _))] = pair else {
                continue;
            };
            if first.ended < second.begun && last >= next {
                let (first, second) = (&first.id, &second.id);
                let detail = format!("{stream}: {second} at {next}, {first} at {last}");
                findings.push(Finding::new(CAUSES, detail));
            }
        }
    }
    findings
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
    fn an_event_without_a_position_is_found() {
        let mut sample = Sample::new();
        sample.event("SubmissionApproved").position = None;
        assert!(rules(&sample).contains(&POSITIONS));
    }

    #[test]
    fn a_gap_between_positions_is_found() {
        let mut sample = Sample::new();
        sample.seen.positions.remove(3);
        assert_eq!(rules(&sample), [POSITIONS]);
    }

    #[test]
    fn a_stream_whose_positions_do_not_follow_its_sequences_is_found() {
        let mut sample = Sample::new();
        let edited = sample.event("SubmissionEdited").position;
        let created = sample.event("RawTextCreated").position;
        sample.event("SubmissionEdited").position = created;
        sample.event("RawTextCreated").position = edited;
        assert_eq!(rules(&sample), [STREAMS, CAUSES]);
    }

    #[test]
    fn a_stream_with_a_gap_is_found() {
        let mut sample = Sample::new();
        sample.event("ReviewCommented").sequence += 1;
        assert_eq!(rules(&sample), [STREAMS]);
    }
}
