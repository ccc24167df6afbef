//! `doctor`: whether a run would find what it needs, each part tried once.

use std::error::Error;

use ecs_agent_credentials::{
    ClearGuard, ContextDescription, CredentialContext, InvocationId, ScopeRequest, SourceError,
};
use ecs_agent_ecs::observe_policy;
use ecs_agent_models::{ErrorClass, Model, NoDeltas};
use ecs_agent_runtime::{AgentName, Message, ModelRequest};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::Workbench;
use crate::args::Format;
use crate::config::ModelChoice;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::chain;
use crate::render::{Meaning, Palette, escape_line};
use crate::workplace::{self, Place};
use crate::{database, model_setup};

/// What was found out about one part.
#[derive(Debug, Serialize)]
struct Check {
    part: String,
    is_well: bool,
    says: String,
    #[serde(skip)]
    exit: Exit,
}

impl Check {
    fn well(part: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            part: part.into(),
            is_well: true,
            says: says.into(),
            exit: Exit::Success,
        }
    }

    fn unwell(part: impl Into<String>, error: &dyn Error, exit: Exit) -> Self {
        Self {
            part: part.into(),
            is_well: false,
            says: chain(error),
            exit,
        }
    }
}

/// Looks at everything, also after something was found wrong; ends as the first wrong thing does.
pub(super) async fn run(bench: &Workbench<'_>) -> Result<Exit, CliError> {
    let mut checks = vec![configuration(bench), threads(bench).await];
    checks.extend(models(bench).await);
    checks.push(credentials(bench).await);
    match bench.output.format() {
        Format::Json => bench.output.json(&json!({ "checks": checks })),
        Format::Markdown => {
            let mut text = String::from("| part | well | says |\n|---|---|---|\n");
            for check in &checks {
                let says = escape_line(&check.says).replace('|', "\\|");
                let well = if check.is_well { "yes" } else { "no" };
                text.push_str(&format!("| {} | {well} | {says} |\n", check.part));
            }
            bench.output.text(&text);
        }
        Format::Terminal => {
            let palette = Palette::of_stdout();
            for check in &checks {
                let (meaning, mark) = match check.is_well {
                    true => (Meaning::Good, "ok "),
                    false => (Meaning::Bad, "no "),
                };
                bench.output.text(&format!(
                    "{} {}  {}\n",
                    palette.paint(meaning, mark),
                    palette.paint(Meaning::Name, &check.part),
                    escape_line(&check.says),
                ));
            }
        }
    }
    let wrong = checks.iter().find(|check| !check.is_well);
    Ok(wrong.map_or(Exit::Success, |check| check.exit))
}

fn configuration(bench: &Workbench<'_>) -> Check {
    // Mistakes in it end the program before it comes here.
    let says = bench.configuration.file.as_ref().map_or_else(
        || "no file; environment and flags are in order".to_owned(),
        |file| format!("`{}`", file.display()),
    );
    Check::well("configuration", says)
}

async fn threads(bench: &Workbench<'_>) -> Check {
    match database::open(bench.configuration, bench.output.leak_guard()).await {
        Ok(_) => Check::well("threads", bench.configuration.database.to_string()),
        Err(error) => Check::unwell("threads", &error, error.exit()),
    }
}

/// Asks each configured language model one short question.
async fn models(bench: &Workbench<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for choice in model_setup::in_use(bench.configuration) {
        let part = format!("model {choice}");
        let ModelChoice::Language(name) = choice else {
            checks.push(Check::well(
                part,
                "built in; it needs no key and no network",
            ));
            continue;
        };
        let made = model_setup::one(bench.configuration, &name, bench.output.leak_guard());
        checks.push(match made {
            Err(error) => {
                let error = CliError::from(error);
                let exit = error.exit();
                Check::unwell(part, &error, exit)
            }
            Ok(model) => asked(part, &*model).await,
        });
    }
    checks
}

async fn asked(part: String, model: &dyn Model) -> Check {
    let request = ModelRequest {
        agent: AgentName::new("main"),
        system: String::new(),
        messages: vec![Message::Human {
            text: "Answer with the one word: ready".to_owned(),
        }],
        tools: Vec::new(),
    };
    match model.respond(request, &NoDeltas).await {
        Ok(reply) => {
            let said: String = reply.text.chars().take(60).collect();
            let cost = reply.usage.cost.dollars();
            let cost = cost.map_or("at a price that is not known".to_owned(), |dollars| {
                format!("for ${dollars:.6}")
            });
            Check::well(
                part,
                format!(
                    "answered `{said}` with {} tokens read and {} written, {cost}",
                    reply.usage.input_tokens, reply.usage.output_tokens
                ),
            )
        }
        Err(error) => {
            let exit = match error.class() {
                ErrorClass::Denied => Exit::Credentials,
                ErrorClass::Invalid => Exit::Usage,
                ErrorClass::Retry => Exit::Unreachable,
                ErrorClass::Internal => Exit::Internal,
            };
            Check::unwell(part, &error, exit)
        }
    }
}

/// Opens the credentials for reading and asks AWS whose they are.
async fn credentials(bench: &Workbench<'_>) -> Check {
    match identity(bench).await {
        Err(error) => Check::unwell("credentials", &error, error.exit()),
        Ok(Err(error)) => Check::unwell("credentials", &error, exit_of(&error)),
        Ok(Ok(found)) => {
            let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
            let narrowed = match found.narrowed {
                true => "narrowed by AWS to reading",
                false => "not narrowed by AWS: this program holds them to reading",
            };
            Check::well(
                "credentials",
                format!(
                    "{} in account {}, region {}; {narrowed}",
                    or_none(found.principal_arn.map(|arn| arn.to_string())),
                    or_none(found.account.map(|account| account.to_string())),
                    or_none(found.region.map(|region| region.to_string())),
                ),
            )
        }
    }
}

async fn identity(
    bench: &Workbench<'_>,
) -> Result<Result<ContextDescription, SourceError>, CliError> {
    let place = Place::configured(bench.configuration, bench.flags)?;
    let sources = workplace::sources(bench.configuration)?;
    let context = CredentialContext::guarded(
        InvocationId::new(Uuid::now_v7()),
        Some(place.region),
        place.endpoints,
        bench.output.leak_guard().clone(),
    );
    let _clear = ClearGuard::new(context.clone());
    let scope = ScopeRequest::observe(observe_policy()?);
    Ok(sources.fill(&context, &place.reference, scope).await)
}

fn exit_of(error: &SourceError) -> Exit {
    if error.class() == ecs_agent_credentials::ErrorClass::Retry {
        Exit::Unreachable
    } else {
        Exit::Credentials
    }
}
