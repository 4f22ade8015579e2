//! Where NATS is, when we do not run our own.

use super::{
    ConfigError,
    vars::{Vars, bad},
};
use crate::nats_address::NatsAddress;

/// As many as JetStream takes.
const MOST_REPLICAS: u8 = 5;

/// NATS.
#[derive(Clone, Debug)]
pub struct NatsConfig {
    /// `NATS_URL`; none means that `alta up` runs a private server.
    pub address: Option<NatsAddress>,
    /// `NATS_STREAM_REPLICAS`: on how many servers of a cluster JetStream keeps the events; none
    /// leaves a stream that is there as it is.
    pub stream_replicas: Option<u8>,
}

impl NatsConfig {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        let address = vars.parsed("NATS_URL", NatsAddress::parse)?;
        let stream_replicas = vars.parsed("NATS_STREAM_REPLICAS", replicas)?;
        if address.is_none() && stream_replicas.is_some_and(|replicas| replicas > 1) {
            let reason = "the private NATS is one server, and NATS_URL is not set";
            return Err(bad("NATS_STREAM_REPLICAS", reason));
        }
        Ok(Self {
            address,
            stream_replicas,
        })
    }
}

fn replicas(text: &str) -> Result<u8, String> {
    text.parse()
        .ok()
        .filter(|replicas| (1..=MOST_REPLICAS).contains(replicas))
        .ok_or_else(|| format!("it must be a whole number from 1 to {MOST_REPLICAS}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn read(vars: &[(&str, &str)]) -> Result<Option<u8>, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let map: BTreeMap<_, _> = vars.iter().map(owned).collect();
        let config = NatsConfig::read(&Vars::new(&map));
        config
            .map(|config| config.stream_replicas)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn replicas_are_few_and_need_a_cluster() {
        let cluster = ("NATS_URL", "nats://a,nats://b,nats://c");
        let replicas = |count| ("NATS_STREAM_REPLICAS", count);
        assert_eq!(read(&[cluster, replicas("3")]), Ok(Some(3)));
        assert_eq!(read(&[replicas("1")]), Ok(Some(1)));
        assert_eq!(read(&[cluster]), Ok(None));
        for refused in [
            vec![replicas("3")],
            vec![cluster, replicas("0")],
            vec![cluster, replicas("6")],
        ] {
            let said = read(&refused).expect_err("it cannot be used");
            assert!(
                said.starts_with("NATS_STREAM_REPLICAS cannot be used: "),
                "{said}"
            );
        }
    }
}
