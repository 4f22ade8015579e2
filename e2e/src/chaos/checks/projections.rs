//! What the clients were told shows in each projection, once.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::super::{
    record::{Fact, Finding, Op, Outcome, What},
    seen::{Item, Named, Round, Seen},
};

const ITEM: &str = "an item is in the lists, the search and the figures, once and as told";
const DECISION: &str = "a decision is in its round and in the figures, once and as told";
const COMMENT: &str = "a comment is with its item, once";
const ACCESS: &str = "accounts, projects and members are there, once and as told";
const HISTORY: &str = "the history has every event once";
const SUMS: &str = "the figures are the sums of the items";

pub(super) fn check(ops: &[Op], seen: &Seen) -> Vec<Finding> {
    let mut findings = items(ops, seen);
    findings.extend(decisions(ops, seen));
    findings.extend(comments(ops, seen));
    findings.extend(access(ops, seen));
    findings.extend(history(seen));
    let odd = seen.counts.symmetric_difference(&seen.recounts);
    findings.extend(odd.map(|line| Finding::new(SUMS, line.clone())));
    findings
}

fn told(ops: &[Op]) -> impl Iterator<Item = &Fact> {
    ops.iter()
        .filter(|op| matches!(op.outcome, Outcome::Acknowledged(_)))
        .map(|op| &op.fact)
}

fn items(ops: &[Op], seen: &Seen) -> Vec<Finding> {
    let mut rows: BTreeMap<Uuid, Vec<&Item>> = BTreeMap::new();
    for item in &seen.items {
        rows.entry(item.id).or_default().push(item);
    }
    let deleted: BTreeSet<Uuid> = told(ops)
        .filter_map(|fact| match fact {
            Fact::Deleted(item) => Some(*item),
            _ => None,
        })
        .collect();
    let (domains, unsure) = (domains(ops), unsure(ops, What::Edit));
    let broken = told(ops).filter_map(|fact| {
        let Fact::Item { id, name, owner } = fact else {
            return None;
        };
        let rows = rows.get(id).map_or(&[][..], Vec::as_slice);
        let changed = |row: &Item| {
            let domain = row.domain.as_deref().unwrap_or_default();
            domains
                .get(id)
                .is_none_or(|told| *told == domain || unsure.contains(domain))
        };
        let kept = matches!(rows, [row]
            if changed(row) && shown(row, name, *owner, deleted.contains(id)));
        (!kept).then(|| Finding::new(ITEM, format!("{name}: {rows:?}")))
    });
    broken.collect()
}

/// What the owner was told last.
fn domains(ops: &[Op]) -> BTreeMap<Uuid, &str> {
    let mut ops: Vec<&Op> = ops.iter().collect();
    ops.sort_by_key(|op| op.begun);
    let domains = ops.into_iter().filter_map(|op| match &op.fact {
        Fact::Domain { item, domain } => Some((*item, domain.as_str())),
        _ => None,
    });
    domains.collect()
}

/// What commands wrote whose answers were lost: each writes its own id, and may have come last.
fn unsure(ops: &[Op], what: What) -> BTreeSet<&str> {
    let lost = |op: &&Op| op.what == what && op.outcome == Outcome::Unknown;
    ops.iter().filter(lost).map(|op| op.id.as_str()).collect()
}

fn shown(row: &Item, name: &str, owner: Uuid, deleted: bool) -> bool {
    let named = row.name.as_deref() == Some(name) && row.owner == owner;
    let counted = row.counted == 1
        && row.counted_status.as_ref() == Some(&row.status)
        && row.counted_deleted == Some(row.deleted);
    // One whose deletion was not acknowledged may be deleted too.
    named && counted && (row.deleted || (row.searched == 1 && !deleted))
}

fn decisions(ops: &[Op], seen: &Seen) -> Vec<Finding> {
    let broken = told(ops).filter_map(|fact| {
        let Fact::Decision {
            item,
            decision,
            reviewer,
            feedback,
        } = fact
        else {
            return None;
        };
        let rounds = seen.rounds.iter().filter(|round| round.item == *item);
        let own: Vec<&Round> = rounds
            .filter(|round| round.feedback.as_deref() == Some(feedback))
            .collect();
        let as_told = |round: &Round| {
            let (outcome, who) = (Some(*decision), Some(*reviewer));
            (round.outcome.as_deref(), round.reviewer) == (outcome, who)
                && (round.counted_outcome.as_deref(), round.counted_reviewer) == (outcome, who)
                && round.counted == 1
        };
        let kept = matches!(own.as_slice(), [round] if as_told(round));
        (!kept).then(|| Finding::new(DECISION, format!("{feedback} {decision}: {own:?}")))
    });
    broken.collect()
}

fn comments(ops: &[Op], seen: &Seen) -> Vec<Finding> {
    let broken = told(ops).filter_map(|fact| {
        let Fact::Comment { item, id } = fact else {
            return None;
        };
        let same = seen.comments.iter().filter(|found| **found == (*item, *id));
        let count = same.count();
        (count != 1).then(|| Finding::new(COMMENT, format!("{id} on {item}: {count} times")))
    });
    broken.collect()
}

