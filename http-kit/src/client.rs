//! Who is at the other end of the connection: address, program, trace. Bounded, for it is hearsay.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{Extensions, HeaderMap, header, request::Parts},
};
use runtime::{config::server::Network, trace};
use tracing::Span;

use crate::request_id::RequestId;

const LONGEST_USER_AGENT: usize = 512;
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The peers whose `X-Forwarded-For` is believed; [`crate::edge()`] puts it on every request.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub Arc<[Network]>);

/// What is known of the caller before any token is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// The request's id.
    pub request_id: String,
    /// The caller's address.
    pub ip_address: Option<IpAddr>,
    /// The `User-Agent`, cut to 512 bytes.
    pub user_agent: Option<String>,
    /// The W3C `traceparent` of this request's own place in its trace, where traces are sent; else the
    /// caller's, if it is a well-formed one.
    pub traceparent: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

impl Client {
    /// Reads a request's head.
    pub fn of(parts: &Parts) -> Self {
        let request_id = parts.extensions.get::<RequestId>();
        Self {
            request_id: request_id.map(|id| id.0.clone()).unwrap_or_default(),
            ip_address: known_address(&parts.extensions, &parts.headers),
            user_agent: user_agent(&parts.headers),
            traceparent: trace::traceparent(&Span::current())
                .or_else(|| traceparent(&parts.headers)),
        }
    }
}

/// Where a request comes from, if it came over a connection.
pub(crate) fn address_of(request: &Request) -> Option<IpAddr> {
    known_address(request.extensions(), request.headers())
}

fn known_address(extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    let proxies = extensions.get::<TrustedProxies>();
    let proxies = proxies.map_or(&[][..], |proxies| &proxies.0);
    Some(address(peer.ip(), headers, proxies))
}

/// The nearest address that is not one of our proxies, read from the right: what stands further
/// left was written by whoever we do not trust.
fn address(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut nearest = peer.to_canonical();
    let lines: Vec<&str> = headers
        .get_all(X_FORWARDED_FOR)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    for hop in lines
        .iter()
        .rev()
        .flat_map(|line| line.rsplit(','))
        .take(32)
    {
        if !trusted(nearest) {
            break;
        }
        let Some(address) = hop_address(hop.trim()) else {
            break;
        };
        nearest = address.to_canonical();
    }
    nearest
}

/// Some proxies add the port.
fn hop_address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|hop| hop.ip());
    text.parse().ok().or_else(with_port)
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(header::USER_AGENT)?.as_bytes());
    let cut = text.floor_char_boundary(LONGEST_USER_AGENT);
    (cut > 0).then(|| text[..cut].to_owned())
}

/// The caller's place in a trace.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    trace::is_traceparent(text).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn seen(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(
                X_FORWARDED_FOR,
                HeaderValue::from_str(line).expect("a header"),
            );
        }
        let proxies: Vec<Network> = proxies
            .iter()
            .map(|text| Network::parse(text).expect("a network"))
            .collect();
        address(peer.parse().expect("an address"), &headers, &proxies).to_string()
    }

    #[test]
    fn a_stranger_cannot_say_who_it_is() {
        assert_eq!(seen("203.0.113.9", &["10.1.1.1"], &[]), "203.0.113.9");
        assert_eq!(
            seen("203.0.113.9", &["10.1.1.1"], &["10.0.0.0/8"]),
            "203.0.113.9"
        );
    }

    #[test]
    fn a_trusted_proxy_says_whom_it_serves() {
        assert_eq!(
            seen("10.0.0.1", &["198.51.100.7"], &["10.0.0.0/8"]),
            "198.51.100.7"
        );
        assert_eq!(
            seen(
                "10.0.0.1",
                &["6.6.6.6, 198.51.100.7, 10.0.0.2"],
                &["10.0.0.0/8"]
            ),
            "198.51.100.7"
        );
        assert_eq!(
            seen("10.0.0.1", &["6.6.6.6", "198.51.100.7"], &["10.0.0.0/8"]),
            "198.51.100.7"
        );
        assert_eq!(seen("10.0.0.1", &["rubbish"], &["10.0.0.0/8"]), "10.0.0.1");
        for with_port in ["198.51.100.7:4711", "[2001:db8::1]:4711"] {
            let bare = with_port.rsplit_once(':').expect("a port").0;
            let bare = bare.trim_matches(['[', ']']);
            assert_eq!(seen("10.0.0.1", &[with_port], &["10.0.0.0/8"]), bare);
        }
        assert_eq!(
            seen("::ffff:10.0.0.1", &["2001:db8::1"], &["10.0.0.0/8"]),
            "2001:db8::1"
        );
    }

    #[test]
    fn a_long_user_agent_is_cut() {
        let mut headers = HeaderMap::new();
        let long = HeaderValue::from_str(&"ä".repeat(600)).expect("a header");
        headers.insert(header::USER_AGENT, long);
        assert_eq!(user_agent(&headers).map(|text| text.len()), Some(512));
    }

    #[test]
    fn only_well_formed_trace_parents_are_taken_over() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_static(text));
            traceparent(&headers)
        };
        assert!(read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").is_some());
        assert!(read("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").is_none());
        assert!(read("00-0af7-b7ad6b7169203331-01").is_none());
    }
}
