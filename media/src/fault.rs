//! Why a file cannot be used: the stable codes that callers see, and a fault that carries one.
//! One vocabulary for refusals at upload and for failed jobs alike.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A stable upper-case word per cause, the same at upload and in a job's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// Nothing was sent.
    EmptyFile,
    /// The bytes are not what the name or the declared type says.
    TypeMismatch,
    /// A kind of file that is not accepted.
    UnsupportedType,
    /// A language for which the engine has no model.
    UnsupportedLanguage,
    /// The bytes cannot be read as what they claim to be.
    Corrupt,
    /// A password is needed to read it.
    Encrypted,
    /// More pages than the limit.
    TooManyPages,
    /// A page of a size that cannot be drawn.
    PageTooLarge,
    /// More pixels than the limit.
    TooManyPixels,
    /// Too few pixels to hold a letter.
    ImageTooSmall,
    /// A recording longer than the limit.
    TooLong,
    /// No sound in the file.
    NoAudio,
    /// Reading it took more memory, time or disk than a file may take.
    ResourceLimit,
    /// The engine is not installed or does not answer.
    EngineUnavailable,
    /// The engine stopped with an error that says nothing about the file.
    EngineFailed,
}

/// Every code, for documentation and for parsing.
pub const ALL_CODES: [ErrorCode; 15] = [
    ErrorCode::EmptyFile,
    ErrorCode::TypeMismatch,
    ErrorCode::UnsupportedType,
    ErrorCode::UnsupportedLanguage,
    ErrorCode::Corrupt,
    ErrorCode::Encrypted,
    ErrorCode::TooManyPages,
    ErrorCode::PageTooLarge,
    ErrorCode::TooManyPixels,
    ErrorCode::ImageTooSmall,
    ErrorCode::TooLong,
    ErrorCode::NoAudio,
    ErrorCode::ResourceLimit,
    ErrorCode::EngineUnavailable,
    ErrorCode::EngineFailed,
];

impl ErrorCode {
    /// The stable word, as clients see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmptyFile => "EMPTY_FILE",
            Self::TypeMismatch => "TYPE_MISMATCH",
            Self::UnsupportedType => "UNSUPPORTED_TYPE",
            Self::UnsupportedLanguage => "UNSUPPORTED_LANGUAGE",
            Self::Corrupt => "CORRUPT",
            Self::Encrypted => "ENCRYPTED",
            Self::TooManyPages => "TOO_MANY_PAGES",
            Self::PageTooLarge => "PAGE_TOO_LARGE",
            Self::TooManyPixels => "TOO_MANY_PIXELS",
            Self::ImageTooSmall => "IMAGE_TOO_SMALL",
            Self::TooLong => "TOO_LONG",
            Self::NoAudio => "NO_AUDIO",
            Self::ResourceLimit => "RESOURCE_LIMIT",
            Self::EngineUnavailable => "ENGINE_UNAVAILABLE",
            Self::EngineFailed => "ENGINE_FAILED",
        }
    }

    /// A sentence true for an end user.
    pub const fn message(self) -> &'static str {
        match self {
            Self::EmptyFile => "the file is empty",
            Self::TypeMismatch => "the file is not what its name or type says it is",
            Self::UnsupportedType => "files of this type are not accepted",
            Self::UnsupportedLanguage => "the engine has no model for this language",
            Self::Corrupt => "the file is damaged and cannot be read",
            Self::Encrypted => "the file is protected by a password",
            Self::TooManyPages => "the document has too many pages",
            Self::PageTooLarge => "a page is too large to be drawn",
            Self::TooManyPixels => "the image has too many pixels",
            Self::ImageTooSmall => "the image is too small to hold text",
            Self::TooLong => "the recording is too long",
            Self::NoAudio => "the file holds no sound",
            Self::ResourceLimit => "reading the file took more resources than a file may take",
            Self::EngineUnavailable => "the engine is not available",
            Self::EngineFailed => "the engine failed",
        }
    }

    /// True where trying again with the same file must end the same way.
    pub const fn is_permanent(self) -> bool {
        !matches!(self, Self::EngineUnavailable | Self::EngineFailed)
    }

    /// This code with what was seen, for operators and for `last_error`.
    pub fn because(self, detail: impl Into<String>) -> Fault {
        Fault {
            code: self,
            detail: detail.into(),
            lasting: self.is_permanent(),
        }
    }

    /// The same where another try must end the same way, whatever the code says of it in general.
    pub fn for_good(self, detail: impl Into<String>) -> Fault {
        Fault {
            lasting: true,
            ..self.because(detail)
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.message())
    }
}

/// The word is not one of the codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an error code: {0:?}")]
pub struct UnknownCode(pub String);

impl FromStr for ErrorCode {
    type Err = UnknownCode;

    fn from_str(word: &str) -> Result<Self, UnknownCode> {
        ALL_CODES
            .into_iter()
            .find(|code| code.as_str() == word)
            .ok_or_else(|| UnknownCode(word.to_owned()))
    }
}

/// A file that cannot be used, or an engine that could not use it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Fault {
    /// The stable cause.
    pub code: ErrorCode,
    /// What was seen, in English, without paths of this machine.
    pub detail: String,
    lasting: bool,
}

impl Fault {
    /// True where trying again with the same file must end the same way.
    pub const fn is_permanent(&self) -> bool {
        self.lasting
    }
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        code.because(code.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_being_written_and_read() {
        for code in ALL_CODES {
            assert_eq!(code.as_str().parse(), Ok(code));
            let json = serde_json::to_string(&code).expect("a code is a string");
            assert_eq!(json, format!("\"{}\"", code.as_str()));
        }
        assert!("NONSENSE".parse::<ErrorCode>().is_err());
    }

    #[test]
    fn only_the_engines_own_faults_are_worth_another_try() {
        let retryable: Vec<_> = ALL_CODES
            .into_iter()
            .filter(|code| !code.is_permanent())
            .collect();
        assert_eq!(
            retryable,
            [ErrorCode::EngineUnavailable, ErrorCode::EngineFailed]
        );
    }
}
