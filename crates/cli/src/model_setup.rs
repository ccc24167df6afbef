//! The models that the configuration names, made: with keys, prices, fallbacks and recordings.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ecs_agent_core::RunbookModel;
use ecs_agent_credentials::{LeakGuard, Sink};
use ecs_agent_models::{
    ApiKey, ApiKeyError, BaseUrl, BaseUrlError, Cassette, CassetteError, CassetteSink,
    FallbackModel, LanguageModel, LanguageModelError, Model, ModelError, ModelName, ModelRouter,
    ModelSettings, Player, PriceList, PriceListError, Provider, Recorder, Timeouts,
};

use crate::args::OutputFlags;
use crate::config::{Configuration, KeyPlace, ModelChoice, ProviderEntry};
use crate::environment;
use crate::span::Span;

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelSetupError {
    /// The model cannot be made; a missing key among other things.
    #[error(transparent)]
    Model(#[from] LanguageModelError),
    /// Bedrock's own API.
    #[error(
        "`{0}`: Amazon Bedrock is not offered in this version; reach the model through a gateway with \
         `openai-compatible:`, or take another provider"
    )]
    Bedrock(ModelName),
    /// Nobody says where the provider is.
    #[error(
        "`{name}` needs a base URL: pass `--model-base-url`, or write `base_url` into \
         `[models.providers.{provider}]`",
        name = .0,
        provider = .0.provider()
    )]
    NoBaseUrl(ModelName),
    /// The usual base URL of a provider; a defect.
    #[error(transparent)]
    BaseUrl(#[from] BaseUrlError),
    /// The variable that was named is not set.
    #[error("`{variable}` is not set, and `[models.providers.{provider}]` names it for the key")]
    NoVariable {
        /// The variable.
        variable: String,
        /// Whose key.
        provider: Provider,
    },
    /// The file of a key, of prices or of a recording.
    #[error("failed to read `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What was found is no key.
    #[error("the key of model provider `{provider}` in {place} cannot be used")]
    Key {
        /// Whose key.
        provider: Provider,
        /// Where it is.
        place: String,
        /// What is wrong.
        #[source]
        source: ApiKeyError,
    },
    /// A list of prices.
    #[error(transparent)]
    Prices(#[from] PriceListError),
    /// A recording that cannot be played.
    #[error("`{}` cannot be played", .path.display())]
    Cassette {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: CassetteError,
    },
    /// A recording that cannot be made.
    #[error("failed to make the recording `{}`; it has to be a new file", .path.display())]
    NewCassette {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A recording that cannot be begun.
    #[error(transparent)]
    Recording(#[from] ModelError),
}

impl ModelSetupError {
    /// Whether a key is what is missing.
    pub(crate) const fn is_about_a_key(&self) -> bool {
        matches!(
            self,
            Self::Model(LanguageModelError::NoKey { .. })
                | Self::NoVariable { .. }
                | Self::Key { .. }
        )
    }
}

/// The models of the configuration as one.
///
/// # Errors
/// [`ModelSetupError`]. Nothing is sent to anyone.
pub(crate) fn model(
    configuration: &Configuration,
    flags: &OutputFlags,
    guard: &Arc<LeakGuard>,
) -> Result<Arc<dyn Model>, ModelSetupError> {
    if let Some(path) = &flags.replay {
        let cassette: Cassette =
            read(path)?
                .parse()
                .map_err(|source| ModelSetupError::Cassette {
                    path: path.clone(),
                    source,
                })?;
        return Ok(Arc::new(Player::new(cassette)));
    }
    let maker = Maker {
        configuration,
        guard,
        prices: prices(configuration)?,
    };
    let usual = maker.with_fallbacks(&configuration.model.value)?;
    let own = configuration.models.agents.iter();
    let own: BTreeMap<String, Arc<dyn Model>> = own
        .map(|(agent, choice)| Ok((agent.clone(), maker.with_fallbacks(choice)?)))
        .collect::<Result<_, ModelSetupError>>()?;
    let model: Arc<dyn Model> = match own.is_empty() {
        true => usual,
        false => Arc::new(ModelRouter::new(usual, own)),
    };
    let Some(path) = &flags.record else {
        return Ok(model);
    };
    let file = File::create_new(path).map_err(|source| ModelSetupError::NewCassette {
        path: path.clone(),
        source,
    })?;
    let sink = GuardedFile {
        file,
        guard: Arc::clone(guard),
    };
    Ok(Arc::new(Recorder::new(model, Box::new(sink))?))
}

/// Every model that a run may ask, each once.
pub(crate) fn in_use(configuration: &Configuration) -> Vec<ModelChoice> {
    let models = &configuration.models;
    let fallbacks = models.fallbacks.iter().cloned().map(ModelChoice::Language);
    let all = std::iter::once(configuration.model.value.clone())
        .chain(models.agents.values().cloned())
        .chain(fallbacks);
    let mut known = Vec::new();
    for choice in all {
        if !known.contains(&choice) {
            known.push(choice);
        }
    }
    known
}

/// One of the configuration's models, alone.
///
/// # Errors
/// [`ModelSetupError`]. Nothing is sent to anyone.
pub(crate) fn one(
    configuration: &Configuration,
    name: &ModelName,
    guard: &LeakGuard,
) -> Result<Arc<dyn Model>, ModelSetupError> {
    let maker = Maker {
        configuration,
        guard,
        prices: prices(configuration)?,
    };
    maker.language_model(name)
}

fn prices(configuration: &Configuration) -> Result<PriceList, ModelSetupError> {
    let built_in = PriceList::built_in()?;
    Ok(match &configuration.models.prices {
        None => built_in,
        Some(path) => built_in.with(&read(path)?)?,
    })
}

/// What models are made with.
struct Maker<'a> {
    configuration: &'a Configuration,
    guard: &'a LeakGuard,
    prices: PriceList,
}

impl Maker<'_> {
    fn with_fallbacks(&self, choice: &ModelChoice) -> Result<Arc<dyn Model>, ModelSetupError> {
        let name = match choice {
            ModelChoice::Runbook => return Ok(Arc::new(RunbookModel)),
            ModelChoice::Language(name) => name,
        };
        let first = self.language_model(name)?;
        let others = self.configuration.models.fallbacks.iter();
        let others: Vec<Arc<dyn Model>> = others
            .filter(|other| *other != name)
            .map(|other| self.language_model(other))
            .collect::<Result<_, _>>()?;
        Ok(match others.is_empty() {
            true => first,
            false => Arc::new(FallbackModel::new(first, others)),
        })
    }

    fn language_model(&self, name: &ModelName) -> Result<Arc<dyn Model>, ModelSetupError> {
        if name.provider() == Provider::Bedrock {
            return Err(ModelSetupError::Bedrock(name.clone()));
        }
        let providers = &self.configuration.models.providers;
        let entry = providers.get(&name.provider()).cloned().unwrap_or_default();
        let settings = ModelSettings {
            name: name.clone(),
            base_url: self.base_url(name, &entry)?,
            key: self.key(name.provider(), &entry.key)?.map(Arc::new),
            profile: self.prices.profile(name),
            max_output_tokens: entry.max_output_tokens,
            effort: entry.effort,
            delivery: entry.delivery,
            timeouts: timeouts(&entry),
        };
        let model = LanguageModel::new(&settings, self.prices.price(name))?;
        Ok(Arc::new(model))
    }

    /// A flag or variable is about the one model that it stands beside.
    fn base_url(
        &self,
        name: &ModelName,
        entry: &ProviderEntry,
    ) -> Result<BaseUrl, ModelSetupError> {
        let usual = &self.configuration.model.value;
        let is_meant =
            matches!(usual, ModelChoice::Language(usual) if usual.provider() == name.provider());
        let said = self.configuration.model_base_url.as_ref();
        if let Some(url) = said.filter(|_| is_meant) {
            return Ok(url.value.clone());
        }
        if let Some(url) = &entry.base_url {
            return Ok(url.clone());
        }
        match name.provider().usual_base_url() {
            Some(url) => Ok(url.parse()?),
            None => Err(ModelSetupError::NoBaseUrl(name.clone())),
        }
    }

    /// The key, and the leak guard looks for it from here on.
    fn key(&self, provider: Provider, place: &KeyPlace) -> Result<Option<ApiKey>, ModelSetupError> {
        let (text, place) = match place {
            KeyPlace::File(path) => (read(path)?, format!("`{}`", path.display())),
            KeyPlace::Variable(variable) => match environment::model_key(variable) {
                Some(text) => (text, format!("`{variable}`")),
                None => {
                    return Err(ModelSetupError::NoVariable {
                        variable: variable.clone(),
                        provider,
                    });
                }
            },
            KeyPlace::Usual => {
                let variable = provider.key_variable();
                let found = variable.and_then(|name| Some((environment::model_key(name)?, name)));
                match found {
                    Some((text, name)) => (text, format!("`{name}`")),
                    None => return Ok(None),
                }
            }
        };
        let key = ApiKey::new(text).map_err(|source| ModelSetupError::Key {
            provider,
            place,
            source,
        })?;
        key.watch(|secret| self.guard.watch(secret));
        Ok(Some(key))
    }
}

fn timeouts(entry: &ProviderEntry) -> Timeouts {
    let usual = Timeouts::default();
    let or = |span: Option<Span>, usual| span.map_or(usual, Span::duration);
    Timeouts {
        connect: or(entry.connect_timeout, usual.connect),
        first_byte: or(entry.first_byte_timeout, usual.first_byte),
        between_chunks: or(entry.stall_timeout, usual.between_chunks),
    }
}

fn read(path: &Path) -> Result<String, ModelSetupError> {
    std::fs::read_to_string(path).map_err(|source| ModelSetupError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// The file of a recording, behind the leak guard.
struct GuardedFile {
    file: File,
    guard: Arc<LeakGuard>,
}

impl CassetteSink for GuardedFile {
    fn line(&mut self, line: &str) -> Result<(), String> {
        self.guard
            .inspect(Sink::Cassette, line.as_bytes())
            .map_err(|blocked| blocked.to_string())?;
        writeln!(self.file, "{line}").map_err(|error| error.to_string())
    }
}
