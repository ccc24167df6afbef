use super::*;

#[test]
fn plain_http_stays_on_this_machine_and_nothing_hides_in_a_url() {
    for (text, expected) in [
        ("http://127.0.0.1:5000", true),
        ("http://127.0.0.1:5000/", true),
        ("http://localhost:4566", true),
        ("http://[::1]:5000", true),
        ("https://lab.example.com", true),
        ("http://lab.example.com", false),
        ("http://localhost.evil.example", false),
        ("http://127.0.0.1.evil.example:80", false),
        ("http://169.254.169.254", false),
        ("http://2130706433", false),
        ("http://0177.0.0.1", false),
        ("http://[::ffff:169.254.169.254]", false),
        ("http://user@127.0.0.1", false),
        ("http://127.0.0.1@evil.example", false),
        ("https://lab.example.com/path", false),
        ("https://lab.example.com?query", false),
        ("https://lab.example.com#fragment", false),
        ("http://127.0.0.1:0", false),
        ("http://127.0.0.1:99999", false),
        ("ftp://127.0.0.1", false),
        ("127.0.0.1:5000", false),
        ("http://", false),
        ("", false),
    ] {
        assert_eq!(text.parse::<EndpointUrl>().is_ok(), expected, "{text}");
    }
}

#[test]
fn requests_go_to_the_region_s_own_host() {
    let url = |region: &str| Endpoints::Aws.url_for("ec2", &region.parse().unwrap());
    assert_eq!(url("eu-west-1"), "https://ec2.eu-west-1.amazonaws.com");
    assert_eq!(url("cn-north-1"), "https://ec2.cn-north-1.amazonaws.com.cn");
    let lab = Endpoints::Override("http://127.0.0.1:5000/".parse().unwrap());
    assert_eq!(
        lab.url_for("ec2", &"eu-west-1".parse().unwrap()),
        "http://127.0.0.1:5000"
    );
}
