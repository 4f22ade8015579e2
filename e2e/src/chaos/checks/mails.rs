//! Every mail that was to be sent was, and none twice, but where its sender could not know that it had
//! been: one that died, or was hung up on, after the mail server had taken the mail.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::super::{
    faults::Happened,
    record::Finding,
    seen::{Seen, Taken},
};

const SENT: &str = "every mail is sent";
const ONCE: &str = "a mail is sent once";
const KNOWN: &str = "a mail belongs to a job";

/// How long after the mail server's last word the sender has not yet written down that it was taken.
const UNWRITTEN: Duration = Duration::from_secs(1);

pub(super) fn check(seen: &Seen, happened: &[Happened]) -> Vec<Finding> {
    let mut mails: BTreeMap<Uuid, Vec<&Taken>> = BTreeMap::new();
    for mail in &seen.mails {
        mails.entry(mail.event_id).or_default().push(mail);
    }
    let mut findings = vec![];
    for job in seen.jobs.iter().filter(|job| job.kind == "email") {
        let copies = mails.remove(&job.source_event_id).unwrap_or_default();
        let (state, event) = (&job.state, job.source_event_id);
        if state == "succeeded" && copies.is_empty() {
            findings.push(Finding::new(SENT, format!("none about event {event}")));
        }
        if state != "succeeded" && state != "discarded" {
            findings.push(Finding::new(
                SENT,
                format!("the one about event {event} is {state}"),
            ));
        }
        let earlier = copies.split_last().map_or(&[][..], |(_, earlier)| earlier);
        if let Some(copy) = earlier.iter().find(|copy| !excused(copy.at, happened)) {
            let (count, to) = (copies.len(), &copy.to);
            findings.push(Finding::new(
                ONCE,
                format!("{count} to {to} about event {event}"),
            ));
        }
    }
    let unknown = mails.into_iter();
    findings.extend(
        unknown.map(|(event, mails)| {
            Finding::new(KNOWN, format!("{} about event {event}", mails.len()))
        }),
    );
    findings
}

/// Whether the sender of a mail that was taken at that time may not have been able to write it down.
fn excused(at: Instant, happened: &[Happened]) -> bool {
    let mut doubling = happened
        .iter()
        .filter(|fault| fault.trouble.doubles_mails());
    doubling.any(|fault| at <= fault.to + UNWRITTEN && fault.from <= at + UNWRITTEN)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::plan::Trouble, sample::Sample},
        *,
    };

    fn rules(sample: &Sample, happened: &[Happened]) -> Vec<&'static str> {
        let findings = check(&sample.seen, happened);
        findings.iter().map(|finding| finding.rule).collect()
    }

    fn fault(trouble: Trouble, at: Instant) -> Happened {
        Happened {
            trouble,
            from: at,
            to: at,
        }
    }

    fn doubled(after: Duration) -> Sample {
        let mut sample = Sample::new();
        let mut again = sample.seen.mails[0].clone();
        again.at += after;
        sample.seen.mails.push(again);
        sample
    }

    #[test]
    fn a_true_record_has_no_findings() {
        assert_eq!(rules(&Sample::new(), &[]), [""; 0]);
    }

    #[test]
    fn a_mail_that_was_never_sent_or_given_up_is_found() {
        let mut sample = Sample::new();
        sample.seen.mails.clear();
        assert_eq!(rules(&sample, &[]), [SENT]);
        let mut sample = Sample::new();
        sample.seen.jobs[1].state = "dead".to_owned();
        assert_eq!(rules(&sample, &[]), [SENT]);
    }

    #[test]
    fn a_mail_that_was_sent_twice_without_a_reason_is_found() {
        let sample = doubled(Duration::from_secs(9));
        assert_eq!(rules(&sample, &[]), [ONCE]);
        let sent = sample.seen.mails[0].at;
        let other = fault(Trouble::NatsAll, sent);
        let later = fault(Trouble::Kill { part: 8 }, sent + Duration::from_secs(5));
        assert_eq!(rules(&sample, &[other, later]), [ONCE]);
    }

    #[test]
    fn a_mail_whose_sender_was_killed_or_hung_up_on_may_come_again() {
        let sample = doubled(Duration::from_secs(9));
        let sent = sample.seen.mails[0].at;
        for trouble in [Trouble::Kill { part: 9 }, Trouble::MailHangsUp] {
            assert_eq!(rules(&sample, &[fault(trouble, sent)]), [""; 0]);
        }
        let other = fault(Trouble::Kill { part: 0 }, sent);
        assert_eq!(rules(&sample, &[other]), [ONCE]);
    }

    #[test]
    fn a_mail_that_no_job_asked_for_is_found() {
        let mut sample = Sample::new();
        sample.seen.mails[0].event_id = Uuid::from_u128(99);
        assert_eq!(rules(&sample, &[]), [SENT, KNOWN]);
    }
}
