//! Deliberate leaks: a secret put on its way to each exit is withheld, and ends the run.

use std::sync::{Arc, Mutex};

use ecs_agent_core::{
    AgentError, Input, InvocationError, InvocationResult, InvocationSettings, InvocationStatus,
    Progress, ProgressSink, RegisteredService, invoke,
};
use ecs_agent_credentials::{CredentialReference, LeakBlocked, LeakGuard, Sink, Sources};
use ecs_agent_models::{Message, ModelReply, ModelRequest, ScriptedModel, ToolCall};
use ecs_agent_store::{Seq, TenantScope};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::support::Bench;

fn says(text: &str) -> ModelReply {
    ModelReply::text(text)
}

fn calls(name: &str, arguments: serde_json::Value) -> ModelReply {
    ModelReply::calls(vec![ToolCall::new("call", name, arguments)])
}

fn delegates() -> ModelReply {
    calls(
        "task",
        json!({"subagent_type": "service-identifier", "description": "find it"}),
    )
}

/// One invocation with a scripted model, with or without the keys that the guard then knows.
async fn run(
    bench: &Bench,
    settings: InvocationSettings,
    sources: Sources,
    words: &str,
) -> Result<InvocationResult, InvocationError> {
    let input = Input::Say(words.to_owned());
    invoke(
        settings,
        sources,
        bench.thread,
        input,
        CancellationToken::new(),
    )
    .await
}

fn with_model(
    bench: &Bench,
    model: impl Fn(&ModelRequest) -> ModelReply + Send + Sync + 'static,
) -> InvocationSettings {
    InvocationSettings {
        model: Arc::new(ScriptedModel::from_fn(move |request| Ok(model(request)))),
        fallbacks: Vec::new(),
        approvals: std::collections::BTreeMap::new(),
        guidance: ecs_agent_core::TeamGuidance::default(),
        leak_guard: LeakGuard::new(),
        ..bench.settings.clone()
    }
}

/// The same, with a guard that knows no secret: the positive control.
fn unguarded(settings: &InvocationSettings) -> InvocationSettings {
    InvocationSettings {
        leak_guard: LeakGuard::new(),
        ..settings.clone()
    }
}

/// Everything that the store has of the thread.
async fn stored(bench: &Bench) -> String {
    let (local, store) = (TenantScope::local(), &bench.settings.store);
    let events = store
        .events(&local, bench.thread, Seq::START)
        .await
        .unwrap();
    let audit = store.audit(&local, bench.thread).await.unwrap();
    let mut reports = String::new();
    for kind in ["notes.md", "service_context.md"] {
        if let Some(report) = store.report(&local, bench.thread, kind).await.unwrap() {
            reports.push_str(&report.text);
        }
    }
    format!(
        "{}{audit:?}{reports}",
        json!(
            events
                .iter()
                .map(|stored| &stored.event)
                .collect::<Vec<_>>()
        )
    )
}

fn blocked(ended: Result<InvocationResult, InvocationError>) -> LeakBlocked {
    match ended {
        Err(InvocationError::Agent(AgentError::Leak(blocked))) => blocked,
        Err(other) => panic!("{other:?}"),
        Ok(result) => panic!("nothing was withheld: {:?}", result.status),
    }
}

#[tokio::test]
async fn what_a_model_says_is_withheld_from_the_log() {
    let bench = Bench::of("healthy-steady").await;
    let secret = bench.account.secret_access_key.clone();
    let said = secret.clone();
    let settings = with_model(&bench, move |_| says(&format!("the key is {said}")));

    let ended = run(&bench, settings.clone(), bench.sources(), "api").await;
    assert_eq!(blocked(ended).sink, Sink::ThreadEvent);
    let kept = stored(&bench).await;
    assert!(
        !kept.contains(&secret) && kept.contains(LeakBlocked::NOTICE),
        "{kept}"
    );
    assert_eq!(settings.leak_guard.hits_at(Sink::ThreadEvent), 1);

    // The positive control: a guard that does not know the secret lets it through.
    let nothing = Sources::builder().build();
    let result = run(&bench, unguarded(&settings), nothing, "api")
        .await
        .unwrap();
    assert!(matches!(result.status, InvocationStatus::Done { text } if text.contains(&secret)));
    assert!(stored(&bench).await.contains(&secret));
}

#[tokio::test]
async fn what_a_tool_returns_is_withheld_from_log_and_model() {
    let mut bench = Bench::of("healthy-steady").await;
    let secret = bench.account.secret_access_key.clone();
    let entry = |organization: &str| RegisteredService {
        name: "api".to_owned(),
        organization: Some(organization.to_owned()),
        environment: None,
        cluster: "shop".to_owned(),
        service: "api".to_owned(),
        credentials: bench.settings.reference.clone(),
    };
    bench.settings.registry = vec![entry(&secret), entry("other")];
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let settings = with_model(&bench, move |request| {
        seen.lock().unwrap().push(json!(request).to_string());
        match (request.agent.as_str(), request.messages.last()) {
            ("main", Some(Message::Human { .. })) => delegates(),
            (_, Some(Message::Human { .. })) => calls(
                "extract_and_set_credentials_from_stack_job",
                json!({"service": "api"}),
            ),
            _ => says("done"),
        }
    });
    let ended = run(&bench, settings.clone(), bench.sources(), "api").await;
    assert_eq!(blocked(ended).sink, Sink::ToolResult);
    assert!(!stored(&bench).await.contains(&secret));
    assert!(
        asked
            .lock()
            .unwrap()
            .iter()
            .all(|request| !request.contains(&secret))
    );

    let nothing = Sources::builder().build();
    run(&bench, unguarded(&settings), nothing, "api")
        .await
        .unwrap();
    assert!(
        asked
            .lock()
            .unwrap()
            .iter()
            .any(|request| request.contains(&secret))
    );
}

