//! A small record that is true, to be doctored: one person makes an item, changes it and hands it in;
//! another comments and approves; a document is read.

use std::{collections::BTreeSet, time::Instant};

use uuid::Uuid;

use super::super::{
    record::{Effect, Fact, Op, Outcome, What},
    seen::{Entry, Event, Item, Job, Named, Round, Seen, Taken},
};

const ANA: Uuid = Uuid::from_u128(1);
const BEN: Uuid = Uuid::from_u128(2);
const PROJECT: Uuid = Uuid::from_u128(3);
const TEXT: Uuid = Uuid::from_u128(4);
const DOCUMENT: Uuid = Uuid::from_u128(5);
const COMMENT: Uuid = Uuid::from_u128(6);
const RUN: Uuid = Uuid::from_u128(7);

pub(super) struct Sample {
    pub ops: Vec<Op>,
    pub seen: Seen,
}

impl Sample {
    pub fn new() -> Self {
        let mut sample = Self {
            ops: vec![],
            seen: Seen::default(),
        };
        sample.acts();
        sample.follow();
        sample.tables();
        sample
    }

    /// The first event of a name.
    pub fn event(&mut self, name: &str) -> &mut Event {
        let mut events = self.seen.events.iter_mut();
        events
            .find(|event| event.event == name)
            .expect("it is there")
    }

    pub fn remove(&mut self, name: &str) {
        let index = self
            .seen
            .events
            .iter()
            .position(|event| event.event == name);
        self.seen.events.remove(index.expect("it is there"));
    }

    /// Once more, as a command that was carried out twice would have it.
    pub fn repeat(&mut self, name: &str) {
        let again = self.event(name).clone();
        self.seen.events.push(again);
    }

    pub fn op(&mut self, what: What) -> &mut Op {
        let mut ops = self.ops.iter_mut();
        ops.find(|op| op.what == what).expect("it is there")
    }

    fn acts(&mut self) {
        let account = Fact::Account {
            id: ANA,
            email: "ana@example.org".to_owned(),
        };
        self.act(What::Register, "user", ANA, account);
        let project = Fact::Project {
            id: PROJECT,
            name: "ana-2".to_owned(),
        };
        self.act(What::CreateProject, "project_membership", PROJECT, project);
        let member = Fact::Member {
            project: PROJECT,
            user: BEN,
        };
        self.act(What::Join, "project_membership", PROJECT, member);
        let item = |id, name: &str| Fact::Item {
            id,
            name: name.to_owned(),
            owner: ANA,
        };
        self.act(What::CreateText, "submission", TEXT, item(TEXT, "ana-4"));
        let domain = Fact::Domain {
            item: TEXT,
            domain: "ana-5".to_owned(),
        };
        self.act(What::Edit, "submission", TEXT, domain);
        self.act(What::Submit, "submission", TEXT, Fact::Nothing);
        self.add("review", TEXT, "ReviewOpened", "op-6");
        let comment = Fact::Comment {
            item: TEXT,
            id: COMMENT,
        };
        self.act(What::Comment, "review", TEXT, comment);
        let decision = Fact::Decision {
            item: TEXT,
            decision: "approve",
            reviewer: BEN,
            feedback: "ben-2".to_owned(),
        };
        self.act(What::Decide, "review", TEXT, decision);
        let document = item(DOCUMENT, "ana-6.pdf");
        self.act(What::UploadDocument, "submission", DOCUMENT, document);
    }

    fn follow(&mut self) {
        for name in ["SubmissionSubmitted", "ReviewOpened", "ReviewDecided"] {
            self.event(name).round = Some(1);
        }
        self.add("submission", TEXT, "SubmissionApproved", "op-8");
        self.event("SubmissionApproved").round = Some(1);
        self.event("ProcessingRequested").run_id = Some(RUN);
        self.add("submission", DOCUMENT, "ProcessingSucceeded", "op-9");
        self.event("ProcessingSucceeded").run_id = Some(RUN);
        let (asked, registered) = (
            self.event("ProcessingRequested").event_id,
            self.event("UserRegistered").event_id,
        );
        let job = |job_id, kind: &str, source_event_id| Job {
            job_id,
            kind: kind.to_owned(),
            source_event_id,
            state: "succeeded".to_owned(),
        };
        self.seen.jobs = vec![job(RUN, "ocr", asked), job(registered, "email", registered)];
        self.seen.mails = vec![Taken {
            event_id: registered,
            to: "ana@example.org".to_owned(),
            at: Instant::now(),
        }];
    }

    fn tables(&mut self) {
        let item = |id, name: &str, domain: Option<&str>, status: &str| Item {
            id,
            name: Some(name.to_owned()),
            owner: ANA,
            domain: domain.map(str::to_owned),
            status: status.to_owned(),
            deleted: false,
            searched: 1,
            counted: 1,
            counted_status: Some(status.to_owned()),
            counted_deleted: Some(false),
        };
        let named = |id, name: &str| Named {
            id,
            name: Some(name.to_owned()),
        };
        let seen = &mut self.seen;
        seen.items = vec![
            item(TEXT, "ana-4", Some("ana-5"), "approved"),
            item(DOCUMENT, "ana-6.pdf", None, "draft"),
        ];
        seen.rounds = vec![Round {
            item: TEXT,
            outcome: Some("approve".to_owned()),
            reviewer: Some(BEN),
            feedback: Some("ben-2".to_owned()),
            counted: 1,
            counted_outcome: Some("approve".to_owned()),
            counted_reviewer: Some(BEN),
        }];
        seen.comments = vec![(TEXT, COMMENT)];
        seen.projects = vec![named(PROJECT, "ana-2")];
        seen.accounts = vec![named(ANA, "ana@example.org")];
        seen.members = vec![(PROJECT, BEN)];
        seen.counts = BTreeSet::from(["1 approved".to_owned(), "1 draft".to_owned()]);
        seen.recounts = seen.counts.clone();
        seen.positions = (1..).take(seen.events.len()).collect();
        let entries = seen.events.iter().map(|event| Entry {
            position: event.position.unwrap_or_default(),
            event_id: event.event_id,
            event: event.event.clone(),
        });
        seen.history = entries.collect();
    }

    /// A command that was acknowledged, with its events.
    fn act(&mut self, what: What, stream_type: &str, stream: Uuid, fact: Fact) {
        let number = self.ops.len() as u64 + 1;
        let id = format!("op-{number}");
        let effects = what.events().iter().map(|event| Effect::new(event, stream));
        let effects: Vec<Effect> = effects.collect();
        for event in what.events() {
            self.add(stream_type, stream, event, &id);
        }
        self.ops.push(Op {
            id,
            what,
            begun: number * 2,
            ended: number * 2 + 1,
            outcome: Outcome::Acknowledged(effects),
            fact,
        });
    }

    fn add(&mut self, stream_type: &str, stream: Uuid, event: &str, request_id: &str) {
        let position = self.seen.events.len() as i64 + 1;
        let same =
            |event: &&Event| (event.stream_type.as_str(), event.stream) == (stream_type, stream);
        let sequence = self.seen.events.iter().filter(same).count() as i64 + 1;
        self.seen.events.push(Event {
            position: Some(position),
            stream_type: stream_type.to_owned(),
            stream,
            sequence,
            event: event.to_owned(),
            event_id: Uuid::from_u128(1_000 + position as u128),
            request_id: request_id.to_owned(),
            run_id: None,
            round: None,
        });
    }
}
