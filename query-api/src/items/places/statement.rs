//! The statements behind a list's places, put together from what was asked.

use super::{LOOKED_AT, Place, Sort, Wanted};
use crate::visible::{Part, Visible};
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

pub(super) struct Statement<'a> {
    sql: QueryBuilder<'a, Postgres>,
    wanted: &'a Wanted,
    /// One plan does for whatever the values are.
    pub(super) has_one_plan: bool,
}

impl<'a> Statement<'a> {
    pub(super) fn new(wanted: &'a Wanted) -> Self {
        Self {
            sql: QueryBuilder::new(""),
            wanted,
            has_one_plan: false,
        }
    }

    /// What it says, with its values left out.
    pub(super) fn text(&self) -> &str {
        self.sql.sql()
    }

    pub(super) async fn fetch(
        mut self,
        connection: &mut PgConnection,
    ) -> Result<Vec<Place>, sqlx::Error> {
        let query = self.sql.build_query_as();
        query
            .persistent(self.has_one_plan)
            .fetch_all(connection)
            .await
    }

    /// Those of the first items in the list's order that have the words.
    pub(super) fn among_the_first(&mut self, visible: &Visible, sought: String) {
        let (at, id) = (self.at(), self.id());
        self.sql.push(format!(
            "SELECT {at}, {id} FROM (SELECT * FROM search v WHERE v.words IS NOT NULL"
        ));
        self.projects(visible);
        self.whose_and_when();
        self.beyond();
        self.order(at, id, (self.wanted.limit + 1) * LOOKED_AT);
        self.sql.push(") AS v");
        self.item();
        self.has(sought);
        self.what();
        self.end(at, id);
    }

    /// What has the words, then sorted: found by what the index knows by name alone, whatever the planner
    /// thinks of other indexes and of the order (`OFFSET 0` keeps them apart). The rows themselves are
    /// asked for the vague rest, if there is one.
    pub(super) fn matches(&mut self, visible: &Visible, named: String, vague: &str) {
        let (at, id) = (self.at(), self.id());
        self.sql.push(format!(
            "SELECT {at}, {id} FROM (SELECT item_id, project_id, owner_id, created_at, handed_in, words
                                     FROM search v"
        ));
        self.has(named);
        self.sql.push(" OFFSET 0) AS v");
        self.item();
        if vague.is_empty() {
            self.sql.push(" WHERE true");
        } else {
            self.has(vague.to_owned());
        }
        self.projects(visible);
        self.whose_and_when();
        self.what();
        self.beyond();
        self.end(at, id);
        self.has_one_plan = true;
    }

    fn item(&mut self) {
        if self.needs_item() {
            self.sql
                .push(" JOIN submissions s ON s.id = v.item_id AND NOT s.deleted");
        }
    }

    /// The planner is not to see what is sought: it would weigh it anew each time, and find no better
    /// way than the index.
    fn has(&mut self, sought: String) {
        self.sql
            .push(" WHERE v.words @@ (SELECT ")
            .push_bind(sought);
        self.sql.push("::text::tsquery)");
    }

    /// Several projects are walked one by one and their walks put together: one walk over all items
    /// would pass everything that the caller does not see. Words, and a caller's own items, are few
    /// enough to be looked for at once.
    pub(super) fn is_spread(&self, visible: &Visible) -> bool {
        let Visible::Only(projects) = visible else {
            return false;
        };
        projects.len() > 1
            && self.wanted.words.is_none()
            && self.wanted.owner_id.is_none()
            && projects.iter().any(|(_, part)| *part != Part::Own)
    }

    pub(super) fn spread(&mut self, visible: &Visible) {
        let whole = visible.ids(|part| part == Part::All);
        let handed_in = visible.ids(|part| part == Part::HandedIn);
        let own = visible.ids(|part| part == Part::Own);
        self.sql.push("SELECT at, id FROM (");
        self.walk_each(whole, "");
        self.sql.push(" UNION ALL ");
        self.walk_each(handed_in, " AND s.status <> 'draft'");
        self.sql.push(" UNION ALL (");
        let caller_id = self.wanted.caller_id;
        self.walk(|statement| {
            statement.clause(" AND s.owner_id = ", caller_id);
            statement.any(" AND s.project_id = ANY(", own);
        });
        self.sql.push(")) AS found(at, id)");
        self.end("at", "id");
    }

    fn walk_each(&mut self, projects: Vec<Uuid>, also: &'static str) {
        self.sql.push("SELECT k.at, k.id FROM unnest(");
        self.sql.push_bind(projects);
        self.sql.push(") AS p(id) CROSS JOIN LATERAL (");
        self.walk(|statement| {
            statement.sql.push(" AND s.project_id = p.id").push(also);
        });
        self.sql.push(") AS k(at, id)");
    }

    /// One walk along an index of items: from, where, order, limit.
    pub(super) fn walk(&mut self, of: impl FnOnce(&mut Self)) {
        let (at, id) = (self.at(), self.id());
        self.sql.push(format!(
            "SELECT {at}, {id} FROM submissions s WHERE NOT s.deleted"
        ));
        of(self);
        self.whose_and_when();
        self.what();
        self.beyond();
        self.end(at, id);
    }