#[tokio::test]
async fn a_thread_that_holds_a_secret_reaches_no_model_and_no_report() {
    let bench = Bench::of("healthy-steady").await;
    let secret = bench.account.secret_access_key.clone();
    let asked = Arc::new(Mutex::new(0));
    let (count, said) = (Arc::clone(&asked), secret.clone());
    let settings = with_model(&bench, move |request| {
        *count.lock().unwrap() += 1;
        match request.messages.last() {
            Some(Message::Human { .. }) => calls(
                "write_file",
                json!({"file_path": "/notes.md", "content": said}),
            ),
            _ => says("kept"),
        }
    });
    // Written when nobody knew that it was a secret.
    let nothing = Sources::builder().build();
    run(&bench, settings.clone(), nothing, "api").await.unwrap();
    assert!(stored(&bench).await.contains(&secret));
    assert_eq!(*asked.lock().unwrap(), 2);

    let ended = run(&bench, settings.clone(), bench.sources(), "again").await;
    assert_eq!(blocked(ended).sink, Sink::ModelRequest);
    assert_eq!(*asked.lock().unwrap(), 2, "the model was not asked again");
    let local = TenantScope::local();
    let report = bench
        .settings
        .store
        .report(&local, bench.thread, "notes.md")
        .await
        .unwrap();
    assert_eq!(report.unwrap().text, LeakBlocked::NOTICE);
    for sink in [Sink::ModelRequest, Sink::ThreadState, Sink::Report] {
        assert_eq!(settings.leak_guard.hits_at(sink), 1, "{sink}");
    }
}

#[tokio::test]
async fn an_audit_record_with_a_secret_is_withheld() {
    let mut bench = Bench::of("healthy-steady").await;
    let secret = bench.account.secret_access_key.clone();
    bench.settings.reference = CredentialReference::Static {
        label: secret.clone(),
    };
    let settings = with_model(&bench, |_| says("done"));
    let ended = run(&bench, settings.clone(), bench.sources(), "api").await;
    assert_eq!(blocked(ended).sink, Sink::Audit);
    let local = TenantScope::local();
    bench.settings.store.audit_verify(&local).await.unwrap();
    assert!(!stored(&bench).await.contains(&secret));

    run(
        &bench,
        unguarded(&settings),
        Sources::builder().build(),
        "api",
    )
    .await
    .unwrap();
    assert!(stored(&bench).await.contains(&secret));
}

#[tokio::test]
async fn a_person_s_own_words_are_withheld_when_they_hold_the_key() {
    let bench = Bench::of("healthy-steady").await;
    let secret = bench.account.secret_access_key.clone();
    let settings = with_model(&bench, |_| says("done"));
    let ended = run(&bench, settings, bench.sources(), &format!("use {secret}")).await;
    assert_eq!(blocked(ended).sink, Sink::ThreadEvent);
    assert!(!stored(&bench).await.contains(&secret));
}

/// Takes down what it is told.
#[derive(Default)]
struct Notes(Mutex<String>);

impl ProgressSink for Notes {
    fn progress(&self, progress: &Progress<'_>) {
        self.0.lock().unwrap().push_str(&format!("{progress:?}\n"));
    }
}

#[tokio::test]
async fn progress_tells_what_was_logged_and_no_secret() {
    let bench = Bench::of("healthy-steady").await;
    let secret = bench.account.secret_access_key.clone();
    let (said, notes) = (secret.clone(), Arc::new(Notes::default()));
    let settings = InvocationSettings {
        progress: Arc::clone(&notes) as Arc<dyn ProgressSink>,
        ..with_model(&bench, move |_| says(&said))
    };
    run(&bench, settings.clone(), bench.sources(), "api")
        .await
        .unwrap_err();
    let told = notes.0.lock().unwrap().clone();
    assert!(
        told.contains(LeakBlocked::NOTICE) && !told.contains(&secret),
        "{told}"
    );
    run(
        &bench,
        unguarded(&settings),
        Sources::builder().build(),
        "api",
    )
    .await
    .unwrap();
    assert!(notes.0.lock().unwrap().contains(&secret));
}

/// The repair registers a definition with a value of an earlier revision: it goes from AWS to AWS.
#[tokio::test]
async fn a_value_that_a_repair_copies_is_stored_nowhere() {
    let mut bench = Bench::of("required-env-var-missing").await;
    let result = bench.say().await;
    let result = bench.finish(result).await;
    // The program of the scenario does not start without the value.
    assert!(bench.lab.health().healthy, "{:?}", result.status);
    let kept = format!("{}{result:?}", stored(&bench).await);
    assert!(kept.contains("PAYMENT_URL"));
    assert!(!kept.contains("payments.example.com"));
}
