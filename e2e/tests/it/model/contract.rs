//! The contract on members, drafts, hand-in and review as a few rules over plain values: what every
//! command answers, and what is there afterwards. It knows neither streams nor projections.

use std::collections::BTreeMap;

/// How many people there are.
pub const PEOPLE: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Admin,
    Contributor,
    Reviewer,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Contributor => "contributor",
            Self::Reviewer => "reviewer",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Reject,
    RequestChanges,
}

impl Decision {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::RequestChanges => "request_changes",
        }
    }
}

/// A command; people and items by number, an item modulo how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Join {
        who: usize,
        role: Role,
    },
    ChangeRole {
        by: usize,
        who: usize,
        role: Role,
    },
    Remove {
        by: usize,
        who: usize,
    },
    Leave {
        by: usize,
    },
    Create {
        by: usize,
    },
    Edit {
        by: usize,
        item: usize,
    },
    Delete {
        by: usize,
        item: usize,
    },
    Submit {
        by: usize,
        item: usize,
    },
    Withdraw {
        by: usize,
        item: usize,
    },
    Claim {
        by: usize,
        item: usize,
    },
    Release {
        by: usize,
        item: usize,
    },
    Comment {
        by: usize,
        item: usize,
    },
    Decide {
        by: usize,
        item: usize,
        decision: Decision,
    },
}

/// An answer: its status, and its code where it is a refusal.
pub type Answered = (u16, String);

type Refused = (u16, &'static str);

const NO_ITEM: Refused = (404, "ITEM_NOT_FOUND");
const NO_PROJECT: Refused = (404, "PROJECT_NOT_FOUND");
const FORBIDDEN: Refused = (403, "FORBIDDEN");
const NOT_A_DRAFT: Refused = (409, "NOT_A_DRAFT");
const NOT_PENDING: Refused = (409, "NOT_PENDING");
const DECIDED: Refused = (409, "ALREADY_DECIDED");
const CLAIMED: Refused = (409, "CLAIMED");
const LAST_ADMIN: Refused = (409, "LAST_ADMIN");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Draft,
    Pending,
    Approved,
    Rejected,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Pending => "pending_review",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Decided,
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub owner: usize,
    pub status: Status,
    pub deleted: bool,
    /// How often it was handed in.
    pub rounds: u32,
    /// How often it was changed.
    pub edits: u32,
    pub comments: usize,
    /// Of the newest round.
    pub claim: Option<usize>,
    outcome: Option<Outcome>,
}

impl Item {
    const fn new(owner: usize) -> Self {
        Self {
            owner,
            status: Status::Draft,
            deleted: false,
            rounds: 0,
            edits: 0,
            comments: 0,
            claim: None,
            outcome: None,
        }
    }
}

/// One project and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub roles: BTreeMap<usize, Role>,
    pub items: Vec<Item>,
}

impl Model {
    /// The first person has just made the project.
    pub fn new() -> Self {
        Self {
            roles: [(0, Role::Admin)].into(),
            items: vec![],
        }
    }

    /// Carries a command out.
    pub fn answer(&mut self, command: Command) -> Answered {
        match self.carry_out(command) {
            Ok(status) => (status, String::new()),
            Err((status, code)) => (status, code.to_owned()),
        }
    }

    fn carry_out(&mut self, command: Command) -> Result<u16, Refused> {
        match command {
            Command::Join { who, role } => self.join(who, role),
            Command::ChangeRole { by, who, role } => self.change_role(by, who, role),
            Command::Remove { by, who } => {
                self.must_manage(by)?;
                self.member(who)?;
                self.keep_an_admin_without(who)?;
                self.roles.remove(&who);
                Ok(204)
            }
            Command::Leave { by } => {
                self.roles.get(&by).ok_or(NO_PROJECT)?;
                self.keep_an_admin_without(by)?;
                self.roles.remove(&by);
                Ok(204)
            }
            Command::Create { by } => {
                match self.roles.get(&by) {
                    None => return Err(NO_PROJECT),
                    Some(Role::Reviewer) => return Err(FORBIDDEN),
                    Some(_) => {}
                }
                self.items.push(Item::new(by));
                Ok(201)
            }
            Command::Edit { by, item } => self.edit(by, item),
            Command::Delete { by, item } => self.delete(by, item),
            Command::Submit { by, item } => self.submit(by, item),
            Command::Withdraw { by, item } => self.withdraw(by, item),
            Command::Claim { by, item } => self.claim(by, item),
            Command::Release { by, item } => self.release(by, item),
            Command::Comment { by, item } => self.comment(by, item),
            Command::Decide { by, item, decision } => self.decide(by, item, decision),
        }
    }

