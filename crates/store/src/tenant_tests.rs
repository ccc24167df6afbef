use crate::TenantId;

#[test]
fn a_tenant_id_is_a_short_plain_word() {
    for text in ["local", "acme", "a", "7-eleven", &"x".repeat(63)] {
        assert_eq!(text.parse::<TenantId>().unwrap().as_str(), text);
    }
    for text in ["", "-a", "Acme", "a b", "a/b", "a\n", "é", &"x".repeat(64)] {
        assert!(text.parse::<TenantId>().is_err(), "{text}");
    }
}
