//! Conversations that grow larger than what a model can read, and texts that are larger than that.

use super::*;
use crate::configuration::{AgentLimits, Configuration};
use crate::ids::AgentName;
use crate::message::ModelRequest;

/// A thread whose main agent reads that many tokens.
fn with_window(tokens: u64) -> Hand {
    let limits = AgentLimits {
        window_tokens: Some(tokens),
        max_steps: None,
    };
    let mut hand = Hand::idle();
    hand.log(EventBody::Configured {
        configuration: Configuration {
            limits: [(AgentName::new("main"), limits)].into(),
            offer_compaction: true,
            ..Configuration::default()
        },
    });
    hand.run(Budgets::default());
    hand.say("why does api restart?");
    hand
}

/// One turn with one call, whose answer has that many characters.
fn turn(hand: &mut Hand, n: usize, chars: usize) {
    let id = format!("c{n}");
    let call = ToolCall::new(id.as_str(), "lookup", json!({"name": format!("n{n}")}));
    hand.reply(main(), &format!("looking at {n}"), vec![call]);
    hand.start(main(), &id);
    let text = format!("{n} {}", "words ".repeat(chars / 6));
    hand.returns(main(), &id, ToolOutcome::success(text));
}

fn request(hand: &Hand) -> ModelRequest {
    let Some(Effect::CallModel { request, .. }) = hand.thread.effect(&model(main())) else {
        panic!("{:?}", hand.keys());
    };
    request.check_orphans().unwrap();
    request
}

/// Logs the compaction that is outstanding, with these words as its summary.
fn compact(hand: &mut Hand, words: Option<&str>) -> Option<ModelRequest> {
    let Some(Effect::Compact {
        frame,
        request,
        keep_from,
        clip_chars,
        plain_summary,
        ..
    }) = hand.thread.effect(&EffectKey::Compact(main()))
    else {
        panic!("{:?}", hand.keys());
    };
    hand.log(EventBody::Compacted {
        frame,
        keep_from,
        clip_chars,
        summary: words.map_or(plain_summary, str::to_owned),
        usage: Usage::default(),
    });
    request
}

fn overflows(hand: &mut Hand) {
    hand.log(EventBody::ContextOverflowed {
        frame: main(),
        error: "too long".to_owned(),
    });
}

#[test]
fn a_full_window_is_compacted_and_nothing_is_lost() {
    let mut hand = with_window(10_000);
    let mut turns = 0;
    while hand.keys() == [model(main())] {
        turns += 1;
        assert!(turns < 40, "never full");
        turn(&mut hand, turns, 4_000);
    }
    assert!(turns > 3, "compacted after {turns} turns");
    let asked = compact(&mut hand, Some("api restarts: exit code 137")).unwrap();
    assert!(asked.tools.is_empty() && asked.messages.len() == 1);
    let request = request(&hand);
    let Message::Human { text } = &request.messages[0] else {
        panic!()
    };
    assert!(text.contains("exit code 137") && text.contains("> why does api restart?"));
    assert!(text.contains("`/conversation_history/main-1.md`"), "{text}");
    // Less is read, the history is whole, and the file has what is not read any more.
    let all = hand.thread.state().messages();
    assert_eq!(all.len(), 1 + 2 * turns);
    assert!(request.messages.len() < all.len());
    let file = hand.thread.state().files();
    let file = file.get("/conversation_history/main-1.md").unwrap();
    assert!(file.contains("Called `lookup` as `c1`") && file.contains("1 words words"));
    // The log alone gives the same thread.
    assert_eq!(Thread::replay(spec(), &hand.log).unwrap(), hand.thread);
}

#[test]
fn compactions_follow_one_another_and_keep_what_was_asked() {
    let mut hand = with_window(10_000);
    let mut compactions = 0;
    for n in 1..60 {
        if hand.keys() == [EffectKey::Compact(main())] {
            compactions += 1;
            compact(&mut hand, None);
        }
        assert_eq!(hand.keys(), [model(main())], "one compaction is enough");
        turn(&mut hand, n, 4_000);
    }
    assert!(compactions > 2, "{compactions}");
    let frame = &hand.thread.state().frames[&main()];
    let view = frame.context.view(frame.messages());
    let Message::Human { text } = &view[0] else {
        panic!("{view:?}")
    };
    assert!(text.contains("> why does api restart?"), "{text}");
}

