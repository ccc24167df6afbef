//! What is too long for a model: results, and conversations.

use ecs_agent_model_lab::{Answer, Call, Item, Reply, Script, Turn};
use ecs_agent_runtime::{RunOutcome, ToolOutcome};

use super::driver::Conversation;
use super::world::{Way, World};

fn known() -> RunOutcome {
    RunOutcome::Completed {
        text: "known".to_owned(),
    }
}

#[tokio::test]
async fn ten_megabytes_are_a_file_with_a_preview() {
    let lines: Vec<String> = (0..200_000)
        .map(|n| format!("{n:06} GET /checkout 503 after thirty seconds, no room"))
        .collect();
    let large = lines.join("\n");
    assert!(large.len() > 10 << 20);
    for way in Way::all() {
        let world = World::by(|turn| {
            let results = turn.results();
            let Some((call, text)) = results.last() else {
                return Answer::Reply(Reply::calls(vec![Call::new(
                    "call_a",
                    "lookup",
                    r#"{"what":"logs"}"#,
                )]));
            };
            if *call == "call_b" {
                assert!(text.contains("123456 GET /checkout"), "{text}");
                return Answer::text("known");
            }
            let path = text.split('`').nth(1).expect("a path");
            let arguments = format!(r#"{{"file_path":"{path}","offset":123456,"limit":1}}"#);
            Answer::Reply(Reply::calls(vec![Call::new(
                "call_b",
                "read_file",
                arguments,
            )]))
        })
        .await;
        let result = large.clone();
        let mut talk = Conversation::with(vec![world.model(way)])
            .tool(move |_| ToolOutcome::success(result.clone()));
        assert_eq!(talk.say("go").await, known(), "{way:?}");
        let turns = world.lab.turns();
        assert!(turns.iter().all(|turn| turn.tokens < 10_000), "{way:?}");
        assert_eq!(talk.file("/large_tool_results/call_a"), Some(&*large));
        assert_eq!(talk.usage(), world.bill());
    }
}

/// A model that looks things up until it was told to stop, and summarises when asked for it.
fn thorough(turn: &Turn) -> Answer {
    let is_summary = turn.tools.is_empty();
    if is_summary {
        return Answer::text("Places 1 to some were looked at, all fine.");
    }
    let looked = turn
        .items
        .iter()
        .filter(|item| matches!(item, Item::Result { .. }))
        .count();
    let number = turn.number;
    match (number < 24, looked) {
        (true, _) => Answer::Reply(Reply::calls(vec![Call::new(
            format!("call_{number}"),
            "lookup",
            format!(r#"{{"what":"place {number}"}}"#),
        )])),
        (false, _) => Answer::text("known"),
    }
}

#[tokio::test]
async fn a_conversation_that_a_provider_finds_too_long_is_compacted_and_goes_on() {
    for way in Way::all() {
        let world = World::with(20_000, Script::from_fn(thorough)).await;
        let mut talk = Conversation::with(vec![world.model(way)])
            .tool(|call| {
                ToolOutcome::success(format!("{}: {}", call.arguments, "fine ".repeat(2_000)))
            })
            .of_unknown_window();
        let said = talk
            .say("look everywhere, and remember: only on Tuesdays")
            .await;
        assert_eq!(said, known(), "{way:?}: {:?}", world.refused());
        let overflows = talk.count("context_overflowed");
        assert!(
            overflows > 0 && talk.count("compacted") >= overflows,
            "{way:?}"
        );
        // The provider's own words, and nothing else was refused.
        let refused = world.refused();
        assert_eq!(refused.len(), overflows);
        assert!(
            refused.iter().all(|(status, _)| *status == 400),
            "{refused:?}"
        );
        // The history is whole, in the thread and in a file; the task is still known word for word.
        let calls = talk.results().len();
        assert_eq!(talk.count("tool_returned"), calls);
        let last = world.lab.turns().pop().unwrap();
        assert!(
            matches!(&last.items[0], Item::Said(text) if text.contains("only on Tuesdays")
            && text.contains("all fine") && text.contains("/conversation_history/"))
        );
        let history = talk
            .paths()
            .into_iter()
            .find(|path| path.starts_with("/conversation_history/"));
        let history = talk.file(&history.unwrap()).unwrap();
        assert!(history.contains("place 0"), "{way:?}");
        assert_eq!(talk.usage(), world.bill(), "{way:?}");
    }
}

#[tokio::test]
async fn a_window_that_is_known_is_never_overrun() {
    for way in Way::all() {
        let world = World::by(thorough).await;
        let mut talk = Conversation::with(vec![world.model(way)]).tool(|call| {
            ToolOutcome::success(format!("{}: {}", call.arguments, "fine ".repeat(12_000)))
        });
        assert_eq!(talk.say("look everywhere").await, known(), "{way:?}");
        assert!(talk.count("compacted") > 0, "{way:?}");
        assert_eq!(talk.count("context_overflowed"), 0, "{way:?}");
        assert_eq!(world.refused(), []);
        assert_eq!(talk.usage(), world.bill());
    }
}
