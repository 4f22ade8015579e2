//! Lists and figures over many items, each beside the statements that it runs.

use crate::{
    Bench,
    figures::{Ceiling, beside, print, print_work},
};
use anyhow::{Context, Result};
use benches::{
    filled::{fill, fill_figures},
    http::{Call, Connection},
    load::{Schedule, Until, closed_loop, open_loop},
    processes::Work,
    scene::settled,
    statements::{Statement, executed},
};
use sqlx::{Connection as _, PgConnection};
use std::time::Instant;

const CLIENTS: usize = 8;
const HALF: f64 = 0.5;

/// A list, and what its own statement has in it.
struct Read {
    what: String,
    call: Call,
    own: &'static str,
}

pub(crate) async fn run(bench: &Bench, items: usize) -> Result<()> {
    let scene = &bench.scene;
    let archive = scene.another_project("Archive").await?;
    let letters = scene.another_project("Letters").await?;
    let projects = [archive.parse()?, letters.parse()?];
    let contributor = scene.writers.first().context("a writer")?;
    let begun = Instant::now();
    let mut connection = PgConnection::connect(&bench.url).await?;
    let corpus = fill(&mut connection, contributor.id.parse()?, projects, items).await?;
    fill_figures(&mut connection, projects).await?;
    connection.close().await?;
    println!(
        "{items} items that wait for review in one project and {} of every status in another: written \
         into the read model's tables (no events) in {:.0} s",
        items / 5,
        begun.elapsed().as_secs_f64()
    );
    let contributor = contributor.client.token();
    let reviewer = scene
        .reviewers
        .first()
        .context("a reviewer")?
        .client
        .token();
    let word = |share| corpus.common(false, share, 1).pop().context("a word");
    let read = |what: &str, token: &str, path: String, own| Read {
        what: what.to_owned(),
        call: Call::get(token, path),
        own,
    };
    let queue = "FROM review_queue q";
    let mut lists = vec![
        read(
            "GET /review?project_id=",
            reviewer,
            format!("/review?project_id={archive}"),
            queue,
        ),
        read("GET /review", reviewer, "/review".into(), queue),
        read(
            "GET /my-drafts",
            contributor,
            "/my-drafts".into(),
            "status = 'draft'",
        ),
        read(
            "GET /my-contributions",
            contributor,
            "/my-contributions".into(),
            "FROM submissions s WHERE NOT s.deleted",
        ),
        read(
            "GET /analytics/summary?project_id=",
            scene.owner.client.token(),
            format!("/analytics/summary?project_id={archive}"),
            "FROM analytics_status_counts",
        ),
    ];
    for (class, share) in [
        ("1 in 10,000", 0.000_1),
        ("1 in 20", 0.05),
        ("1 in 3", 0.34),
    ] {
        let what = format!("GET /submissions?q= (a word of {class})");
        let path = format!("/submissions?q={}", word(share)?);
        lists.push(read(&what, reviewer, path, "v.words @@"));
    }
    for list in lists {
        measure(bench, &list).await?;
    }
    Ok(())
}

async fn measure(bench: &Bench, list: &Read) -> Result<()> {
    settled(&bench.url).await?;
    let address = &bench.scene.address;
    let work = async |connection: &mut Connection, _: usize| {
        connection.send(&list.call).await?;
        Ok(())
    };
    // Caches are warm before anything counts.
    let mut connection = Connection::open(address).await?;
    for number in 0..50 {
        work(&mut connection, number).await?;
    }
    let data_dir = bench.alta.data_dir();
    let request = work(&mut connection, 0);
    let statements = executed(&data_dir, &bench.url, request).await?;
    let (until, spent) = (Until::Time(bench.lasting), Work::begin());
    let report = closed_loop(address, CLIENTS, until, work).await?;
    let worked = spent.by_name(report.sent);
    print(&format!("{}, closed loop", list.what), CLIENTS, &report);
    print_work(&worked, "it is answered");
    ceilings(bench, list, &statements, report.achieved).await?;
    let schedule = Schedule::lasting(report.achieved * HALF, bench.lasting / 2, CLIENTS);
    let half = open_loop(address, schedule, work).await?;
    print(&format!("{}, half of it", list.what), CLIENTS, &half);
    Ok(())
}

async fn ceilings(bench: &Bench, list: &Read, all: &[Statement], rate: f64) -> Result<()> {
    let own = all
        .iter()
        .rfind(|statement| statement.sql.contains(list.own))
        .with_context(|| format!("no statement of {} has {:?}", list.what, list.own))?;
    let pgbench = bench.ceilings();
    let ceiling = Ceiling {
        rate: pgbench.selects(&[own], CLIENTS).await?,
        of: "pgbench, the list's own SELECT",
        goal: Some(0.5),
    };
    beside(rate, &ceiling);
    let every: Vec<&Statement> = all.iter().collect();
    let ceiling = Ceiling {
        rate: pgbench.selects(&every, CLIENTS).await?,
        of: "pgbench, all SELECTs of the request",
        goal: None,
    };
    println!("    ({} statements a request)", every.len());
    beside(rate, &ceiling);
    Ok(())
}