    /// After the row that the cursor names.
    fn beyond(&mut self) {
        if let Some((after, id)) = self.wanted.after {
            let beyond = if self.wanted.descending { "<" } else { ">" };
            self.sql
                .push(format!(" AND ({}, {}) {beyond} (", self.at(), self.id()));
            self.sql.push_bind(after).push(", ");
            self.sql.push_bind(id).push(")");
        }
    }

    pub(super) fn projects(&mut self, visible: &Visible) {
        match visible {
            Visible::AllBut(none) if none.is_empty() => {}
            Visible::AllBut(deleted) => {
                self.any(
                    &format!(" AND {}.project_id <> ALL(", self.v()),
                    deleted.clone(),
                );
            }
            Visible::Only(projects) => self.only(projects, visible),
        }
    }

    fn only(&mut self, projects: &[(Uuid, Part)], visible: &Visible) {
        let v = self.v();
        if let [(project_id, _)] = projects {
            self.clause(&format!(" AND {v}.project_id = "), *project_id);
        } else {
            self.any(
                &format!(" AND {v}.project_id = ANY("),
                visible.ids(|_| true),
            );
        }
        let whole = visible.ids(|part| part == Part::All);
        let handed_in = visible.ids(|part| part == Part::HandedIn);
        if whole.len() == projects.len() {
            return;
        }
        let caller_id = self.wanted.caller_id;
        if whole.is_empty() && handed_in.is_empty() {
            self.clause(&format!(" AND {v}.owner_id = "), caller_id);
        } else if handed_in.len() == projects.len() {
            self.sql.push(format!(" AND {}", self.handed_in()));
        } else {
            self.any(&format!(" AND ({v}.project_id = ANY("), whole);
            self.sql.push(format!(" OR {} AND ", self.handed_in()));
            self.any(&format!("{v}.project_id = ANY("), handed_in);
            let own = visible.ids(|part| part == Part::Own);
            self.clause(&format!(" OR {v}.owner_id = "), caller_id);
            self.any(&format!(" AND {v}.project_id = ANY("), own);
            self.sql.push(")");
        }
    }

    fn whose_and_when(&mut self) {
        let (wanted, v) = (self.wanted, self.v());
        if let Some(owner_id) = wanted.owner_id {
            self.clause(&format!(" AND {v}.owner_id = "), owner_id);
        }
        if let Some(since) = wanted.since {
            self.clause(&format!(" AND {v}.created_at >= "), since);
        }
        if let Some(until) = wanted.until {
            self.clause(&format!(" AND {v}.created_at < "), until);
        }
    }

    /// What only the item itself says.
    fn what(&mut self) {
        let wanted = self.wanted;
        let words = [
            (" AND s.item_type = ", wanted.item_type),
            (" AND s.status = ", wanted.status),
            (" AND s.domain = ", wanted.domain.as_deref()),
            (" AND s.language = ", wanted.language.as_deref()),
        ];
        for (column, word) in words {
            if let Some(word) = word {
                self.clause(column, word);
            }
        }
        if let Some(tag) = &wanted.tag {
            self.clause(" AND s.tags @> ", tag);
        }
    }

    fn end(&mut self, at: &str, id: &str) {
        self.order(at, id, self.wanted.limit + 1);
    }

    fn order(&mut self, at: &str, id: &str, limit: i64) {
        let direction = if self.wanted.descending {
            "DESC"
        } else {
            "ASC"
        };
        self.sql
            .push(format!(
                " ORDER BY {at} {direction}, {id} {direction} LIMIT "
            ))
            .push_bind(limit);
    }

    fn clause<T>(&mut self, before: &str, value: T)
    where
        T: 'a + sqlx::Encode<'a, Postgres> + sqlx::Type<Postgres>,
    {
        self.sql.push(before).push_bind(value);
    }

    fn any(&mut self, before: &str, ids: Vec<Uuid>) {
        self.sql.push(before).push_bind(ids).push(")");
    }

    /// The table that says who and when.
    fn v(&self) -> &'static str {
        if self.wanted.words.is_some() {
            "v"
        } else {
            "s"
        }
    }

    fn id(&self) -> &'static str {
        if self.wanted.words.is_some() {
            "v.item_id"
        } else {
            "s.id"
        }
    }

    fn at(&self) -> &'static str {
        match (self.wanted.sort, self.wanted.words.is_some()) {
            (Sort::Created, true) => "v.created_at",
            (Sort::Created, false) => "s.created_at",
            (Sort::Updated, _) => "s.updated_at",
            (Sort::Submitted, _) => "coalesce(s.submitted_at, '1970-01-01T00:00:00Z'::timestamptz)",
        }
    }

    fn handed_in(&self) -> &'static str {
        if self.wanted.words.is_some() {
            "v.handed_in IS NOT NULL"
        } else {
            "s.status <> 'draft'"
        }
    }

    /// Whether words alone do not say enough.
    fn needs_item(&self) -> bool {
        let wanted = self.wanted;
        wanted.sort != Sort::Created
            || wanted.item_type.is_some()
            || wanted.status.is_some()
            || wanted.domain.is_some()
            || wanted.language.is_some()
            || wanted.tag.is_some()
    }
}
