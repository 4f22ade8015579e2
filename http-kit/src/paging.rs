//! Pages: keyset cursors for bare arrays, numbered pages for admin lists.

use axum::http::{HeaderValue, Uri};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use utoipa::{IntoParams, ToSchema};

use crate::ApiError;

const LONGEST_CURSOR: usize = 1_024;

/// `limit` and `cursor` of a list. Take it as a field with `#[serde(flatten)]` or beside another
/// [`crate::Query`]; check with [`Keyset::limit`] and [`Keyset::after`].
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Keyset {
    /// How many rows at most.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// Where the page begins: from the `Link` of the page before.
    cursor: Option<String>,
}

impl Keyset {
    /// How many rows: 1 to 200, 50 when not given.
    ///
    /// # Errors
    /// 400 `INVALID_PARAMETER`.
    pub fn limit(&self) -> Result<i64, ApiError> {
        within("limit", self.limit.as_deref(), 50, 1..=200)
    }

    /// The row of the list at `uri` after which the page begins.
    ///
    /// # Errors
    /// 400 for a cursor that is not one of this list, in this order and with these filters.
    pub fn after<T: DeserializeOwned>(&self, uri: &Uri) -> Result<Option<T>, ApiError> {
        let cursor = self.cursor.as_deref();
        cursor.map(|cursor| decode(uri, cursor)).transpose()
    }
}

/// `page` and `page_size` of an admin list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Numbered {
    /// Which page.
    #[param(value_type = Option<i64>, minimum = 1, default = 1)]
    page: Option<String>,
    /// How many rows on each.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, default = 20)]
    page_size: Option<String>,
}

/// A numbered page that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageNumber {
    /// Which, from 1.
    pub page: i64,
    /// How many rows on each.
    pub page_size: i64,
}

/// The `meta` of an admin list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct PageMeta {
    /// Which page, from 1.
    pub page: i64,
    /// How many rows on each.
    pub page_size: i64,
    /// How many rows in all.
    pub total_count: i64,
    /// How many pages in all.
    pub total_pages: i64,
}

impl Numbered {
    /// The page asked for: from 1; 1 to 100 rows, 20 when not given.
    ///
    /// # Errors
    /// 400 `INVALID_PARAMETER`.
    pub fn page(&self) -> Result<PageNumber, ApiError> {
        Ok(PageNumber {
            page: within("page", self.page.as_deref(), 1, 1..=1_000_000)?,
            page_size: within("page_size", self.page_size.as_deref(), 20, 1..=100)?,
        })
    }
}

impl PageNumber {
    /// How many rows stand before it.
    pub const fn offset(self) -> i64 {
        (self.page - 1) * self.page_size
    }

    /// The `meta` beside its rows.
    pub const fn meta(self, total_count: i64) -> PageMeta {
        PageMeta {
            page: self.page,
            page_size: self.page_size,
            total_count,
            total_pages: (total_count + self.page_size - 1) / self.page_size,
        }
    }
}

fn within(
    name: &str,
    given: Option<&str>,
    default: i64,
    range: std::ops::RangeInclusive<i64>,
) -> Result<i64, ApiError> {
    let number = given.map_or(Some(default), |text| text.parse().ok());
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            let words = format!("must be a number from {} to {}", range.start(), range.end());
            ApiError::bad_parameter(name, words)
        })
}

/// A cursor that stands after `row` of the list at `uri`: opaque to clients, not secret, not signed;
/// whoever reads one must treat it as any other parameter.
pub fn encode<T: Serialize>(uri: &Uri, row: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&(list(uri), row)).unwrap_or_default())
}

/// The row that a cursor of the list at `uri` stands after.
///
/// # Errors
/// 400 for a cursor that is not one of this list, in this order and with these filters.
pub fn decode<T: DeserializeOwned>(uri: &Uri, cursor: &str) -> Result<T, ApiError> {
    let bytes = (cursor.len() <= LONGEST_CURSOR).then(|| URL_SAFE_NO_PAD.decode(cursor).ok());
    bytes
        .flatten()
        .and_then(|bytes| serde_json::from_slice::<(u32, T)>(&bytes).ok())
        .filter(|(of, _)| *of == list(uri))
        .map(|(_, row)| row)
        .ok_or_else(|| ApiError::bad_parameter("cursor", "is not a cursor of this list"))
}

/// What tells a list from others: its name, order and filters, however they are spelled. A place in
/// one list means nothing in another.
fn list(uri: &Uri) -> u32 {
    let path = uri.path().trim_end_matches('/');
    let path = path.strip_prefix("/api").unwrap_or(path);
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
    let mut pairs = pairs.map(|pairs| pairs.0).unwrap_or_default();
    pairs.retain(|(name, _)| !matches!(name.as_str(), "cursor" | "limit"));
    pairs.sort_unstable();
    let words = pairs.iter().flat_map(|(name, value)| [name, value]);
    std::iter::once(path)
        .chain(words.map(String::as_str))
        .fold(FNV_BASIS, |hash, word| {
            fnv(fnv(hash, word.as_bytes()), &[0])
        })
}

