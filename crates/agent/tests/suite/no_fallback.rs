//! No state between invocations, no environment, no client of nobody's: checked on every source of
//! every room that is not a test, whatever its layout. Each rule is seen to catch what it is for.

use super::architecture::{ROOMS, sources};
use super::tokens::{begins, tokens};

/// What a rule finds in one source, if anything.
type Rule = fn(&[String]) -> Vec<String>;

/// Statics that may be, with why.
const STATICS: [(&str, &str, &str); 1] = [(
    "cli/src/main.rs",
    "ALLOCATOR",
    "the global allocator is one by definition, and has no state",
)];

/// Files that may read the environment: the program's own, and the machine's when a person asked.
const READ_THE_ENVIRONMENT: [&str; 1] = ["cli/src/environment.rs"];

/// Files that may name the SDK's ways to the machine's credentials.
const READ_THE_MACHINE: [&str; 1] = ["credentials/src/machine.rs"];

/// Files that make SDK clients or connections, each from the context that it is given.
const MAKE_CLIENTS: [&str; 3] = [
    "credentials/src/sts.rs",
    "credentials/src/wire.rs",
    "ecs/src/aws/clients.rs",
];

/// Every static, wherever it is declared and however it is laid out.
fn statics(code: &[String]) -> Vec<String> {
    let name = |after: &[String]| {
        let words = after.iter().filter(|word| *word != "mut");
        words.take(1).cloned().collect::<String>()
    };
    (0..code.len())
        .filter(|place| code[*place] == "static")
        .map(|place| name(&code[place + 1..]))
        .collect()
}

/// Cells that fill themselves, and state of a thread or a task.
fn hidden_state(code: &[String]) -> Vec<String> {
    const WORDS: [&str; 8] = [
        "LazyLock",
        "LazyCell",
        "lazy_static",
        "once_cell",
        "thread_local",
        "task_local",
        "LocalKey",
        "leak",
    ];
    code.iter()
        .filter(|word| WORDS.contains(&word.as_str()))
        .cloned()
        .collect()
}

/// Reads and writes of the environment, by path, by import, in a group, or under another name.
fn environment(code: &[String]) -> Vec<String> {
    const CALLS: [&str; 6] = ["var", "var_os", "vars", "vars_os", "set_var", "remove_var"];
    let mut found = Vec::new();
    for place in 0..code.len() {
        let rest = &code[place..];
        if begins(rest, &["env", ":", ":"]) {
            let mut called: Vec<&String> = rest.iter().skip(3).take(1).collect();
            if begins(&rest[3..], &["{"]) || begins(&rest[3..], &["*"]) {
                called = rest[3..].iter().take_while(|word| *word != "}").collect();
            }
            let calls = |word: &&&String| CALLS.contains(&word.as_str()) || **word == "*";
            found.extend(
                called
                    .iter()
                    .filter(calls)
                    .map(|word| format!("env::{word}")),
            );
        }
        if begins(rest, &["env", "as"]) {
            found.push("env under another name".to_owned());
        }
    }
    found
}

/// The SDK's own search for credentials, regions and endpoints.
fn machine(code: &[String]) -> Vec<String> {
    const WORDS: [&str; 5] = [
        "aws_config",
        "load_from_env",
        "load_defaults",
        "DefaultCredentialsChain",
        "EnvironmentVariableCredentialsProvider",
    ];
    code.iter()
        .filter(|word| WORDS.contains(&word.as_str()))
        .cloned()
        .collect()
}

/// SDK clients and HTTP clients that are named outside the files that make them.
fn clients(code: &[String]) -> Vec<String> {
    const CONNECTIONS: [&str; 4] = ["SharedHttpClient", "HttpClient", "Connector", "from_conf"];
    (0..code.len())
        .filter_map(|place| {
            let word = code[place].as_str();
            let of_sdk = word.starts_with("aws_sdk_")
                && ["Client", "Config"].iter().any(|kind| {
                    begins(&code[place + 1..], &[":", ":", kind])
                        && !begins(&code[place + 4..], &[":", ":", "Builder"])
                });
            (of_sdk || CONNECTIONS.contains(&word)).then(|| word.to_owned())
        })
        .collect()
}

