//! How far each projection is, as metrics. Reads the checkpoints that the projectors move.

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(2);

/// A projector has applied a batch up to `position`.
pub(crate) fn applied(projection: &'static str, position: i64, events: usize) {
    metrics::gauge!("alta_projection_position", "projection" => projection).set(position as f64);
    metrics::counter!("alta_projection_events_total", "projection" => projection)
        .increment(events as u64);
}

/// Sets position, lag in events and lag in seconds of every projection now and then, until
/// `shutdown`.
pub(crate) async fn report(connect: PgConnectOptions, shutdown: CancellationToken) {
    let mut connection: Option<PgConnection> = None;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if connection.is_none() {
            connection = PgConnection::connect_with(&connect).await.ok();
        }
        if let Some(open) = &mut connection
            && let Err(error) = measure(open).await
        {
            tracing::warn!(%error, "the projections' lag cannot be measured: {error}");
            connection = None;
        }
    }
}

async fn measure(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT c.name, c.position,
                  greatest(coalesce((SELECT max(position) FROM event_log), 0) - c.position, 0)
                      AS "lag_events!",
                  coalesce(extract(epoch FROM clock_timestamp() - next.recorded_at)::float8, 0)
                      AS "lag_seconds!"
           FROM projection_checkpoints c
           LEFT JOIN LATERAL (
               SELECT e.recorded_at FROM event_log l JOIN events e ON e.id = l.event_id
               WHERE l.position = c.position + 1
           ) next ON true"#
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let projection = [("projection", row.name)];
        metrics::gauge!("alta_projection_position", &projection).set(row.position as f64);
        metrics::gauge!("alta_projection_lag_events", &projection).set(row.lag_events as f64);
        metrics::gauge!("alta_projection_lag_seconds", &projection).set(row.lag_seconds.max(0.0));
    }
    Ok(())
}
