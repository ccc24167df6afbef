//! Tokens and money: what the program counts is what the providers say, to the token.

use ecs_agent_model_lab::{Answer, Call, Cut, End, Failure, Figures, Reply};
use ecs_agent_models::{Cost, Usage};

use ecs_agent_runtime::RunOutcome;

use super::driver::Conversation;
use super::world::{Way, World, bill};

/// Figures that give away which of them was forgotten or counted twice.
fn figures(n: u64) -> Figures {
    Figures {
        input: 1_000_003 + n,
        cache_read: 10_007 * n,
        cache_write: 101 * n,
        output: 1 + 7 * n,
    }
}

#[tokio::test]
async fn a_long_conversation_with_every_trouble_costs_what_the_providers_say() {
    for way in Way::all() {
        let world = World::by(|turn| {
            let n = turn.number;
            let took = figures(u64::try_from(n).unwrap() % 9);
            let call = |arguments: &str| {
                Reply::calls(vec![Call::new(format!("call_{n}"), "lookup", arguments)]).took(took)
            };
            match n % 6 {
                _ if n >= 24 => Answer::Reply(Reply::text("known").took(took)),
                0 => Answer::Reply(call(r#"{"what":"a"}"#)),
                1 => Answer::Failure(Failure::of(429, "slow down").retry_after("1")),
                2 => {
                    let (after_bytes, end) =
                        (if turn.streamed { 400 + n } else { n }, End::Aborted);
                    Answer::Cut(call(r#"{"what":"b"}"#), Cut { after_bytes, end })
                }
                3 => Answer::Reply(call("{")),
                4 => Answer::FailsMidway(call(r#"{"what":"c"}"#), Failure::of(529, "Overloaded")),
                _ => Answer::Reply(call(&format!(r#"{{"what":"{n}"}}"#))),
            }
        })
        .await;
        let mut talk = Conversation::with(vec![world.model(way)]);
        let said = talk.say("go").await;
        assert!(matches!(said, RunOutcome::Completed { .. }), "{said:?}");
        assert_eq!(talk.usage(), world.bill(), "{way:?}");
        assert!(talk.usage().cost.is_complete());
        assert!(talk.usage().total() > 10_000_000);
    }
}

#[tokio::test]
async fn a_price_that_is_not_known_is_no_zero() {
    for way in Way::all() {
        let world = World::answering([Answer::Reply(Reply::text("known").took(figures(2)))]).await;
        let model = world.unpriced(way);
        let mut talk = Conversation::with(vec![model]);
        talk.say("go").await;
        let told = bill(figures(2).told_in(way.form));
        assert_eq!(
            talk.usage(),
            Usage {
                cost: Cost::UNKNOWN,
                ..told
            }
        );
    }
}
