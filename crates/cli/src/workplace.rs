//! Everything an invocation of the single-user program is made of, except the credentials.

use std::sync::Arc;
use std::time::Duration;

use ecs_agent_core::{
    InvocationSettings, LogHook, LogMoment, Mode, Oversight, Permissions, ProgressSink, REGISTRY,
    ServiceHints, Timer, TokioTimer, VerificationPace,
};
use ecs_agent_credentials::{CredentialReference, Endpoints, Region, Sources};
use ecs_agent_runtime::Budgets;
use ecs_agent_store::{Store, TenantScope};

use crate::args::OutputFlags;
use crate::config::{Configuration, CredentialChoice, ENVIRONMENT_LABEL, Setting, read_consent};
use crate::environment::{self, Environment};
use crate::error::CliError;
use crate::lab_clock::OtherLabTimer;
use crate::model_setup;
use crate::output::Output;
use crate::person::{Person, Prepared};
use crate::progress::{Detail, LiveProgress};

/// Where an invocation acts, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) endpoints: Endpoints,
    pub(crate) region: Region,
    pub(crate) reference: CredentialReference,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) pace: VerificationPace,
}

impl Place {
    /// The place that the configuration names.
    pub(crate) fn configured(
        configuration: &Configuration,
        flags: &OutputFlags,
    ) -> Result<Self, CliError> {
        let region = configuration.region.as_ref().ok_or(CliError::NoRegion)?;
        let endpoints = configuration.endpoints();
        let usual = VerificationPace::default();
        let (timer, pace): (Arc<dyn Timer>, _) = if flags.lab_clock {
            // Waiting costs nothing there, looking does.
            let interval = Duration::from_secs(60);
            let timer = Arc::new(OtherLabTimer::at(&endpoints)?);
            (timer, VerificationPace { interval, ..usual })
        } else {
            (Arc::new(TokioTimer::real()), usual)
        };
        Ok(Self {
            endpoints,
            region: region.value.clone(),
            reference: configuration.reference()?,
            timer,
            pace,
        })
    }
}

/// The settings of one thread's invocations.
///
/// # Errors
/// [`CliError::Model`] for a model that cannot be made.
pub(crate) fn settings(
    configuration: &Configuration,
    place: Place,
    store: Store,
    mode: Mode,
    flags: &OutputFlags,
    output: &Output,
) -> Result<InvocationSettings, CliError> {
    let registry = configuration
        .services
        .iter()
        .map(|entry| entry.registered(&place.reference))
        .collect();
    let accounts = configuration
        .accounts
        .iter()
        .map(|entry| entry.account(&place.reference))
        .collect();
    let servers = configuration.mcp.servers.iter();
    let mcp_servers = servers
        .map(|(name, entry)| {
            let data_dir = configuration.data_dir().ok();
            entry.declared(name, data_dir.and_then(|dir| read_consent(dir, name)))
        })
        .collect();
    Ok(InvocationSettings {
        model: model_setup::model(configuration, flags, output.leak_guard())?,
        fallbacks: Vec::new(),
        approvals: std::collections::BTreeMap::new(),
        guidance: ecs_agent_core::TeamGuidance::default(),
        store,
        tenant: TenantScope::local(),
        person: None,
        endpoints: place.endpoints,
        region: Some(place.region),
        reference: place.reference,
        hints: ServiceHints {
            cluster: value(&configuration.cluster),
            service: value(&configuration.service),
            organization: value(&configuration.organization),
            environment: value(&configuration.environment),
        },
        permissions: Permissions {
            allow_write: configuration.allow_write.value,
            person_may_execute: true,
            allow_sensitive_data: configuration.allow_sensitive_data.value,
        },
        budgets: Budgets {
            max_steps: configuration.max_steps.value,
            max_seconds: configuration.timeout.value.duration().as_secs(),
            ..Budgets::default()
        },
        pace: place.pace,
        timer: place.timer,
        progress: progress(flags, output),
        log_hook: crash_drill(flags),
        leak_guard: Arc::clone(output.leak_guard()),
        registry,
        accounts,
        mcp_servers,
        mode,
        prompts: Arc::clone(&configuration.prompts),
        oversight: Oversight::Runbook,
    })
}

/// Who answers this command's questions.
pub(crate) fn person(
    flags: &OutputFlags,
    prepared: Option<Prepared>,
    environment: &Environment,
    output: &Output,
) -> Person {
    Person {
        name: environment
            .user
            .clone()
            .unwrap_or_else(|| "local".to_owned()),
        approves: flags.yes,
        accepts_unproven: flags.accept_unproven,
        quiet: flags.quiet,
        prepared,
        output: output.clone(),
    }
}

/// The sources that the configuration allows, with the keys read anew.
pub(crate) fn sources(configuration: &Configuration) -> Result<Sources, CliError> {
    let mut builder = Sources::builder().retries(configuration.retries.value);
    if configuration.require_narrowed.value {
        builder = builder.require_narrowed();
    }
    if let Some(registry) = &configuration.registry {
        builder = builder.with_registry(REGISTRY, registry.registry());
    }
    Ok(match configuration
        .credentials
        .as_ref()
        .map(|chosen| &chosen.value)
    {
        Some(CredentialChoice::Environment) => {
            builder.with_static(ENVIRONMENT_LABEL, environment::static_credentials()?)
        }
        Some(CredentialChoice::Profile(_) | CredentialChoice::Chain) => {
            builder.with_profile_chain()
        }
        None => builder,
    }
    .build())
}

/// Progress as the flags want it.
pub(crate) fn progress(flags: &OutputFlags, output: &Output) -> Arc<dyn ProgressSink> {
    let detail = match (flags.quiet, flags.verbose) {
        (true, _) => Detail::Nothing,
        (false, 0) => Detail::Steps,
        (false, _) => Detail::Everything,
    };
    Arc::new(LiveProgress::new(detail, output))
}

fn value(setting: &Option<Setting<String>>) -> Option<String> {
    setting.as_ref().map(|setting| setting.value.clone())
}

/// Dies at once, as a machine that loses its power does, at the moment that the flags name.
fn crash_drill(flags: &OutputFlags) -> Option<LogHook> {
    let (before, after) = (flags.kill_before_event, flags.kill_after_event);
    if before.is_none() && after.is_none() {
        return None;
    }
    Some(Arc::new(move |moment| {
        let dies = match moment {
            LogMoment::AboutToAppend(seq) => before == Some(seq),
            LogMoment::Appended(seq) => after == Some(seq),
        };
        if dies {
            let _unreachable = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
        }
    }))
}