#[test]
fn a_refused_request_is_compacted_and_tried_again() {
    let mut hand = Hand::started();
    for n in 0..6 {
        turn(&mut hand, n, 6_000);
    }
    let before = request(&hand);
    overflows(&mut hand);
    compact(&mut hand, Some("six lookups"));
    let after = request(&hand);
    let size = |request: &ModelRequest| serde_json::to_string(&request.messages).unwrap().len();
    assert!(size(&after) < size(&before) / 2);
    hand.reply(main(), "done", vec![]);
    assert!(matches!(hand.end(), RunOutcome::Completed { .. }));
}

#[test]
fn one_turn_that_is_too_large_by_itself_is_cut_and_kept_whole_in_a_file() {
    let mut hand = Hand::started();
    turn(&mut hand, 1, 60_000);
    overflows(&mut hand);
    compact(&mut hand, Some("one lookup"));
    let request = request(&hand);
    let Some(Message::Tool { text, .. }) = request.messages.last() else {
        panic!()
    };
    assert!(text.len() < 30_000 && text.contains("bytes cut here"));
    let files = hand.thread.state().files();
    let whole = files.get("/conversation_history/main-1.md").unwrap();
    assert!(whole.len() > 59_000);
}

#[test]
fn a_model_that_refuses_everything_ends_the_run_and_keeps_the_work() {
    let mut hand = Hand::started();
    for n in 0..6 {
        turn(&mut hand, n, 6_000);
    }
    let mut refused = 0;
    while hand.keys() != [EffectKey::End] {
        overflows(&mut hand);
        refused += 1;
        assert!(refused < 5);
        if hand.keys() == [EffectKey::Compact(main())] {
            compact(&mut hand, None);
        }
    }
    assert!(matches!(hand.end(), RunOutcome::Failed { .. }));
    assert_eq!(hand.thread.state().messages().len(), 13);
}

#[test]
fn an_agent_may_ask_for_it_when_there_is_something_to_gain() {
    let wish = || vec![ToolCall::new("w", "compact_conversation", json!({}))];
    let mut hand = with_window(10_000);
    hand.reply(main(), "", wish());
    assert_eq!(hand.only_answer().0, ToolStatus::Error);
    for n in 0..6 {
        turn(&mut hand, n, 4_000);
    }
    hand.reply(main(), "", wish());
    assert_eq!(hand.keys(), [EffectKey::Compact(main())]);
}

#[test]
fn a_compaction_that_does_not_fit_is_refused() {
    let mut hand = Hand::started();
    turn(&mut hand, 1, 60);
    for keep_from in [2, 3, 99] {
        let event = EventBody::Compacted {
            frame: main(),
            keep_from,
            clip_chars: None,
            summary: String::new(),
            usage: Usage::default(),
        };
        assert_eq!(hand.try_log(event), Err(ApplyError::Compaction(main())));
    }
}

#[test]
fn ten_megabytes_are_kept_whole_and_shown_in_part() {
    let mut hand = Hand::started();
    hand.reply(main(), "", vec![lookup("a")]);
    hand.start(main(), "a");
    let text = "0123456789abcde\n".repeat(655_360);
    hand.returns(main(), "a", ToolOutcome::success(text.clone()));
    let (_, shown) = hand.only_answer();
    assert!(
        shown.len() < 1_000 && shown.contains("10485760 bytes"),
        "{shown}"
    );
    let files = hand.thread.state().files();
    assert_eq!(files.get("/large_tool_results/a"), Some(text.as_str()));
    let read = json!({"file_path": "/large_tool_results/a", "offset": 655_359});
    hand.reply(main(), "", vec![ToolCall::new("r", "read_file", read)]);
    assert!(
        hand.answers(&main())[1]
            .2
            .contains("655360\t0123456789abcde")
    );
}

#[test]
fn a_person_may_paste_more_than_a_model_can_read() {
    let mut hand = Hand::idle();
    hand.run(Budgets::default());
    hand.say(&"a pasted log line\n".repeat(20_000));
    let request = request(&hand);
    let Message::Human { text } = &request.messages[0] else {
        panic!()
    };
    assert!(text.len() < 1_000 && text.contains("`/large_messages/message`"));
    let files = hand.thread.state().files();
    assert_eq!(files.get("/large_messages/message").unwrap().len(), 360_000);
}

