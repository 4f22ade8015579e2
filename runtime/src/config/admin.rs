//! The first super admin, made at start where there is none.

use super::{
    ConfigError,
    vars::{Vars, bad, email},
};
use crate::secret::SecretString;

/// The first super admin.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// `SUPER_ADMIN_EMAIL` and `SUPER_ADMIN_PASSWORD`: both or neither.
    pub first: Option<FirstAdmin>,
}

/// Who is made super admin where there is none.
#[derive(Clone, Debug)]
pub struct FirstAdmin {
    /// The address to sign in with.
    pub email: String,
    /// The password to sign in with.
    pub password: SecretString,
}

impl AdminConfig {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        let address = vars.parsed("SUPER_ADMIN_EMAIL", email)?;
        let password = vars.secret("SUPER_ADMIN_PASSWORD");
        let first = match (address, password) {
            (None, None) => None,
            (Some(email), Some(password)) => {
                let length = password.expose().chars().count();
                if !(8..=128).contains(&length) {
                    let why = "it must have 8 to 128 characters";
                    return Err(bad("SUPER_ADMIN_PASSWORD", why));
                }
                Some(FirstAdmin { email, password })
            }
            (Some(_), None) => {
                let why = "SUPER_ADMIN_EMAIL is set and it is not";
                return Err(bad("SUPER_ADMIN_PASSWORD", why));
            }
            (None, Some(_)) => {
                let why = "SUPER_ADMIN_PASSWORD is set and it is not";
                return Err(bad("SUPER_ADMIN_EMAIL", why));
            }
        };
        Ok(Self { first })
    }
}
