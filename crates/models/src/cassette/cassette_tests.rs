use std::sync::{Arc, Mutex};
use std::time::Duration;

use ecs_agent_runtime::{AgentName, Message, ModelRequest, ToolCall, Usage};
use futures_util::FutureExt as _;
use serde_json::json;

use super::*;
use crate::model::{Model, ModelReply, NoDeltas};
use crate::scripted::ScriptedModel;

#[derive(Default, Clone)]
struct Lines(Arc<Mutex<String>>);

impl CassetteSink for Lines {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.contains("a-canary") {
            return Err("it holds a secret".to_owned());
        }
        let mut text = self.0.lock().unwrap();
        text.push_str(line);
        text.push('\n');
        Ok(())
    }
}

fn request(agent: &str, messages: usize) -> ModelRequest {
    let said = Message::Human {
        text: "go".to_owned(),
    };
    ModelRequest {
        agent: AgentName::new(agent),
        system: String::new(),
        messages: vec![said; messages],
        tools: vec![],
    }
}

fn ask(model: &dyn Model, request: ModelRequest) -> Result<ModelReply, ModelError> {
    let answer = model.respond(request, &NoDeltas);
    answer.now_or_never().expect("a script never waits")
}

#[test]
fn what_was_recorded_is_played_again_errors_included() {
    let used = Usage {
        input_tokens: 7,
        cache_read_tokens: 3,
        ..Usage::default()
    };
    let busy = ModelError::Unavailable {
        model: "scripted".to_owned(),
        reason: "busy".to_owned(),
        retry_after: Some(Duration::from_secs(2)),
    };
    let calls = ModelReply::calls(vec![ToolCall::new("c1", "ls", json!({"path": "/"}))]);
    let model = ScriptedModel::new()
        .fail("main", busy.clone())
        .reply("main", calls.clone().using(used))
        .reply("helper", ModelReply::text("done").truncated());
    let tape = Lines::default();
    let recorder = Recorder::new(Arc::new(model), Box::new(tape.clone())).unwrap();
    let asked = [("main", 1), ("helper", 1), ("main", 1)];
    let live: Vec<_> = asked
        .iter()
        .map(|(agent, n)| ask(&recorder, request(agent, *n)))
        .collect();
    let text = tape.0.lock().unwrap().clone();
    let player = Player::new(text.parse().unwrap());
    let played: Vec<_> = asked
        .iter()
        .map(|(agent, n)| ask(&player, request(agent, *n)))
        .collect();
    assert_eq!(player.remaining(), 0);
    assert_eq!(played[1..], live[1..]);
    let error = played[0].as_ref().unwrap_err();
    assert_eq!(error.retry_after(), busy.retry_after());
    assert!(error.is_retryable());
}

#[test]
fn a_run_that_goes_another_way_says_so() {
    let text = "// by hand\n{\"cassette\":1,\"model\":\"a\"}\n\n{\"agent\":\"main\",\"messages\":2,\
                \"reply\":{\"text\":\"hi\",\"tool_calls\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n";
    let player = Player::new(text.parse().unwrap());
    let said = ask(&player, request("main", 1)).unwrap_err().to_string();
    assert!(said.contains("1 messages where 2 were recorded"), "{said}");
    let said = ask(&player, request("main", 2)).unwrap_err().to_string();
    assert!(said.contains("no answer left for agent `main`"), "{said}");
}

#[test]
fn what_is_no_cassette_is_refused_with_its_line() {
    for (text, said) in [
        ("", "is empty"),
        ("{\"cassette\":2,\"model\":\"a\"}", "version 2"),
        (
            "{\"cassette\":1,\"model\":\"a\"}\n{\"agent\":\"main\"}",
            "line 2",
        ),
        ("{\"cassette\":1,\"model\":\"a\"}\nnonsense", "line 2"),
    ] {
        let refused = text.parse::<Cassette>().unwrap_err().to_string();
        assert!(refused.contains(said), "{text}: {refused}");
    }
}

#[test]
fn a_line_that_may_not_be_kept_fails_the_call() {
    let model = ScriptedModel::new().reply("main", ModelReply::text("a-canary"));
    let tape = Lines::default();
    let recorder = Recorder::new(Arc::new(model), Box::new(tape.clone())).unwrap();
    let error = ask(&recorder, request("main", 1)).unwrap_err();
    assert!(matches!(error, ModelError::Cassette { .. }), "{error}");
    assert!(!tape.0.lock().unwrap().contains("a-canary"));
}