    fn join(&mut self, who: usize, role: Role) -> Result<u16, Refused> {
        if self.roles.contains_key(&who) {
            return Err((409, "ALREADY_MEMBER"));
        }
        self.roles.insert(who, role);
        Ok(200)
    }

    fn change_role(&mut self, by: usize, who: usize, role: Role) -> Result<u16, Refused> {
        self.must_manage(by)?;
        if self.member(who)? != role {
            self.keep_an_admin_without(who)?;
            self.roles.insert(who, role);
        }
        Ok(200)
    }

    fn edit(&mut self, by: usize, index: usize) -> Result<u16, Refused> {
        self.must_change(by, index)?;
        let item = &mut self.items[index];
        if item.deleted {
            return Err(NO_ITEM);
        }
        match item.status {
            Status::Draft | Status::Rejected => {}
            Status::Pending | Status::Approved => return Err(NOT_A_DRAFT),
        }
        item.status = Status::Draft;
        item.edits += 1;
        Ok(200)
    }

    fn delete(&mut self, by: usize, index: usize) -> Result<u16, Refused> {
        self.must_change(by, index)?;
        let item = &mut self.items[index];
        if item.status != Status::Draft {
            return Err(NOT_A_DRAFT);
        }
        item.deleted = true;
        Ok(200)
    }

    fn submit(&mut self, by: usize, index: usize) -> Result<u16, Refused> {
        self.must_hand_in(by, index)?;
        let item = &mut self.items[index];
        match item.status {
            Status::Pending => {}
            Status::Approved | Status::Rejected => return Err(NOT_A_DRAFT),
            Status::Draft => {
                item.status = Status::Pending;
                item.rounds += 1;
                item.claim = None;
                item.outcome = None;
            }
        }
        Ok(200)
    }

    fn withdraw(&mut self, by: usize, index: usize) -> Result<u16, Refused> {
        self.must_hand_in(by, index)?;
        let item = &mut self.items[index];
        match (item.rounds, item.outcome) {
            (0, _) => Err(NOT_PENDING),
            (_, Some(Outcome::Decided)) => Err(DECIDED),
            (_, Some(Outcome::Withdrawn)) => Ok(200),
            (_, None) => {
                item.outcome = Some(Outcome::Withdrawn);
                item.status = Status::Draft;
                Ok(200)
            }
        }
    }

    fn claim(&mut self, by: usize, index: usize) -> Result<u16, Refused> {
        self.must_review(by, index)?;
        self.must_be_open(by, index)?;
        self.must_not_be_anothers(by, index)?;
        self.items[index].claim = Some(by);
        Ok(200)
    }

    fn release(&mut self, by: usize, index: usize) -> Result<u16, Refused> {
        self.must_review(by, index)?;
        self.must_see_draft(by, index)?;
        self.must_not_be_withdrawn(by, index)?;
        let item = &mut self.items[index];
        if item.claim.is_some_and(|holder| holder != by) {
            return Err(CLAIMED);
        }
        if item.outcome.is_none() {
            item.claim = None;
        }
        Ok(204)
    }

    fn comment(&mut self, by: usize, index: usize) -> Result<u16, Refused> {
        self.must_review(by, index)?;
        self.must_see_draft(by, index)?;
        self.must_not_be_withdrawn(by, index)?;
        self.items[index].comments += 1;
        Ok(201)
    }

    fn decide(&mut self, by: usize, index: usize, decision: Decision) -> Result<u16, Refused> {
        self.must_review(by, index)?;
        self.must_be_open(by, index)?;
        self.must_not_be_anothers(by, index)?;
        let item = &mut self.items[index];
        item.claim = item.claim.filter(|holder| *holder == by);
        item.outcome = Some(Outcome::Decided);
        item.status = match decision {
            Decision::Approve => Status::Approved,
            Decision::Reject => Status::Rejected,
            Decision::RequestChanges => Status::Draft,
        };
        Ok(200)
    }

    fn member(&self, who: usize) -> Result<Role, Refused> {
        let role = self.roles.get(&who).copied();
        role.ok_or((404, "MEMBER_NOT_FOUND"))
    }

