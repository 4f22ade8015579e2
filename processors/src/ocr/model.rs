//! Which of the engine's installed models reads a page: by the user's hint, else by the script
//! that the engine sees. One model at a time; reading Arabic with two doubles the errors.

use std::path::Path;

use media::bounded::{Bounds, Run};
use media::language::{self, Hint, Language, Script};
use media::{ErrorCode, Fault, Limits};
use tokio::sync::OnceCell;

use super::local::NAME;

const LATIN: &str = "eng";
const ARABIC: &str = "ara";

struct Installed {
    version: String,
    models: Vec<String>,
}

static INSTALLED: OnceCell<Installed> = OnceCell::const_new();

/// The models for one document.
pub struct Models {
    /// The engine's version.
    pub engine_version: String,
    hint: Option<Language>,
    /// The model that the hint calls for.
    hinted: Option<String>,
    /// The hint names a language that no installed model can read.
    unreadable: bool,
    arabic_installed: bool,
}

impl Models {
    /// Looks at the hint and at what is installed.
    pub async fn choose(hint: Option<&str>, limits: &Limits) -> Result<Self, Fault> {
        let installed = INSTALLED.get_or_try_init(|| installed(limits)).await?;
        let has = |model: &str| installed.models.iter().any(|name| name == model);
        if !has(LATIN) {
            return Err(ErrorCode::EngineUnavailable.because("tesseract has no model `eng`"));
        }
        let hint = match language::read(hint) {
            Hint::Known(language) => Some(language),
            Hint::None | Hint::Unknown(_) => None,
        };
        let hinted = hint.and_then(|language| match language.script {
            _ if has(language.model) => Some(language.model),
            Script::Latin => Some(LATIN),
            Script::Arabic => has(ARABIC).then_some(ARABIC),
            Script::Other => None,
        });
        Ok(Self {
            engine_version: installed.version.clone(),
            unreadable: hint.is_some() && hinted.is_none(),
            hinted: hinted.map(str::to_owned),
            hint,
            arabic_installed: has(ARABIC),
        })
    }

    /// The hint's language (BCP 47).
    pub fn hinted(&self) -> Option<String> {
        self.hint.map(|language| language.code.to_owned())
    }

    /// The model for a page on which this script was seen (`None`: too little to tell).
    ///
    /// # Errors
    /// `UNSUPPORTED_LANGUAGE` when the hint names a language without a model.
    pub fn for_script(&self, script: Option<&str>) -> Result<String, Fault> {
        if self.unreadable {
            let name = self.hint.map_or("this language", |language| language.name);
            let detail = format!("{NAME} has no model for {name} here");
            return Err(ErrorCode::UnsupportedLanguage.because(detail));
        }
        if let Some(model) = &self.hinted {
            return Ok(model.clone());
        }
        let arabic = script == Some("Arabic") && self.arabic_installed;
        Ok(if arabic { ARABIC } else { LATIN }.to_owned())
    }

    /// The other model to try when this one hardly reads anything.
    pub fn other(&self, model: &str) -> Option<&'static str> {
        match model {
            ARABIC => Some(LATIN),
            _ => self.arabic_installed.then_some(ARABIC),
        }
    }

    /// The language to report for a page that was read with this model.
    pub fn language(&self, model: &str) -> Option<String> {
        let hinted = self.hinted.as_deref() == Some(model);
        hinted
            .then(|| self.hinted())
            .flatten()
            .or_else(|| match model {
                ARABIC => Some("ar".to_owned()),
                LATIN => Some("en".to_owned()),
                _ => None,
            })
    }
}

/// True for models of Arabic writing, which want other settings.
pub fn is_arabic(model: &str) -> bool {
    matches!(model, ARABIC | "fas" | "urd" | "pus" | "uig" | "snd")
}

async fn installed(limits: &Limits) -> Result<Installed, Fault> {
    let work = std::env::temp_dir();
    let bounds = Bounds::from(limits);
    let version = ask("--version", &work, &bounds).await?;
    let listing = ask("--list-langs", &work, &bounds).await?;
    let version = version.lines().next().unwrap_or_default();
    Ok(Installed {
        version: version
            .strip_prefix("tesseract ")
            .unwrap_or(version)
            .trim()
            .to_owned(),
        models: listing
            .lines()
            .skip(1)
            .map(|line| line.trim().to_owned())
            .collect(),
    })
}

async fn ask(word: &str, work: &Path, bounds: &Bounds) -> Result<String, Fault> {
    let output = Run::new(NAME).arg(word).run(work, bounds).await;
    output
        .map(|output| output.text())
        .map_err(|error| error.into_fault(ErrorCode::EngineUnavailable))
}
