use rig_core::catalog::Catalog;

use super::*;

fn usage() -> Usage {
    Usage {
        input_tokens: 1_000,
        output_tokens: 200,
        cache_read_tokens: 30_000,
        cache_write_tokens: 4_000,
        cost: Cost::NOTHING,
    }
}

fn name(text: &str) -> ModelName {
    text.parse().unwrap()
}

/// The figures are the catalogue's, and every list is of models that the catalogue has.
#[test]
fn the_lists_agree_with_the_catalogue_that_they_are_from() {
    let list = PriceList::built_in().unwrap();
    let mut checked = 0;
    for key in list.models() {
        let reference = key
            .replacen("gemini:", "gcp.gemini/", 1)
            .replacen("bedrock:", "aws_bedrock/", 1)
            .replacen("anthropic:", "anthropic/", 1)
            .replacen("openai:", "openai/", 1);
        let Some(spec) = Catalog::builtin().resolve(&reference) else {
            panic!("{reference} is not in the catalogue");
        };
        let mut used = rig_core::completion::Usage::new();
        used.input_tokens = Some(35_000);
        used.output_tokens = Some(200);
        used.cached_input_tokens = Some(30_000);
        used.cache_creation_input_tokens = Some(4_000);
        let theirs = spec.pricing.as_ref().unwrap().cost(&used).unwrap();
        let ours = list.price(&name(key)).unwrap();
        let known_caches = theirs.cache_read.is_some() && theirs.cache_write.is_some();
        if known_caches {
            let ours = ours.of(&usage()).dollars().unwrap();
            assert!(
                (ours - theirs.total).abs() < 1e-9,
                "{key}: {ours} {theirs:?}"
            );
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn costs_are_exact_and_an_unknown_model_has_none() {
    let list = PriceList::built_in().unwrap();
    let price = list.price(&name("anthropic:claude-sonnet-5")).unwrap();
    // 1,000 x $2 + 200 x $10 + 30,000 x $0.2 + 4,000 x $2.5, each per million.
    assert_eq!(price.of(&usage()), Cost::of_picodollars(20_000_000_000));
    assert!(list.price(&name("anthropic:claude-unheard-of")).is_none());
    assert!(
        list.price(&name("openai-compatible:claude-sonnet-5"))
            .is_none()
    );
    assert_eq!(
        list.profile(&name("openai-compatible:some")),
        ModelProfile::default()
    );
}

#[test]
fn a_date_or_a_region_makes_no_other_model() {
    let list = PriceList::built_in().unwrap();
    let key = |text: &str| list.profile(&name(text)).price_key;
    assert_eq!(
        key("anthropic:claude-sonnet-5-20260801").as_deref(),
        Some("anthropic:claude-sonnet-5")
    );
    assert_eq!(
        key("openai:gpt-5.2-2025-12-11").is_some(),
        key("openai:gpt-5.2").is_some()
    );
    assert_eq!(without_date("gpt-x-2026-03-01"), "gpt-x");
    assert_eq!(without_date("o3"), "o3");
}

#[test]
fn a_list_of_ones_own_is_stronger_and_its_mistakes_are_named() {
    let head = "provider = \"anthropic\"\nsource = \"a contract\"\nas_of = 2026-11-01\n";
    let row =
        "[model.\"claude-sonnet-5\"]\ninput = 1.5\noutput = 7\ncontext = 1000\nmax_output = 100\n";
    let list = PriceList::built_in()
        .unwrap()
        .with(&format!("{head}{row}"))
        .unwrap();
    let price = list.price(&name("anthropic:claude-sonnet-5")).unwrap();
    assert_eq!(price.input, 1_500_000);
    for (text, said) in [
        (
            head.replace("source = \"a contract\"\n", "") + row,
            "source",
        ),
        (
            head.to_owned() + &row.replace("1.5", "-1"),
            "dollars per million",
        ),
        (
            head.to_owned() + &row.replace("1.5", "0.0000001"),
            "six decimals",
        ),
        (head.to_owned() + &row.replace("1000", "0"), "above 0"),
        (head.to_owned() + row + "colour = 1\n", "colour"),
    ] {
        let error = PriceList::default().with(&text).unwrap_err();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let shown = format!("{error} {}", cause.unwrap_or_default());
        assert!(shown.contains(said), "{said}: {shown}");
    }
}