#[test]
fn a_loop_is_told_and_then_ended() {
    let mut hand = Hand::with(Budgets {
        max_repeats: 2,
        ..Budgets::default()
    });
    hand.reply(main(), "", vec![task("t")]);
    let mut carried_out = 0;
    let mut turns = 0;
    while hand.keys() != [model(main())] {
        turns += 1;
        assert!(turns < 20, "the loop goes on");
        hand.reply(sub("t"), "again", vec![lookup("x")]);
        let keys = hand.keys();
        if let [EffectKey::Tool(_, call)] = &keys[..] {
            carried_out += 1;
            hand.start(sub("t"), call.as_str());
            hand.returns(sub("t"), call.as_str(), ToolOutcome::success("nothing"));
        }
    }
    assert_eq!((carried_out, turns), (2, 5));
    let (status, text) = hand.only_answer();
    assert_eq!(status, ToolStatus::Error);
    assert!(text.contains("its last words: again"), "{text}");
}

#[test]
fn the_main_agents_loop_ends_the_run() {
    let mut hand = Hand::with(Budgets {
        max_repeats: 1,
        ..Budgets::default()
    });
    let mut turns = 0;
    while hand.keys() != [EffectKey::End] {
        turns += 1;
        assert!(turns < 20, "the loop goes on");
        hand.reply(
            main(),
            "",
            vec![ToolCall::new("l", "ls", json!({"path": "/"}))],
        );
    }
    let budget = Budget::Repeats;
    assert_eq!(hand.end(), RunOutcome::BudgetExhausted { budget });
}

#[test]
fn a_subagent_has_its_own_limit_of_turns_and_says_what_it_knows() {
    let mut hand = Hand::idle();
    let limits = AgentLimits {
        window_tokens: None,
        max_steps: Some(2),
    };
    hand.log(EventBody::Configured {
        configuration: Configuration {
            limits: [(AgentName::new("helper"), limits)].into(),
            ..Configuration::default()
        },
    });
    hand.run(Budgets::default());
    hand.say("go");
    hand.reply(main(), "", vec![task("t"), task("u")]);
    hand.reply(sub("t"), "first", vec![lookup("a")]);
    hand.start(sub("t"), "a");
    hand.returns(sub("t"), "a", ToolOutcome::success("A"));
    let Some(Effect::CallModel { request, .. }) = hand.thread.effect(&model(sub("t"))) else {
        panic!()
    };
    assert!(request.system.contains("your last turn"));
    hand.reply(sub("t"), "it is A", vec![lookup("b")]);
    // The sibling goes on.
    assert_eq!(hand.keys(), [model(sub("u"))]);
    hand.reply(sub("u"), "fine", vec![]);
    let answers = hand.answers(&main());
    assert!(
        answers[0].2.contains("its last words: it is A"),
        "{answers:?}"
    );
}

#[test]
fn another_model_takes_over_and_a_provider_is_given_its_time() {
    let mut hand = Hand::started();
    hand.log(EventBody::ModelFailed {
        frame: main(),
        error: "busy".to_owned(),
        retryable: true,
        retry_after_ms: Some(7_000),
        usage: Usage::default(),
    });
    let failed_at = hand.now;
    let look = |hand: &Hand| {
        let Some(Effect::CallModel {
            attempt,
            fallback,
            not_before,
            ..
        }) = hand.thread.effect(&model(main()))
        else {
            panic!("{:?}", hand.keys());
        };
        (attempt, fallback, not_before.map(|at| at.timestamp()))
    };
    assert_eq!(look(&hand), (2, 0, Some(failed_at + 7)));
    hand.log(EventBody::ModelFellBack {
        frame: main(),
        error: "gone".to_owned(),
        usage: Usage::default(),
    });
    assert_eq!(look(&hand), (1, 1, None));
    hand.reply(main(), "", vec![lookup("a")]);
    hand.start(main(), "a");
    hand.returns(main(), "a", ToolOutcome::success("A"));
    assert_eq!(look(&hand), (1, 1, None), "it stays for the run");
}

#[test]
fn money_ends_a_run_too() {
    let mut hand = Hand::with(Budgets {
        max_cost_microdollars: Some(5),
        ..Budgets::default()
    });
    let usage = Usage {
        cost: crate::usage::Cost::of_picodollars(5_000_000),
        ..Usage::default()
    };
    hand.log(EventBody::ModelFailed {
        frame: main(),
        error: "broken".to_owned(),
        retryable: true,
        retry_after_ms: None,
        usage,
    });
    let budget = Budget::Cost;
    assert_eq!(hand.end(), RunOutcome::BudgetExhausted { budget });
}
