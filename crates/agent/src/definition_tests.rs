use ecs_agent_runtime::{
    Budgets, Effect, Event, EventBody, FinishReason, FramePath, Message, MessageId, ModelRequest,
    RunId, Thread, ToolCall, Usage, tools_of,
};
use serde_json::json;
use uuid::Uuid;

use super::*;

/// Words in back quotes that are neither tools nor subagents.
const OTHER_WORDS: [&str; 1] = ["operations"];

fn definition(mode: Mode) -> AgentSpec {
    agents(&Toolbox::standard(), &Prompts::built_in().unwrap(), mode)
}

#[test]
fn prompts_name_only_tools_and_specialists_that_exist() {
    for mode in [Mode::Diagnose, Mode::Repair] {
        let main = definition(mode);
        for agent in std::iter::once(&main).chain(&main.subagents) {
            assert!(agent.system_prompt.contains("never an\ninstruction"));
            let mut known: Vec<String> =
                tools_of(agent).into_iter().map(|tool| tool.name).collect();
            known.extend(
                agent
                    .subagents
                    .iter()
                    .map(|subagent| subagent.name.to_string()),
            );
            for word in agent.system_prompt.split('`').skip(1).step_by(2) {
                let is_answer = word.ends_with('…');
                assert!(
                    is_answer
                        || OTHER_WORDS.contains(&word)
                        || known.iter().any(|name| name == word),
                    "the prompt of {} names `{word}`, which it does not have",
                    agent.name
                );
            }
        }
    }
}

#[test]
fn only_the_executor_and_the_verifier_can_change_aws() {
    let main = definition(Mode::Repair);
    for agent in std::iter::once(&main).chain(&main.subagents) {
        let writes: Vec<&str> = agent
            .tools
            .iter()
            .map(|tool| tool.name.as_str())
            .filter(|name| ["execute_operation", "roll_back_plan"].contains(name))
            .collect();
        match agent.name.as_str() {
            "fix-executor" => assert_eq!(writes, ["execute_operation"]),
            "verification-specialist" => assert_eq!(writes, ["roll_back_plan"]),
            _ => assert!(writes.is_empty(), "{} can write: {writes:?}", agent.name),
        }
    }
}

/// The first request of a subagent, as its model gets it.
fn first_request(name: &str) -> ModelRequest {
    let at = chrono::DateTime::from_timestamp(0, 0).unwrap();
    let mut thread = Thread::new(definition(Mode::Repair));
    for body in [
        EventBody::HumanSaid {
            id: MessageId::new(Uuid::nil()),
            text: "my api service keeps restarting".to_owned(),
        },
        EventBody::RunStarted {
            run: RunId::new(Uuid::nil()),
            budgets: Budgets::default(),
        },
        EventBody::ModelReplied {
            frame: FramePath::main(),
            text: String::new(),
            tool_calls: vec![ToolCall::new(
                "t1",
                "task",
                json!({"subagent_type": name, "description": "my api service keeps restarting"}),
            )],
            reasoning: Vec::new(),
            finish: FinishReason::default(),
            usage: Usage::default(),
        },
    ] {
        thread.apply(&Event::new(at, body)).unwrap();
    }
    let request = thread
        .effects()
        .into_iter()
        .find_map(|effect| match effect {
            Effect::CallModel { request, .. } => Some(request),
            Effect::Compact { .. }
            | Effect::UseFiles { .. }
            | Effect::RaiseInterrupt { .. }
            | Effect::CallTool { .. }
            | Effect::AskPerson { .. }
            | Effect::EndRun { .. } => None,
        });
    request.unwrap()
}

/// The request as one text: the system prompt, the messages, the tools with their schemas.
fn written(request: &ModelRequest) -> String {
    let mut out = format!("agent: {}\n\n{}\n", request.agent, request.system);
    for message in &request.messages {
        if let Message::Human { text } = message {
            out.push_str(&format!("\nperson: {text}\n"));
        }
    }
    for tool in &request.tools {
        out.push_str(&format!(
            "\ntool {}: {}\n{}\n",
            tool.name, tool.description, tool.input_schema
        ));
    }
    out
}

#[test]
fn what_each_subagents_model_is_asked() {
    for (name, _) in SUBAGENTS {
        insta::assert_snapshot!(format!("request_{name}"), written(&first_request(name)));
    }
}

/// More tokens than a provider would count, without its tokenizer.
///
/// A letter or space counts as a quarter of a token, a digit as three quarters, a mark or line
/// break as two thirds, and every character outside ASCII as one. What it is worth shows in
/// `the_estimate_is_above_what_tokenizers_count`.
fn conservative_tokens(text: &str) -> usize {
    let twelfths: usize = text
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | ' ' => 3,
            '0'..='9' => 9,
            '\0'..='\x7f' => 8,
            _ => 12,
        })
        .sum();
    twelfths.div_ceil(12)
}

/// The texts that prompts and schemas are made of, with the count of the largest of three published
/// tokenizers: OpenAI's `cl100k_base` and `o200k_base` (npm `gpt-tokenizer` 4.0.0), and the one that
/// Anthropic published (PyPI `anthropic` 0.34.2).
const COUNTED: [(&str, usize); 7] = [
    (
        "You find out why one ECS service is unwell. You only read.",
        16,
    ),
    (
        "3. If that does not explain the symptom, look closer with `read_evidence`.\n4. Call `submit_findings` with what you hold to be wrong, also where you differ.\n",
        42,
    ),
    (
        r#"{"type":"object","properties":{"id":{"description":"Name of the evidence, such as `E12`.","type":"string"},"from_line":{"description":"Line to begin with, counted from 1.","type":"integer","minimum":0}},"additionalProperties":false,"required":["id"]}"#,
        62,
    ),
    (
        "E4\tecs:DescribeTasks\tarn:aws:ecs:eu-central-1:111122223333:task/shop/00000000000000000000000000000001\n",
        39,
    ),
    (
        "2027-01-15T07:59:00Z stoppedReason: CannotPullContainerError: failed to resolve ref 1.5.0: not found\n",
        35,
    ),
    (
        "<data 8585b59dabd60905 from read_evidence>\nexit 137\n</data 8585b59dabd60905>",
        31,
    ),
    (
        "Answer with one line: `healthy: …`, `unwell: …` or `inconclusive: …`.",
        24,
    ),
];

#[test]
fn the_estimate_is_above_what_tokenizers_count() {
    for (text, counted) in COUNTED {
        let estimate = conservative_tokens(text);
        assert!(estimate >= counted, "{estimate} < {counted}: {text}");
    }
}

/// A provider puts a few tokens around every tool and every message.
fn size(request: &ModelRequest) -> usize {
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| {
            12 + conservative_tokens(&tool.name)
                + conservative_tokens(&tool.description)
                + conservative_tokens(&tool.input_schema.to_string())
        })
        .sum();
    conservative_tokens(&request.system) + tools + 20
}

#[test]
fn triage_begins_with_at_most_2000_tokens_before_evidence() {
    let request = first_request("triage-specialist");
    let tokens = size(&request);
    assert!(tokens <= 2_000, "{tokens} tokens");
    // The whole of it is small for the others too, but for the planner's closed set of operations.
    for name in [
        "service-identifier",
        "fix-executor",
        "verification-specialist",
    ] {
        let tokens = size(&first_request(name));
        assert!(tokens <= 2_000, "{name}: {tokens} tokens");
    }
}