    fn must_manage(&self, by: usize) -> Result<(), Refused> {
        match self.roles.get(&by) {
            Some(Role::Admin) => Ok(()),
            Some(_) => Err(FORBIDDEN),
            None => Err(NO_PROJECT),
        }
    }

    fn keep_an_admin_without(&self, who: usize) -> Result<(), Refused> {
        let mut others = self.roles.iter().filter(|(member, _)| **member != who);
        let stays = others.any(|(_, role)| *role == Role::Admin);
        let is_admin = self.roles.get(&who) == Some(&Role::Admin);
        if is_admin && !stays {
            return Err(LAST_ADMIN);
        }
        Ok(())
    }

    /// Who asks about which item: their role, and whether it is theirs. Others know of none.
    fn asks(&self, by: usize, index: usize) -> Result<(Role, bool), Refused> {
        let role = self.roles.get(&by).copied().ok_or(NO_ITEM)?;
        Ok((role, self.items[index].owner == by))
    }

    /// Only its owner changes an item, and not as a reviewer; who may read it is told so.
    fn must_change(&self, by: usize, index: usize) -> Result<(), Refused> {
        let draft = self.items[index].status == Status::Draft;
        match self.asks(by, index)? {
            (Role::Admin | Role::Contributor, true) => Ok(()),
            (Role::Contributor, false) => Err(NO_ITEM),
            (Role::Reviewer, false) if draft => Err(NO_ITEM),
            (Role::Reviewer, _) | (Role::Admin, false) => Err(FORBIDDEN),
        }
    }

    fn must_hand_in(&self, by: usize, index: usize) -> Result<(), Refused> {
        let item = &self.items[index];
        if item.deleted {
            return Err(NO_ITEM);
        }
        match self.asks(by, index)? {
            (Role::Admin | Role::Contributor, true) => Ok(()),
            (Role::Contributor, false) => Err(NO_ITEM),
            (Role::Reviewer, false) if item.rounds == 0 => Err(NO_ITEM),
            _ => Err(FORBIDDEN),
        }
    }

    fn must_review(&self, by: usize, index: usize) -> Result<(), Refused> {
        let item = &self.items[index];
        let (role, own) = self.asks(by, index)?;
        if item.deleted && !own {
            return Err(NO_ITEM);
        }
        match role {
            Role::Contributor => Err(FORBIDDEN),
            Role::Reviewer if item.status == Status::Draft && item.rounds == 0 => {
                self.must_see_draft(by, index)
            }
            Role::Admin | Role::Reviewer => Ok(()),
        }
    }

    /// A draft is no reviewer's business.
    fn must_see_draft(&self, by: usize, index: usize) -> Result<(), Refused> {
        if self.items[index].status != Status::Draft {
            return Ok(());
        }
        self.hidden_from_reviewers(by, index).map_or(Ok(()), Err)
    }

    fn hidden_from_reviewers(&self, by: usize, index: usize) -> Option<Refused> {
        match self.asks(by, index) {
            Ok((Role::Reviewer, false)) => Some(NO_ITEM),
            Ok((Role::Reviewer, true)) => Some(FORBIDDEN),
            _ => None,
        }
    }

    fn must_not_be_withdrawn(&self, by: usize, index: usize) -> Result<(), Refused> {
        let item = &self.items[index];
        if item.rounds == 0 || item.outcome == Some(Outcome::Withdrawn) {
            return Err(self.hidden_from_reviewers(by, index).unwrap_or(NOT_PENDING));
        }
        Ok(())
    }

    fn must_be_open(&self, by: usize, index: usize) -> Result<(), Refused> {
        self.must_not_be_withdrawn(by, index)?;
        match self.items[index].outcome {
            Some(Outcome::Decided) => Err(DECIDED),
            _ => Ok(()),
        }
    }

    /// The claim of somebody who may not review any more holds nobody up.
    fn must_not_be_anothers(&self, by: usize, index: usize) -> Result<(), Refused> {
        let holder = self.items[index].claim.filter(|holder| *holder != by);
        let may_review =
            |holder| !matches!(self.roles.get(&holder), None | Some(Role::Contributor));
        match holder {
            Some(holder) if may_review(holder) => Err(CLAIMED),
            _ => Ok(()),
        }
    }
}
