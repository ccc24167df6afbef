//! The demo at a glance.

use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;

use super::accounting::Summary;
use super::interleaving::{Interleaving, SignedCall};
use crate::output::Output;
use crate::render::{Meaning, Palette};

/// Most lines of the table that are shown.
const SHOWN: usize = 20;

pub(super) fn show(output: &Output, summary: &Summary) {
    let palette = Palette::of_stdout();
    let heading = |text: &str| format!("{}\n", palette.paint(Meaning::Heading, text));
    output.text(&heading("Two users, one order of events"));
    show_interleaving(output, &summary.interleaving);
    output.text(&heading(&format!(
        "\n{} users at once, and {} of them again one after another",
        summary.invocations, summary.in_sequence
    )));
    show_lines(output, summary);
    let meaning = if summary.is_isolated() {
        Meaning::Good
    } else {
        Meaning::Bad
    };
    let verdict = format!(
        "{} invocations at once and {} in sequence, {} requests: {} crossed, {} contexts left, \
         {} unaccounted for",
        summary.invocations,
        summary.in_sequence,
        summary.requests,
        summary.crossed,
        summary.contexts_left,
        summary.unaccounted
    );
    output.text(&format!("{}\n", palette.paint(meaning, verdict)));
    if summary.lost > 0 {
        let lost = format!(
            "{} requests found no connection or no answer in time: this machine is busy",
            summary.lost
        );
        output.text(&format!("{}\n", palette.paint(Meaning::Quiet, lost)));
    }
}

fn show_interleaving(output: &Output, interleaving: &Interleaving) {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
        "move",
        "one shared store (as it was)",
        "a context each (as it is)",
    ]);
    let mut calls = interleaving
        .shared_store
        .iter()
        .zip(&interleaving.own_contexts);
    for one in &interleaving.moves {
        let [shared, own] = if one.ends_with("calls") {
            match calls.next() {
                Some((shared, own)) => [shared, own].map(signer),
                None => [String::new(), String::new()],
            }
        } else {
            [String::new(), String::new()]
        };
        table.add_row([one.clone(), shared, own]);
    }
    output.text(&format!("{table}\n"));
}

fn signer(call: &SignedCall) -> String {
    let signer = call
        .signed_as
        .map_or_else(|| "nobody we know".to_owned(), |who| format!("{who:?}"));
    let remark = if call.is_crossed() { ": CROSSED" } else { "" };
    format!("signed by {signer}'s key{remark}")
}

fn show_lines(output: &Output, summary: &Summary) {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
        "user",
        "account",
        "region",
        "own requests",
        "crossed",
        "unaccounted",
        "context",
    ]);
    for line in summary.lines.iter().take(SHOWN) {
        table.add_row([
            line.user.clone(),
            line.account.clone(),
            line.region.clone(),
            line.requests.to_string(),
            line.crossed.to_string(),
            line.unaccounted.to_string(),
            if line.context_cleared {
                "cleared".to_owned()
            } else {
                "LEFT".to_owned()
            },
        ]);
    }
    output.text(&format!("{table}\n"));
    let hidden = summary.lines.len().saturating_sub(SHOWN);
    if hidden > 0 {
        output.text(&format!("… and {hidden} more; `--json` shows them all\n"));
    }
}
