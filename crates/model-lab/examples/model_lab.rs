//! The lab as a process, for clients in other languages: prints its address and serves until its
//! standard input ends. Its arguments are the key and, if it plays agents, the file of their parts.
//!
//! Without parts a request carries its own script: when the person's last words are an [`Answer`] in
//! JSON, that is the answer. After the results of tools the answer is those results.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::{Mutex, PoisonError};

use ecs_agent_model_lab::{Answer, Item, LabSettings, ModelLab, Script, Turn};
use serde::Deserialize;

/// What one agent says: its answers, one a request, the last one over and over. `PLAN_HASH` is the plan that
/// the agent was shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    /// Words of its system prompt that no other agent's has.
    system: String,
    answers: Vec<Answer>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let key = std::env::args().nth(1).unwrap_or_default();
    let script = match std::env::args().nth(2) {
        None => Script::from_fn(answer),
        Some(path) => parts(serde_json::from_reader(std::fs::File::open(path)?)?),
    };
    let settings = LabSettings {
        key,
        window: 200_000,
    };
    let lab = ModelLab::start(settings, script).await?;
    writeln!(std::io::stdout(), "{}", lab.url())?;
    // Whoever started it holds the other end.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

fn answer(turn: &Turn) -> Answer {
    let results = turn.results();
    if !results.is_empty() {
        let said: Vec<String> = results
            .iter()
            .map(|(call, text)| format!("{call}={text}"))
            .collect();
        return Answer::text(said.join(" "));
    }
    serde_json::from_str(turn.said()).unwrap_or_else(|_| Answer::text("no script in the request"))
}

fn parts(parts: Vec<Part>) -> Script {
    let asked = Mutex::new(BTreeMap::<usize, usize>::new());
    Script::from_fn(move |turn| {
        let mine = |part: &Part| turn.system.contains(&part.system);
        let Some(which) = parts.iter().position(mine) else {
            return Answer::text("there is no part for this agent");
        };
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let count = asked.entry(which).or_default();
        let answers = parts.get(which).map_or(&[][..], |part| &part.answers);
        let answer = answers.get(*count).or(answers.last()).cloned();
        *count += 1;
        match answer {
            Some(answer) => knowing(turn, answer),
            None => Answer::text("this agent's part is empty"),
        }
    })
}

/// The answer with what no script can know before: `PLAN_HASH` is the last hash that was shown.
fn knowing(turn: &Turn, mut answer: Answer) -> Answer {
    let shown = turn.items.iter().map(|item| match item {
        Item::Said(text) | Item::Answered { text, .. } | Item::Result { text, .. } => text,
    });
    let words = shown.flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()));
    let mut hashes = words.filter(|word| word.len() == 64);
    if let (Answer::Reply(reply), Some(hash)) = (&mut answer, hashes.next_back()) {
        reply.text = reply.text.replace("PLAN_HASH", hash);
        for call in &mut reply.calls {
            call.arguments = call.arguments.replace("PLAN_HASH", hash);
        }
    }
    answer
}
