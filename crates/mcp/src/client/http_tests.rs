use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn only_https_and_the_loopback_interface_are_addresses() {
    for good in [
        "https://mcp.example.com",
        "https://mcp.example.com:8443/mcp",
        "http://127.0.0.1:8000/mcp",
        "http://[::1]:8000/mcp",
    ] {
        assert_eq!(good.parse::<ServerUrl>().unwrap().as_str(), good);
    }
    for bad in [
        "",
        "mcp.example.com",
        "http://mcp.example.com/mcp",
        "http://localhost:8000/mcp",
        "http://127.0.0.1.example.com/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0.0.0.0:8000/",
        "http://169.254.169.254/mcp",
        "https://user@mcp.example.com/",
        "https://user:word@mcp.example.com/",
        "https://mcp.example.com/?token=x",
        "https://mcp.example.com/#x",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://mcp.exämple.com/",
    ] {
        assert!(bad.parse::<ServerUrl>().is_err(), "{bad}");
    }
}

#[test]
fn a_token_is_read_from_a_file_of_ones_own() {
    let path = std::env::temp_dir().join(format!("ecs-agent-token-{}", std::process::id()));
    let file = TokenFile::new(&path);
    let write = |text: &str, mode: u32| {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    assert!(matches!(file.read(), Err(TokenError::Unreadable { .. })));
    write("abc-123\n", 0o600);
    assert_eq!(file.read().unwrap().as_str(), "abc-123");
    write("abc-123", 0o640);
    assert!(matches!(file.read(), Err(TokenError::Open { .. })));
    for bad in ["", "\n", "two words", "naïve", "a\nb"] {
        write(bad, 0o600);
        assert!(
            matches!(file.read(), Err(TokenError::NoToken { .. })),
            "{bad:?}"
        );
    }
    std::fs::remove_file(path).unwrap();
}