const FNV_BASIS: u32 = 0x811c_9dc5;

/// Fowler–Noll–Vo 1a: the same in every build, and nobody gains by a collision.
fn fnv(hash: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// The `Link` header to the next page: the same request (take [`axum::extract::OriginalUri`]) with
/// another cursor. `None` if the URI cannot stand in a header.
pub fn next_link(uri: &Uri, cursor: &str) -> Option<HeaderValue> {
    let kept = uri.query().unwrap_or_default().split('&');
    let kept = kept.filter(|pair| !pair.is_empty() && !is_cursor(pair));
    let cursor = format!("cursor={cursor}");
    let query: Vec<&str> = kept.chain([cursor.as_str()]).collect();
    let link = format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"));
    HeaderValue::from_str(
        &link
            .replace('"', "%22")
            .replace("rel=%22next%22", "rel=\"next\""),
    )
    .ok()
}

/// Whether a part of a query string is the cursor, however its name is spelled.
fn is_cursor(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    if !name.contains('%') {
        return name == "cursor";
    }
    let uri = format!("/?{name}").parse::<Uri>().ok();
    let pairs =
        uri.and_then(|uri| axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    pairs.is_some_and(|pairs| pairs.0.iter().any(|(name, _)| name == "cursor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_outside_the_range_are_refused() {
        let limit = |text: Option<&str>| {
            Keyset {
                limit: text.map(str::to_owned),
                cursor: None,
            }
            .limit()
        };
        assert_eq!(limit(None), Ok(50));
        assert_eq!(limit(Some("200")), Ok(200));
        for bad in ["0", "201", "-1", "x", "", "99999999999999999999"] {
            assert_eq!(limit(Some(bad)).expect_err(bad).status(), 400);
        }
    }

    fn uri(text: &str) -> Uri {
        text.parse().expect("a URI")
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let (list, row) = (uri("/api/review?limit=2"), (5_i64, "a/ä".to_owned()));
        let cursor = encode(&list, &row);
        for same in [
            "/api/review",
            "/api/v1/review/?cursor=x&limit=50",
            "/review?limit=7",
        ] {
            assert_eq!(
                decode::<(i64, String)>(&uri(same), &cursor),
                Ok(row.clone())
            );
        }
        for bad in ["", "!", "bm8", "WzUsImEiXQ", &"A".repeat(5_000)] {
            let refused = decode::<(i64, String)>(&list, bad).expect_err(bad);
            assert_eq!(refused.status(), 400);
        }
    }

    #[test]
    fn a_cursor_is_of_one_list_in_one_order_with_its_filters() {
        let list = uri("/api/submissions?status=draft&q=%D9%83%20a&order=asc");
        let cursor = encode(&list, &5_i64);
        let spelled = uri("/api/submissions?order=asc&q=%d9%83+a&status=draft&cursor=x");
        assert_eq!(decode::<i64>(&spelled, &cursor), Ok(5));
        for other in [
            "/api/my-contributions?status=draft&q=%D9%83%20a&order=asc",
            "/api/submissions?status=draft&q=%D9%83%20a&order=desc",
            "/api/submissions?status=draft&q=%D9%83%20a",
            "/api/submissions?status=draftq&=%D9%83%20a&order=asc",
            "/api/submissions",
        ] {
            let refused = decode::<i64>(&uri(other), &cursor).expect_err(other);
            assert_eq!(
                refused.details()["cursor"],
                ["is not a cursor of this list"]
            );
        }
    }

    #[test]
    fn the_next_link_keeps_the_other_parameters() {
        let uri: Uri = "/api/review?project_id=1&cursor=old&limit=2"
            .parse()
            .expect("a URI");
        let link = next_link(&uri, "new").expect("a header");
        assert_eq!(
            link,
            "</api/review?project_id=1&limit=2&cursor=new>; rel=\"next\""
        );
    }

    #[test]
    fn the_next_link_has_one_cursor_however_the_old_one_was_spelled() {
        for old in ["cursor=old", "%63ursor=old", "curso%72=", "cursor"] {
            let uri = uri(&format!("/api/review?{old}&limit=2&cursors=3"));
            let link = next_link(&uri, "new").expect("a header");
            let next = "</api/review?limit=2&cursors=3&cursor=new>; rel=\"next\"";
            assert_eq!(link, next, "{old}");
        }
    }

    #[test]
    fn pages_are_counted_from_one() {
        let page = Numbered::default().page().expect("defaults");
        assert_eq!((page.offset(), page.page_size), (0, 20));
        assert_eq!(page.meta(41).total_pages, 3);
        assert_eq!(page.meta(0).total_pages, 0);
        let third = Numbered {
            page: Some("3".into()),
            page_size: Some("10".into()),
        };
        assert_eq!(third.page().map(PageNumber::offset), Ok(20));
    }
}