/// Breaks of a rule in all rooms, but for the files that may.
fn broken(rule: Rule, may: &[&str]) -> Vec<String> {
    let mut broken = Vec::new();
    for room in ROOMS {
        for (path, text) in sources(room) {
            let path = path.to_string_lossy().replace('\\', "/");
            if may.iter().any(|file| path.ends_with(file)) {
                continue;
            }
            let found = rule(&tokens(&text));
            broken.extend(found.into_iter().map(|what| format!("{path}: {what}")));
        }
    }
    broken
}

#[test]
fn nothing_is_kept_between_invocations() {
    let allowed = |line: &String| {
        let mut allowed = STATICS.iter();
        allowed.any(|(file, name, _)| line.ends_with(&format!("{file}: {name}")))
    };
    let statics = broken(statics, &[]);
    let (known, others): (Vec<_>, Vec<_>) = statics.into_iter().partition(allowed);
    assert_eq!(others, Vec::<String>::new());
    assert_eq!(known.len(), STATICS.len(), "{known:?}");
    assert_eq!(broken(hidden_state, &[]), Vec::<String>::new());
}

#[test]
fn the_environment_is_read_by_the_program_alone() {
    assert_eq!(
        broken(environment, &READ_THE_ENVIRONMENT),
        Vec::<String>::new()
    );
    // The rule sees the reads that are allowed.
    assert!(!broken(environment, &[]).is_empty());
}

#[test]
fn the_machines_credentials_are_read_in_one_place() {
    assert_eq!(broken(machine, &READ_THE_MACHINE), Vec::<String>::new());
    assert!(!broken(machine, &[]).is_empty());
}

#[test]
fn clients_and_connections_are_made_from_a_context() {
    assert_eq!(broken(clients, &MAKE_CLIENTS), Vec::<String>::new());
    assert!(!broken(clients, &[]).is_empty());
}

/// Each rule catches what it is for, in every layout that `rustfmt` or a hurried hand could write.
#[test]
fn every_rule_catches_what_is_planted() {
    let planted: [(Rule, &[&str]); 5] = [
        (
            statics,
            &[
                "static A: u8 = 0;",
                "pub static A: u8 = 0;",
                "pub(crate) static mut A: u8 = 0;",
                "pub(in crate::a::b)\n    static\n    A\n    : u8 = 0;",
                "fn f() { static A: u8 = 0; }",
                "static A: std::sync::OnceLock<Client> = std::sync::OnceLock::new();",
            ],
        ),
        (
            hidden_state,
            &[
                "use std::sync::{Arc, LazyLock as Later};",
                "std::thread_local! { }",
                "thread_local!(\n);",
                "tokio::task_local! { }",
                "lazy_static! { }",
                "let forever = Box::leak(Box::new(1));",
            ],
        ),
        (
            environment,
            &[
                "let a = std::env::var(\"AWS_PROFILE\");",
                "use std::env; let a = env\n    ::var_os(name);",
                "use std::env::{self, vars};",
                "use std::env::*;",
                "use std::{env as e}; e::var(name);",
                "unsafe { std::env::set_var(a, b) }",
            ],
        ),
        (
            machine,
            &[
                "let config = aws_config::load_defaults(version).await;",
                "use aws_config as c;",
                "c::load_from_env()",
            ],
        ),
        (
            clients,
            &[
                "struct Cache { ecs: aws_sdk_ecs::Client }",
                "let client = aws_sdk_sts\n    ::Client::new(&config);",
                "let http: SharedHttpClient = make();",
            ],
        ),
    ];
    for (rule, sources) in planted {
        for source in sources {
            assert!(!rule(&tokens(source)).is_empty(), "not caught: {source}");
            let hidden = format!("// {}", source.replace('\n', " "));
            assert!(
                rule(&tokens(&hidden)).is_empty(),
                "a comment is caught: {hidden}"
            );
        }
    }
}