fn access(ops: &[Op], seen: &Seen) -> Vec<Finding> {
    let mut findings = vec![];
    // The last name counts.
    let mut projects: BTreeMap<Uuid, &str> = BTreeMap::new();
    for fact in told(ops) {
        match fact {
            Fact::Project { id, name } => {
                projects.insert(*id, name);
            }
            Fact::Account { id, email } if !once(&seen.accounts, *id, |name| name == email) => {
                findings.push(Finding::new(ACCESS, format!("account {email}")));
            }
            Fact::Member { project, user } => {
                let same = |found: &&(Uuid, Uuid)| **found == (*project, *user);
                let count = seen.members.iter().filter(same).count();
                if count != 1 {
                    let detail = format!("member {user} of {project}: {count} times");
                    findings.push(Finding::new(ACCESS, detail));
                }
            }
            _ => {}
        }
    }
    let unsure = unsure(ops, What::RenameProject);
    for (id, told) in projects {
        if !once(&seen.projects, id, |name| {
            name == told || unsure.contains(name)
        }) {
            findings.push(Finding::new(ACCESS, format!("project {told}")));
        }
    }
    findings
}

fn once(rows: &[Named], id: Uuid, as_told: impl Fn(&str) -> bool) -> bool {
    let own: Vec<&Named> = rows.iter().filter(|row| row.id == id).collect();
    matches!(own.as_slice(), [row] if row.name.as_deref().is_some_and(as_told))
}

fn history(seen: &Seen) -> Vec<Finding> {
    let mut entries: BTreeMap<Uuid, Vec<(i64, &str)>> = BTreeMap::new();
    for entry in &seen.history {
        let place = (entry.position, entry.event.as_str());
        entries.entry(entry.event_id).or_default().push(place);
    }
    let broken = seen.events.iter().filter_map(|event| {
        let found = entries.get(&event.event_id).map_or(&[][..], Vec::as_slice);
        let kept = found == [(event.position.unwrap_or_default(), event.event.as_str())];
        (!kept).then(|| {
            let detail = format!("{} at {:?}: {found:?}", event.event, event.position);
            Finding::new(HISTORY, detail)
        })
    });
    broken.collect()
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
    fn an_item_that_is_missing_or_twice_or_otherwise_in_any_projection_is_found() {
        let doctors: [fn(&mut Vec<Item>); 8] = [
            Vec::clear,
            |items| items.push(items[0].clone()),
            |items| items[0].name = Some("another".to_owned()),
            |items| items[0].domain = Some("the one before".to_owned()),
            |items| items[0].searched = 0,
            |items| items[0].counted = 2,
            |items| items[0].counted_status = Some("draft".to_owned()),
            |items| items[0].owner = Uuid::from_u128(99),
        ];
        for (number, doctor) in doctors.into_iter().enumerate() {
            let mut sample = Sample::new();
            doctor(&mut sample.seen.items);
            assert!(rules(&sample).contains(&ITEM), "{number}");
        }
    }

    #[test]
    fn a_deleted_item_that_shows_is_found() {
        let mut sample = Sample::new();
        let item = sample.seen.items[0].id;
        sample.op(What::Edit).fact = Fact::Deleted(item);
        sample.seen.items[0].domain = None;
        assert_eq!(rules(&sample), [ITEM]);
    }

    #[test]
    fn a_decision_that_is_missing_or_otherwise_is_found() {
        let doctors: [fn(&mut Vec<Round>); 5] = [
            Vec::clear,
            |rounds| rounds[0].outcome = None,
            |rounds| rounds[0].reviewer = Some(Uuid::from_u128(99)),
            |rounds| rounds[0].counted_outcome = Some("reject".to_owned()),
            |rounds| rounds[0].counted = 0,
        ];
        for doctor in doctors {
            let mut sample = Sample::new();
            doctor(&mut sample.seen.rounds);
            assert_eq!(rules(&sample), [DECISION]);
        }
    }

    #[test]
    fn a_comment_that_is_missing_or_twice_is_found() {
        let mut sample = Sample::new();
        let comment = sample.seen.comments[0];
        sample.seen.comments.push(comment);
        assert_eq!(rules(&sample), [COMMENT]);
        sample.seen.comments.clear();
        assert_eq!(rules(&sample), [COMMENT]);
    }

    #[test]
    fn an_account_a_project_or_a_member_that_is_not_as_told_is_found() {
        let doctors: [fn(&mut Seen); 4] = [
            |seen| seen.accounts.clear(),
            |seen| seen.projects[0].name = Some("the name before".to_owned()),
            |seen| seen.projects.clear(),
            |seen| seen.members.clear(),
        ];
        for doctor in doctors {
            let mut sample = Sample::new();
            doctor(&mut sample.seen);
            assert_eq!(rules(&sample), [ACCESS]);
        }
    }

    #[test]
    fn an_event_that_the_history_lacks_or_tells_otherwise_is_found() {
        let mut sample = Sample::new();
        sample.seen.history[2].position += 1_000;
        assert_eq!(rules(&sample), [HISTORY]);
        sample.seen.history.remove(2);
        assert_eq!(rules(&sample), [HISTORY]);
    }

    #[test]
    fn figures_that_are_not_the_sums_of_the_items_are_found() {
        let mut sample = Sample::new();
        sample.seen.counts.insert("2 instead of 1".to_owned());
        assert_eq!(rules(&sample), [SUMS]);
    }
}
