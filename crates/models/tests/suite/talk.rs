//! What a model says and calls: in parallel, wrongly, or not at all.

use ecs_agent_model_lab::{Answer, Call, Figures, Form, Item, Reply};
use ecs_agent_models::{Delivery, Message};
use ecs_agent_runtime::RunOutcome;

use super::driver::Conversation;
use super::world::{Way, World, bill};

fn calls(calls: &[(&str, &str, &str)]) -> Reply {
    let calls = calls
        .iter()
        .map(|(id, name, arguments)| Call::new(*id, *name, *arguments));
    Reply::calls(calls.collect())
}

fn done(text: &str) -> RunOutcome {
    RunOutcome::Completed {
        text: text.to_owned(),
    }
}

#[tokio::test]
async fn tools_called_at_once_are_answered_in_one_request() {
    for way in Way::all() {
        let figures = Figures {
            input: 100,
            cache_read: 20,
            cache_write: 3,
            output: 40,
        };
        let first = Reply {
            text: "Let me look — twice.".to_owned(),
            reasoning: Some("Two places could hold it; both are cheap to ask.".to_owned()),
            ..calls(&[
                ("call_a", "lookup", r#"{"what":"käse \"a\""}"#),
                ("call_b", "lookup", r#"{"what":"b"}"#),
                (
                    "call_c",
                    "task",
                    r#"{"subagent_type":"helper","description":"look at c"}"#,
                ),
            ])
        };
        let helper = calls(&[("call_a", "lookup", r#"{"what":"c"}"#)]);
        let world = World::by(move |turn| {
            let is_helper = turn.system.starts_with("You help.");
            let reply = match (is_helper, turn.results().len()) {
                (true, 0) => helper.clone(),
                (true, _) => Reply::text("c is fine"),
                (false, 0) => first.clone(),
                (false, _) => Reply::text("all three are known"),
            };
            Answer::Reply(reply.took(figures))
        })
        .await;
        let mut talk = Conversation::with(vec![world.model(way)]);
        assert_eq!(talk.say("go").await, done("all three are known"), "{way:?}");

        let turns = world.lab.turns();
        assert_eq!(turns.len(), 4);
        assert_eq!(
            turns[3].results(),
            [
                ("call_a", r#"found {"what":"käse \"a\""}"#),
                ("call_b", r#"found {"what":"b"}"#),
                ("call_c", "c is fine")
            ]
        );
        assert!(
            matches!(&turns[3].items[1], Item::Answered { text, .. } if text == "Let me look — twice.")
        );
        assert_eq!(world.refused(), []);
        assert_eq!(talk.usage(), world.bill(), "{way:?}");
        let told = figures.told_in(way.form);
        let four = (0..4).fold(Figures::default(), |sum, _| sum.plus(told));
        assert_eq!(talk.usage(), bill(four));
    }
}

#[tokio::test]
async fn a_thought_goes_back_as_it_was() {
    for way in Way::all().filter(|way| way.form == Form::Anthropic) {
        let thinking = Reply {
            reasoning: Some("It is signed, so a changed letter would be refused.".to_owned()),
            ..calls(&[("call_a", "lookup", r#"{"what":"a"}"#)])
        };
        let world = World::answering([Answer::Reply(thinking), Answer::text("known")]).await;
        let mut talk = Conversation::with(vec![world.model(way)]);
        assert_eq!(talk.say("go").await, done("known"));
        let body = &world.lab.turns()[1].body;
        assert_eq!(
            body.pointer("/messages/1/content/0/type").unwrap(),
            "thinking"
        );
        assert_eq!(world.refused(), []);
    }
}

#[tokio::test]
async fn a_refusal_ends_the_run_in_its_words_unless_another_model_answers() {
    for way in Way::all() {
        let refusal = Answer::Reply(
            Reply {
                refusal: Some("I will not help with that.".to_owned()),
                ..Reply::default()
            }
            .took(Figures {
                input: 50,
                output: 9,
                ..Figures::default()
            }),
        );
        let world = World::answering([refusal.clone()]).await;
        let mut talk = Conversation::with(vec![world.model(way)]);
        let RunOutcome::Failed { error } = talk.say("go").await else {
            panic!("{way:?}: a refusal is no answer");
        };
        // Whole, Anthropic's form has no words for it.
        let has_words = (way.form, way.delivery) != (Form::Anthropic, Delivery::Whole);
        assert!(error.contains("declined to answer"), "{way:?}: {error}");
        assert!(!has_words || error.contains("I will not help"), "{error}");
        assert_eq!(talk.usage(), world.bill());
        assert_eq!(talk.usage().total(), 59);

        let world = World::answering([refusal, Answer::text("I will")]).await;
        let model = world.model(way);
        let mut talk = Conversation::with(vec![model.clone(), model]);
        assert_eq!(talk.say("go").await, done("I will"));
        assert_eq!(talk.count("model_fell_back"), 1);
        assert_eq!(talk.usage(), world.bill());
    }
}

#[tokio::test]
async fn what_is_called_wrongly_is_told_and_called_again() {
    for way in Way::all() {
        let cases = [
            ("call_1", "lookup", r#"{"what": "a"#),
            ("call_2", "lookup", r#"["a"]"#),
            ("call_3", "lookup", "{}"),
            ("call_4", "look-it-up", r#"{"what":"a"}"#),
            ("call_5", "look it up!", "{}"),
            ("call_6", "lookup", ""),
        ];
        let mut script: Vec<Answer> = cases
            .iter()
            .map(|case| Answer::Reply(calls(&[*case])))
            .collect();
        script.push(Answer::Reply(calls(&[(
            "call_7",
            "lookup",
            r#"{"what":"a"}"#,
        )])));
        script.push(Answer::text("known"));
        let world = World::answering(script).await;
        let mut talk = Conversation::with(vec![world.model(way)]);
        assert_eq!(talk.say("go").await, done("known"), "{way:?}");
        let results = talk.results();
        assert_eq!(results.len(), 7);
        assert!(results[3].contains("look-it-up"), "{results:?}");
        assert_eq!(results[6], r#"found {"what":"a"}"#, "{way:?}");
        for told in &results[..6] {
            assert!(!told.contains("found"), "{way:?}: {told}");
        }
        assert_eq!(talk.count("tool_started"), 1, "{way:?}");
        assert_eq!(world.refused(), []);
        assert_eq!(talk.usage(), world.bill());
    }
}

#[tokio::test]
async fn words_that_were_cut_are_asked_for_again() {
    for way in Way::all() {
        let cut = Reply {
            is_truncated: true,
            ..Reply::text("The service is unwell because")
        };
        let world = World::answering([Answer::Reply(cut), Answer::text("out of memory")]).await;
        let mut talk = Conversation::with(vec![world.model(way)]);
        assert_eq!(talk.say("go").await, done("out of memory"), "{way:?}");
        assert!(world.lab.turns()[1].said().contains("cut off"));
        assert_eq!(talk.usage(), world.bill());
    }
}

#[tokio::test]
async fn ids_that_one_server_makes_up_are_taken_by_every_other() {
    let long = "x".repeat(90);
    let odd = [
        "functions.lookup:0",
        "functions.lookup:0",
        "",
        "call a",
        long.as_str(),
    ];
    for (first, second) in Way::all().flat_map(|a| Way::all().map(move |b| (a, b))) {
        let written: Vec<(&str, &str, &str)> = odd
            .iter()
            .map(|id| (*id, "lookup", r#"{"what":"a"}"#))
            .collect();
        let world = World::answering([
            Answer::Reply(calls(&written)),
            Answer::Reply(calls(&written[..1])),
            Answer::text("known"),
        ])
        .await;
        let mut talk = Conversation::with(vec![world.model(first)]);
        let said = talk.say("go").await;
        assert_eq!(said, done("known"), "{first:?}: {:?}", world.refused());

        // And the same history, with another provider from here on.
        let other = World::answering([Answer::text("still known")]).await;
        let mut talk = talk.asking(vec![other.model(second)]);
        let said = talk.say("and now?").await;
        assert_eq!(
            said,
            done("still known"),
            "{second:?}: {:?}",
            other.refused()
        );
        let answered = talk.messages().iter();
        let answered = answered.filter(|message| matches!(message, Message::Tool { .. }));
        assert_eq!(answered.count(), odd.len() + 1);
    }
}
