//! Whether clients are told that this version of the API is on its way out.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    ConfigError,
    vars::{Vars, bad, http_url},
};

/// What clients of `/api/v1` are told of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deprecation {
    /// `API_V1_DEPRECATED_AT`: from when on nobody should begin to use it; past or to come.
    pub at: OffsetDateTime,
    /// `API_V1_SUNSET_AT`: from when on it may be gone.
    pub sunset: Option<OffsetDateTime>,
    /// `API_V1_DEPRECATION_LINK`: where it is said what to do.
    pub link: Option<String>,
}

impl Deprecation {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Option<Self>, ConfigError> {
        let at = vars.parsed("API_V1_DEPRECATED_AT", moment)?;
        let sunset = vars.parsed("API_V1_SUNSET_AT", moment)?;
        let link = vars.parsed("API_V1_DEPRECATION_LINK", http_url)?;
        let Some(at) = at else {
            let lonely = [
                ("API_V1_SUNSET_AT", sunset.is_some()),
                ("API_V1_DEPRECATION_LINK", link.is_some()),
            ];
            return match lonely.into_iter().find(|(_, set)| *set) {
                Some((name, _)) => Err(bad(name, "API_V1_DEPRECATED_AT must be set with it")),
                None => Ok(None),
            };
        };
        if sunset.is_some_and(|sunset| sunset < at) {
            let why = "it must not be before API_V1_DEPRECATED_AT";
            return Err(bad("API_V1_SUNSET_AT", why));
        }
        Ok(Some(Self { at, sunset, link }))
    }
}

/// A time that HTTP can tell: its years have four digits, and its count of seconds no sign.
fn moment(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .map(|at| at.to_offset(time::UtcOffset::UTC))
        .filter(|at| *at >= OffsetDateTime::UNIX_EPOCH)
        .ok_or_else(|| "it must be a time like 2027-01-31T00:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use time::macros::datetime;

    fn read(vars: &[(&str, &str)]) -> Result<Option<Deprecation>, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let map: BTreeMap<String, String> = vars.iter().map(owned).collect();
        Deprecation::read(&Vars::new(&map)).map_err(|error| error.name)
    }

    #[test]
    fn nothing_is_on_its_way_out_unless_it_is_said() {
        assert_eq!(read(&[]), Ok(None));
    }

    #[test]
    fn the_end_is_told_with_its_times_and_a_page() {
        let told = read(&[
            ("API_V1_DEPRECATED_AT", "2027-01-01T02:00:00+02:00"),
            ("API_V1_SUNSET_AT", "2027-07-01T00:00:00Z"),
            ("API_V1_DEPRECATION_LINK", "https://alta.example/v2"),
        ]);
        let expected = Deprecation {
            at: datetime!(2027-01-01 0:00 UTC),
            sunset: Some(datetime!(2027-07-01 0:00 UTC)),
            link: Some("https://alta.example/v2".to_owned()),
        };
        assert_eq!(told, Ok(Some(expected)));
    }

    #[test]
    fn an_end_before_its_announcement_or_without_one_is_refused() {
        let at = ("API_V1_DEPRECATED_AT", "2027-01-01T00:00:00Z");
        let refused: [(&[(&str, &str)], &str); 5] = [
            (&[("API_V1_DEPRECATED_AT", "soon")], "API_V1_DEPRECATED_AT"),
            (
                &[("API_V1_DEPRECATED_AT", "1969-12-31T23:59:59Z")],
                "API_V1_DEPRECATED_AT",
            ),
            (
                &[at, ("API_V1_SUNSET_AT", "2026-12-31T23:59:59Z")],
                "API_V1_SUNSET_AT",
            ),
            (
                &[("API_V1_SUNSET_AT", "2027-01-01T00:00:00Z")],
                "API_V1_SUNSET_AT",
            ),
            (
                &[("API_V1_DEPRECATION_LINK", "https://alta.example")],
                "API_V1_DEPRECATION_LINK",
            ),
        ];
        for (vars, name) in refused {
            assert_eq!(read(vars), Err(name.to_owned()), "{vars:?}");
        }
        assert!(read(&[at, ("API_V1_SUNSET_AT", "2027-01-01T00:00:00Z")]).is_ok());
    }
}
