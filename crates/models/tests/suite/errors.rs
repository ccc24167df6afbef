//! Errors of a provider, and silence.

use ecs_agent_model_lab::{Answer, Call, Cut, End, Failure, Figures, Reply};
use ecs_agent_runtime::RunOutcome;

use super::driver::Conversation;
use super::world::{Way, World};

fn known() -> RunOutcome {
    RunOutcome::Completed {
        text: "known".to_owned(),
    }
}

fn calls() -> Answer {
    Answer::Reply(Reply::calls(vec![Call::new(
        "call_a",
        "lookup",
        r#"{"what":"a"}"#,
    )]))
}

#[tokio::test]
async fn what_passes_is_waited_for_as_long_as_the_provider_asks() {
    for way in Way::all() {
        let busy =
            |status, wait: &str| Answer::Failure(Failure::of(status, "not now").retry_after(wait));
        let world = World::answering([
            busy(429, "7"),
            busy(529, "30"),
            Answer::Failure(Failure::of(500, "Internal server error")),
            calls(),
            busy(503, "3600"),
            Answer::text("known"),
        ])
        .await;
        let mut talk = Conversation::with(vec![world.model(way)]);
        assert_eq!(talk.say("go").await, known(), "{way:?}");
        // The longest wait that is granted is two minutes.
        assert_eq!(talk.waits, [7, 30, 120], "{way:?}");
        assert_eq!(talk.count("model_failed"), 4);
        assert_eq!(talk.results().len(), 1);
        assert_eq!(talk.usage(), world.bill());
    }
}

#[tokio::test]
async fn what_does_not_pass_is_asked_once_and_said() {
    for way in Way::all() {
        for (status, said) in [
            (400, "no such parameter"),
            (401, "who are you"),
            (403, "not yours"),
            (404, "no such model"),
        ] {
            let world = World::answering([Answer::Failure(Failure::of(status, said))]).await;
            let mut talk = Conversation::with(vec![world.model(way)]);
            let RunOutcome::Failed { error } = talk.say("go").await else {
                panic!("{way:?} {status}");
            };
            assert!(error.contains(said), "{error}");
            assert_eq!(world.lab.exchanges().len(), 1);
            assert!(talk.usage().is_nothing());
        }
    }
}

#[tokio::test]
async fn a_provider_that_stays_away_ends_the_run_and_loses_nothing() {
    for way in Way::all() {
        let world = World::by(|turn| match turn.number {
            0 => calls(),
            _ => Answer::Failure(Failure::of(529, "Overloaded").retry_after("1")),
        })
        .await;
        let mut talk = Conversation::with(vec![world.model(way)]);
        let RunOutcome::Failed { error } = talk.say("go").await else {
            panic!("{way:?}");
        };
        assert!(error.contains("Overloaded"), "{error}");
        // What is known is kept, and the thread goes on when the provider is back.
        assert_eq!(talk.results(), [r#"found {"what":"a"}"#]);
        let back = World::answering([Answer::text("known")]).await;
        let mut talk = talk.asking(vec![back.model(way)]);
        talk.later(3_600);
        assert_eq!(talk.say("go on").await, known(), "{way:?}");
        assert_eq!(back.lab.turns()[0].items.len(), 4);
        assert_eq!(talk.usage(), world.bill().plus(back.bill()));
    }
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_one_try() {
    let figures = Figures {
        input: 70,
        output: 30,
        ..Figures::default()
    };
    for way in Way::streamed() {
        for (status, code) in [(529, "overloaded_error"), (500, "server_error")] {
            let broken = Reply::text("The service is unwell because of").took(figures);
            let failure = Failure::of(status, "Overloaded").coded(code);
            let world = World::answering([
                Answer::FailsMidway(broken, failure),
                Answer::Reply(Reply::text("known").took(figures)),
            ])
            .await;
            let mut talk = Conversation::with(vec![world.model(way)]);
            assert_eq!(talk.say("go").await, known(), "{way:?} {code}");
            assert_eq!(talk.count("model_failed"), 1);
            assert_eq!(talk.usage(), world.bill(), "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_falls_silent_is_given_up_for_another() {
    for way in Way::all() {
        for after_bytes in [0, 200] {
            let end = End::Stalled;
            let reply =
                Reply::text("The service is unwell because of what it needs.").took(Figures {
                    input: 70,
                    output: 30,
                    ..Figures::default()
                });
            let silent = Answer::Cut(reply, Cut { after_bytes, end });
            let world = World::by(move |_| silent.clone()).await;
            let other = World::answering([Answer::text("known")]).await;
            let models = vec![world.impatient(way), other.model(way)];
            let mut talk = Conversation::with(models);
            assert_eq!(talk.say("go").await, known(), "{way:?}");
            assert_eq!(talk.count("model_fell_back"), 1);
            assert_eq!(talk.usage(), world.bill().plus(other.bill()), "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_answer() {
    for way in Way::all() {
        let page = Answer::Page {
            content_type: "text/html".to_owned(),
            text: "<html>Sign in</html>".to_owned(),
        };
        let world = World::by(move |_| page.clone()).await;
        let mut talk = Conversation::with(vec![world.model(way)]);
        let RunOutcome::Failed { error } = talk.say("go").await else {
            panic!("{way:?}");
        };
        assert!(talk.usage().is_nothing(), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_shown() {
    use std::sync::Arc;

    use ecs_agent_models::{ApiKey, ModelSettings};

    for way in Way::all() {
        let world = World::answering([Answer::text("never")]).await;
        let wrong = format!("wrong-{}", uuid::Uuid::now_v7().simple());
        let model = world.model_with(way, |settings| ModelSettings {
            key: Some(Arc::new(ApiKey::new(wrong.clone()).unwrap())),
            ..settings
        });
        let mut talk = Conversation::with(vec![model]);
        let RunOutcome::Failed { error } = talk.say("go").await else {
            panic!("{way:?}");
        };
        assert!(error.contains("check the key"), "{error}");
        assert!(!error.contains(&wrong), "{error}");
        assert_eq!(world.refused().len(), 1);
    }
}
