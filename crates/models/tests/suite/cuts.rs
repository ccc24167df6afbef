//! Answers that break off.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use ecs_agent_model_lab::{Answer, Call, Cut, End, Figures, Form, Reply};
use ecs_agent_models::{Cost, Model};
use ecs_agent_runtime::RunOutcome;

use super::driver::Conversation;
use super::world::{Way, World, bill};

fn reply() -> Reply {
    Reply {
        text: "Looking.".to_owned(),
        reasoning: Some("Hm.".to_owned()),
        calls: vec![Call::new("call_a", "lookup", r#"{"what":"a"}"#)],
        ..Reply::default()
    }
    .took(Figures {
        input: 1_000,
        cache_read: 200,
        cache_write: 30,
        output: 44,
    })
}

/// A lab that breaks off the first answer of each conversation where it is told to.
struct Breaking {
    world: World,
    cut: Arc<Mutex<Option<Cut>>>,
    model: Arc<dyn Model>,
    way: Way,
}

impl Breaking {
    async fn new(way: Way) -> Self {
        let cut: Arc<Mutex<Option<Cut>>> = Arc::default();
        let next = Arc::clone(&cut);
        let world = World::by(
            move |turn| match (next.lock().unwrap().take(), turn.results()) {
                (Some(cut), _) => Answer::Cut(reply(), cut),
                (None, results) if results.is_empty() => Answer::Reply(reply()),
                (None, _) => Answer::text("known"),
            },
        )
        .await;
        let model = world.model(way);
        Self {
            world,
            cut,
            model,
            way,
        }
    }

    /// Plays a conversation whose first answer breaks off there; whether anybody noticed.
    async fn survives(&self, cut: Cut) -> bool {
        let (way, before) = (self.way, self.world.lab.told());
        *self.cut.lock().unwrap() = Some(cut);
        let mut talk = Conversation::with(vec![Arc::clone(&self.model)]);
        let said = talk.say("go").await;
        let at = format!("{way:?}, {cut:?}: {:?}", talk.kinds());
        let known = RunOutcome::Completed {
            text: "known".to_owned(),
        };
        assert_eq!(said, known, "{at}");
        // One result, whether or not the first try gave the call: no half of a call is carried out.
        assert_eq!(talk.results(), [r#"found {"what":"a"}"#], "{at}");
        let mut told = bill(self.world.lab.told());
        let counted = bill(before).plus(talk.usage());
        let is_noticed = talk.count("model_failed") > 0;
        if way.form == Form::Chat && !is_noticed && !counted.cost.is_complete() {
            // The answer is whole and what it took is not said: what is not known is no zero.
            told.cost = told.cost.plus(Cost::UNKNOWN);
        }
        assert_eq!(counted, told, "{at}");
        is_noticed
    }

    /// Where the events of the answer end: nothing is missing of one that is cut behind its end.
    async fn ends(&self) -> Vec<usize> {
        let end = End::Closed;
        self.survives(Cut {
            after_bytes: usize::MAX,
            end,
        })
        .await;
        self.world.lab.exchanges()[0].ends.clone()
    }
}

/// Cuts around the end of every event, and in steps that meet every place of an event in one or
/// another.
async fn everywhere(ways: impl Iterator<Item = Way>, end: End) {
    for way in ways {
        let lab = Breaking::new(way).await;
        let ends = lab.ends().await;
        let length = *ends.last().unwrap();
        let around = ends.iter().flat_map(|end| [end - 1, *end, end + 1]);
        let mut places: BTreeSet<usize> = around.chain((0..length).step_by(7)).collect();
        places.retain(|place| *place < length);
        let mut unnoticed = Vec::new();
        for after_bytes in places {
            if !lab.survives(Cut { after_bytes, end }).await {
                unnoticed.push(after_bytes);
            }
        }
        // What is said to its end and not marked as ended may be taken, and nothing before that: the
        // usage and the mark are the last two events.
        let said = ends.iter().rev().nth(2).copied().unwrap_or(length);
        assert!(
            unnoticed.iter().all(|place| *place >= said),
            "{way:?}: {unnoticed:?} of {length}, {said}"
        );
        assert_eq!(lab.world.refused(), []);
    }
}

#[tokio::test]
async fn a_stream_that_a_proxy_ends_early_is_asked_for_again() {
    everywhere(Way::streamed(), End::Closed).await;
}

#[tokio::test]
async fn a_stream_whose_connection_breaks_is_asked_for_again() {
    everywhere(Way::streamed(), End::Aborted).await;
}

#[tokio::test]
async fn a_whole_answer_that_breaks_off_is_asked_for_again() {
    let whole = || Way::all().filter(|way| Way::streamed().all(|streamed| streamed != *way));
    everywhere(whole(), End::Closed).await;
    everywhere(whole(), End::Aborted).await;
}
