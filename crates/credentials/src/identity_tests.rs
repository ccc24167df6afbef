use proptest::prelude::*;

use super::*;

#[test]
fn an_invocation_is_printed_with_its_prefix() {
    let id = InvocationId::new(Uuid::nil());
    assert_eq!(id.to_string(), "inv-00000000-0000-0000-0000-000000000000");
}

#[test]
fn regions_are_told_from_host_names() {
    let check = |text: &str, expected: bool| {
        assert_eq!(Region::from_str(text).is_ok(), expected, "{text:?}");
    };
    for region in [
        "eu-west-1",
        "us-gov-west-1",
        "us-iso-east-1",
        "eusc-de-east-1",
        "cn-north-1",
    ] {
        check(region, true);
    }
    for other in [
        "",
        "eu",
        "west-1",
        "eu-west",
        "EU-WEST-1",
        "eu-west-1 ",
        "eu-west-1a",
        "eu--west-1",
        "eu-west-1.evil.example",
        "eu-west-1/x",
        "x@eu-west-1",
        "aws-global",
    ] {
        check(other, false);
    }
}

#[test]
fn each_partition_has_its_own_domain() {
    let suffix = |text: &str| Region::from_str(text).unwrap().dns_suffix();
    assert_eq!(suffix("eu-west-1"), "amazonaws.com");
    assert_eq!(suffix("us-gov-west-1"), "amazonaws.com");
    assert_eq!(suffix("cn-north-1"), "amazonaws.com.cn");
    assert_eq!(suffix("us-iso-east-1"), "c2s.ic.gov");
    assert_eq!(suffix("us-isob-east-1"), "sc2s.sgov.gov");
}

#[test]
fn accounts_are_twelve_digits() {
    for (text, expected) in [
        ("123456789012", true),
        ("12345678901", false),
        ("1234567890123", false),
        ("12345678901x", false),
        ("١٢٣٤٥٦٧٨٩٠١٢", false),
    ] {
        assert_eq!(AccountId::from_str(text).is_ok(), expected, "{text}");
    }
}

#[test]
fn a_key_id_shows_its_last_four_characters() {
    let id: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
    assert_eq!(id.last_four(), "MPLE");
    assert_eq!(format!("{id:?}"), "AccessKeyId(…MPLE)");
}

#[test]
fn what_was_taken_for_a_key_id_is_not_repeated() {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let error = AccessKeyId::from_str(secret).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("wJalr"));
}

proptest! {
    #[test]
    fn no_input_panics_and_what_is_accepted_comes_back(text in ".{0,40}") {
        if let Ok(region) = Region::from_str(&text) {
            prop_assert_eq!(region.to_string(), text.clone());
            let json = serde_json::to_string(&region).unwrap();
            prop_assert_eq!(serde_json::from_str::<Region>(&json).unwrap(), region);
        }
        let _ = AccountId::from_str(&text);
        let _ = AccessKeyId::from_str(&text);
    }

    #[test]
    fn every_accepted_region_is_one_host_name_label(text in "[a-z0-9.:/@-]{0,34}") {
        if let Ok(region) = Region::from_str(&text) {
            let label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            prop_assert!(region.as_str().bytes().all(label));
        }
    }

    #[test]
    fn errors_fit_one_line(text in any::<String>()) {
        if let Err(error) = Region::from_str(&text) {
            prop_assert!(error.to_string().chars().count() < 160);
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
    }
}
