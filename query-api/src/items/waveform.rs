//! The outline of a recording's wave, for players: the format of audiowaveform, version 2.

use super::{one::readable, text::fetch};
use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Items},
};
use axum::{extract::State, http::StatusCode, response::Response};
use http_kit::{ApiError, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaveformQuery {
    /// How many points at most.
    #[serde(default = "usual")]
    #[param(minimum = 1, maximum = 4096, default = 800)]
    points: usize,
}

const fn usual() -> usize {
    800
}

/// Smallest and largest values of a wave, point by point: the data format of audiowaveform, which
/// peaks.js and wavesurfer.js read.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"version": 2, "channels": 1, "sample_rate": 16000,
    "samples_per_pixel": 64, "bits": 16, "length": 2, "data": [-120, 131, -9, 12]}))]
pub(crate) struct Waveform {
    version: u32,
    channels: u32,
    sample_rate: u32,
    samples_per_pixel: u64,
    bits: u32,
    /// How many points.
    length: usize,
    /// The smallest value of a point, then the largest, from -32768 to 32767.
    data: Vec<i16>,
}

/// The outline of a recording's wave, once it was measured.
#[utoipa::path(get, path = "/voice/{id}/waveform", operation_id = "get_waveform", tag = "voice",
    params(("id" = Uuid, Path, description = "The recording"), WaveformQuery),
    responses((status = 200, body = Waveform),
        (status = 404, description = "`ITEM_NOT_FOUND`; `NOT_MEASURED` until it was")))]
pub(crate) async fn waveform(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(id): Path<Uuid>,
    Query(query): Query<WaveformQuery>,
) -> Result<Response, ApiError> {
    let item = readable(&api, &caller, id, Some("voice_sample")).await?;
    if !(1..=4_096).contains(&query.points) {
        return Err(ApiError::bad_parameter("points", "must be from 1 to 4096"));
    }
    let kept = fetch(&api.storage, item.waveform_key.as_deref()).await?;
    let drawn: Waveform = kept
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(not_measured)?;
    Ok(Answer::at(caller.position).json(drawn.of_at_most(query.points)))
}

fn not_measured() -> ApiError {
    let words = "This recording has not been measured.";
    ApiError::new(StatusCode::NOT_FOUND, "NOT_MEASURED", words)
}

impl Waveform {
    /// As many points together as it takes.
    fn of_at_most(self, points: usize) -> Self {
        let together = self.length.div_ceil(points).max(1);
        let data: Vec<i16> = self
            .data
            .chunks(together * 2)
            .flat_map(|values| {
                let (least, most) = (values.iter().step_by(2), values.iter().skip(1).step_by(2));
                [least.min().copied(), most.max().copied()]
            })
            .flatten()
            .collect();
        Self {
            samples_per_pixel: self.samples_per_pixel * together as u64,
            length: data.len() / 2,
            data,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_put_together_and_keep_their_extremes() {
        let wave = || Waveform {
            version: 2,
            channels: 1,
            sample_rate: 16_000,
            samples_per_pixel: 64,
            bits: 16,
            length: 5,
            data: vec![-1, 1, -2, 9, -7, 3, 0, 4, -5, 5],
        };
        let two = wave().of_at_most(2);
        assert_eq!((two.length, two.samples_per_pixel), (2, 192));
        assert_eq!(two.data, [-7, 9, -5, 5]);
        let all = wave().of_at_most(5);
        assert_eq!((all.length, all.samples_per_pixel), (5, 64));
        assert_eq!(wave().of_at_most(1).data, [-7, 9]);
    }
}
