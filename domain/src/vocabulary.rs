//! The words that several aggregates, the tables and the API share, spelt once.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A word that is not in the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not one of: {0}")]
pub struct UnknownWord(pub &'static str);

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $all:literal, { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// The word as it stands in events, tables and the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word { $($word => Ok(Self::$variant),)+ _ => Err(UnknownWord($all)) }
            }
        }
    };
}

words!(
    /// What an account may do everywhere.
    GlobalRole, "user, super_admin", {
        /// An ordinary account.
        User = "user",
        /// Sees and administers everything.
        SuperAdmin = "super_admin",
    }
);

words!(
    /// What a member may do in one project.
    ProjectRole, "admin, contributor, reviewer", {
        /// Changes the project and its members, and may do all that the other two may.
        Admin = "admin",
        /// Creates data and submits it.
        Contributor = "contributor",
        /// Claims and decides.
        Reviewer = "reviewer",
    }
);

words!(
    /// The three kinds of data.
    ItemType, "document, voice_sample, raw_text", {
        /// A PDF or an image.
        Document = "document",
        /// A recording.
        VoiceSample = "voice_sample",
        /// Text typed in.
        RawText = "raw_text",
    }
);
