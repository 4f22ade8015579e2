//! What each kind of mail says: ours, or an operator's own from a directory. A file there named like
//! ours (`verify-email.txt`, `.html`) stands in its place, and `.subject` in that of the subject.

use super::{
    letter::Letter,
    template::{Values, html, names, one_line, text},
};
use std::{borrow::Cow, fs, io, path::Path};

/// The longest template, in bytes.
const LONGEST: u64 = 256 << 10;
/// The longest subject that comes of one, in characters.
const SUBJECT_CHARS: usize = 200;
/// Where a mail without this would be of no use.
const LINK: &str = "link";

/// A kind of mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    VerifyEmail,
    ResetPassword,
    Invitation,
    Decision,
    Reversal,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::Invitation,
        Self::Decision,
        Self::Reversal,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::ResetPassword => "reset-password",
            Self::Invitation => "invitation",
            Self::Decision => "decision",
            Self::Reversal => "reversal",
        }
    }

    /// What a template of this kind is filled with.
    const fn values(self) -> &'static [&'static str] {
        match self {
            Self::VerifyEmail | Self::ResetPassword => &["name", LINK, "until"],
            Self::Invitation => &["project", "inviter", "role", LINK, "until"],
            Self::Decision => &["name", "item", "type", "id", "sentence", "feedback"],
            Self::Reversal => &["name", "item", "type", "id"],
        }
    }

    const fn ours(self) -> (&'static str, &'static str) {
        macro_rules! ours {
            ($name:literal) => {
                (
                    include_str!(concat!("../../templates/", $name, ".txt")),
                    include_str!(concat!("../../templates/", $name, ".html")),
                )
            };
        }
        match self {
            Self::VerifyEmail => ours!("verify-email"),
            Self::ResetPassword => ours!("reset-password"),
            Self::Invitation => ours!("invitation"),
            Self::Decision => ours!("decision"),
            Self::Reversal => ours!("reversal"),
        }
    }
}

/// The templates of all kinds.
#[derive(Debug, Clone)]
pub struct Templates(Vec<Template>);

#[derive(Debug, Clone)]
struct Template {
    kind: Kind,
    subject: Option<String>,
    text: Cow<'static, str>,
    html: Cow<'static, str>,
}

impl Default for Templates {
    /// Ours.
    fn default() -> Self {
        let ours = Kind::ALL.map(|kind| {
            let (text, html) = kind.ours();
            Template {
                kind,
                subject: None,
                text: text.into(),
                html: html.into(),
            }
        });
        Self(ours.into())
    }
}

impl Templates {
    /// Ours, but for what stands in this directory.
    ///
    /// # Errors
    /// A sentence that names the file that cannot be used.
    pub fn read(directory: &Path) -> Result<Self, String> {
        let mut templates = Self::default();
        let entries = fs::read_dir(directory).map_err(|error| error.to_string())?;
        for entry in entries {
            let path = entry.map_err(|error| error.to_string())?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !name.starts_with('.') {
                templates.take(&name, &path)?;
            }
        }
        Ok(templates)
    }

    fn take(&mut self, name: &str, path: &Path) -> Result<(), String> {
        let (stem, form) = name.rsplit_once('.').unwrap_or((name, ""));
        let template = self.0.iter_mut().find(|one| one.kind.as_str() == stem);
        let template = template
            .filter(|_| matches!(form, "txt" | "html" | "subject"))
            .ok_or_else(|| format!("{name} is the name of no template"))?;
        let words = contents(path).map_err(|error| format!("{name}: {error}"))?;
        let known = template.kind.values();
        let used = names(&words).map_err(|part| format!("{name}: {part:?} is not closed"))?;
        if let Some(unknown) = used.iter().find(|used| !known.contains(used)) {
            let known = known.join(", ");
            return Err(format!("{name} asks for {unknown:?}; there is {known}"));
        }
        if form != "subject" && known.contains(&LINK) && !used.contains(&LINK) {
            return Err(format!("{name} has no {{{{{LINK}}}}}"));
        }
        match form {
            "txt" => template.text = words.into(),
            "html" => template.html = words.into(),
            _ => template.subject = Some(words),
        }
        Ok(())
    }

    /// Fills one in; `subject` is for where there is no other.
    pub(super) fn letter(
        &self,
        kind: Kind,
        to: String,
        subject: String,
        values: &Values<'_>,
    ) -> Letter {
        let found = self.0.iter().find(|one| one.kind == kind);
        let (own, plain, rich) = match found {
            Some(one) => (one.subject.as_deref(), &*one.text, &*one.html),
            None => (None, kind.ours().0, kind.ours().1),
        };
        Letter {
            to,
            subject: own.map_or(subject, |own| one_line(&text(own, values), SUBJECT_CHARS)),
            text: text(plain, values),
            html: html(rich, values),
        }
    }
}

fn contents(path: &Path) -> io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > LONGEST {
        return Err(io::Error::other(format!(
            "it is longer than {LONGEST} bytes"
        )));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("a directory");
        for (name, words) in files {
            fs::write(home.path().join(name), words).expect("written");
        }
        home
    }

    fn refusal(name: &str, words: &str) -> String {
        let home = directory(&[(name, words)]);
        Templates::read(home.path()).expect_err("it cannot be used")
    }

    #[test]
    fn a_file_stands_in_the_place_of_ours_and_the_rest_stays() {
        let home = directory(&[
            ("verify-email.txt", "Bonjour {{name}}: {{link}}"),
            ("verify-email.subject", "Bienvenue,\n{{name}}"),
            (".hidden", "{{"),
        ]);
        let templates = Templates::read(home.path()).expect("they can be used");
        let values = [("name", "Amal"), ("link", "http://x/"), ("until", "noon")];
        let own = "Confirm".to_owned();
        let letter = templates.letter(Kind::VerifyEmail, "a@b.c".into(), own.clone(), &values);
        assert_eq!(letter.text, "Bonjour Amal: http://x/");
        assert_eq!(letter.subject, "Bienvenue, Amal");
        assert!(
            letter.html.contains("<html") || letter.html.contains("<p"),
            "{}",
            letter.html
        );
        let ours = Templates::default().letter(Kind::VerifyEmail, "a@b.c".into(), own, &values);
        assert_eq!((ours.html, ours.subject.as_str()), (letter.html, "Confirm"));
    }

    #[test]
    fn what_would_go_wrong_later_is_refused_now() {
        assert!(refusal("verify_email.txt", "{{link}}").contains("verify_email.txt"));
        assert!(refusal("verify-email.md", "{{link}}").contains("no template"));
        assert!(refusal("verify-email.txt", "{{lnik}}").contains("\"lnik\""));
        assert!(refusal("verify-email.html", "<p>Hello</p>").contains("{{link}}"));
        assert!(refusal("decision.txt", "{{#feedback}} so {{feedback}}").contains("closed"));
        assert!(refusal("decision.txt", "{{item").contains("closed"));
        assert!(refusal("decision.txt", &"x".repeat(300_000)).contains("longer"));
        assert!(Templates::read(Path::new("/no/such/directory")).is_err());
    }

    #[test]
    fn ours_ask_for_what_there_is() {
        for kind in Kind::ALL {
            for words in [kind.ours().0, kind.ours().1] {
                let used = names(words).expect("closed");
                assert!(
                    used.iter().all(|used| kind.values().contains(used)),
                    "{kind:?}"
                );
            }
        }
    }
}
