//! A lab, and models that are pointed at it in each form and delivery.

use std::sync::Arc;
use std::time::Duration;

use ecs_agent_model_lab::{Answer, Figures, Form, LabSettings, ModelLab, Script, Turn};
use ecs_agent_models::{
    ApiKey, Cost, Delivery, LanguageModel, Model, ModelName, ModelSettings, PriceList, Timeouts,
    Usage,
};

/// Picodollars a token: input, output, read from the cache, written into it.
pub(crate) const PRICES: [u64; 4] = [3_000_000, 15_000_000, 300_000, 3_750_000];
/// Tokens that the lab's models read, where nothing else is said.
pub(crate) const WINDOW: u64 = 200_000;

/// The same prices, as a list has them.
fn prices(provider: &str) -> PriceList {
    let text = format!(
        "provider = \"{provider}\"\nsource = \"a test\"\nas_of = 2026-01-01\n\
         [model.\"played\"]\ninput = 3.0\noutput = 15.0\ncache_read = 0.3\ncache_write = 3.75\n\
         context = {WINDOW}\nmax_output = 8000\n"
    );
    PriceList::built_in().unwrap().with(&text).unwrap()
}

/// A form, and how its answers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) form: Form,
    pub(crate) delivery: Delivery,
}

impl Way {
    /// Every form, streamed and whole.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let deliveries = [Delivery::Streamed, Delivery::Whole];
        Form::ALL.into_iter().flat_map(move |form| {
            deliveries
                .into_iter()
                .map(move |delivery| Self { form, delivery })
        })
    }

    /// Every form, streamed.
    pub(crate) fn streamed() -> impl Iterator<Item = Self> {
        Self::all().filter(|way| way.delivery == Delivery::Streamed)
    }

    const fn provider(self) -> &'static str {
        match self.form {
            Form::Anthropic => "anthropic",
            Form::Chat => "openai-compatible",
            Form::Responses => "openai",
        }
    }
}

/// A lab with a key that nobody else has.
pub(crate) struct World {
    pub(crate) lab: ModelLab,
    key: String,
}

impl World {
    pub(crate) async fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::with(WINDOW, Script::in_order(answers)).await
    }

    pub(crate) async fn by(answer: impl Fn(&Turn) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(WINDOW, Script::from_fn(answer)).await
    }

    pub(crate) async fn with(window: u64, script: Script) -> Self {
        let key = format!("lab-{}", uuid::Uuid::now_v7().simple());
        let settings = LabSettings {
            key: key.clone(),
            window,
        };
        let lab = ModelLab::start(settings, script).await.unwrap();
        Self { lab, key }
    }

    /// A model that asks the lab so.
    pub(crate) fn model(&self, way: Way) -> Arc<dyn Model> {
        self.model_with(way, |settings| settings)
    }

    /// The same with other settings.
    pub(crate) fn model_with(
        &self,
        way: Way,
        change: impl FnOnce(ModelSettings) -> ModelSettings,
    ) -> Arc<dyn Model> {
        let settings = change(self.settings(way));
        let price = prices(way.provider()).price(&settings.name);
        Arc::new(LanguageModel::new(&settings, price).unwrap())
    }

    fn settings(&self, way: Way) -> ModelSettings {
        let name: ModelName = format!("{}:played", way.provider()).parse().unwrap();
        ModelSettings {
            base_url: self.lab.base_url(way.form).parse().unwrap(),
            key: Some(Arc::new(ApiKey::new(self.key.clone()).unwrap())),
            profile: prices(way.provider()).profile(&name),
            max_output_tokens: None,
            effort: None,
            delivery: way.delivery,
            timeouts: Timeouts::default(),
            name,
        }
    }

    /// The same, which waits for no piece longer than that.
    pub(crate) fn impatient(&self, way: Way) -> Arc<dyn Model> {
        self.model_with(way, |settings| ModelSettings {
            timeouts: Timeouts {
                first_byte: Duration::from_millis(300),
                between_chunks: Duration::from_millis(300),
                ..settings.timeouts
            },
            ..settings
        })
    }

    /// The same, of which nobody knows the price.
    pub(crate) fn unpriced(&self, way: Way) -> Arc<dyn Model> {
        let settings = self.settings(way);
        Arc::new(LanguageModel::new(&settings, None).unwrap())
    }

    /// What the lab says that everything took, at the test's own prices.
    pub(crate) fn bill(&self) -> Usage {
        bill(self.lab.told())
    }

    /// What the lab refused, in its words.
    pub(crate) fn refused(&self) -> Vec<(u16, String)> {
        let exchanges = self.lab.exchanges().into_iter();
        exchanges
            .filter_map(|exchange| Some((exchange.status, exchange.refused?)))
            .collect()
    }
}

/// Usage figures, and their cost by [`PRICES`].
pub(crate) fn bill(told: Figures) -> Usage {
    let [input, output, cache_read, cache_write] = PRICES;
    Usage {
        input_tokens: told.input,
        output_tokens: told.output,
        cache_read_tokens: told.cache_read,
        cache_write_tokens: told.cache_write,
        cost: Cost::of_picodollars(
            told.input * input
                + told.output * output
                + told.cache_read * cache_read
                + told.cache_write * cache_write,
        ),
    }
}
