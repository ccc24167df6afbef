use std::time::Duration;

use serde_json::Value;

use super::support::{agent, http, lab};

async fn get(lab: &ecs_agent_lab::LabHandle, path: &str) -> Value {
    let (status, body) = http(lab, &format!("GET {path} HTTP/1.1"), "").await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

#[tokio::test]
async fn the_evaluator_sees_truth_health_and_requests() {
    let lab = lab("demo").await;
    assert_eq!(get(&lab, "/lab/scenario").await["name"], "demo");
    assert_eq!(get(&lab, "/lab/truth").await["target"]["service"], "api");
    let health = get(&lab, "/lab/health").await;
    assert_eq!(health["healthy"], false);
    assert_eq!(health["bystanders_untouched"], true);
    let ecs = aws_sdk_ecs::Client::new(&agent(&lab).await);
    ecs.list_clusters().send().await.unwrap();
    let requests = get(&lab, "/lab/requests?after=1").await;
    let [request] = requests["requests"].as_array().unwrap().as_slice() else {
        panic!("one")
    };
    assert_eq!(request["operation"], "ListClusters");
    assert_eq!(request["service"], "ecs");
    assert_eq!(request["outcome"]["kind"], "allowed");
    assert_eq!(request["account"], lab.accounts()[0].account_id.as_str());
}

#[tokio::test]
async fn time_moves_when_told_and_dates_every_answer() {
    let lab = lab("demo").await;
    let before = lab.now();
    let (status, _) = http(&lab, "POST /lab/clock/advance?seconds=90 HTTP/1.1", "").await;
    assert_eq!(status, 200);
    assert_eq!((lab.now() - before).num_seconds(), 90);
    assert_eq!(
        (lab.advance(Duration::from_secs(10)) - before).num_seconds(),
        100
    );
}

#[tokio::test]
async fn control_answers_no_foreign_host_name() {
    let lab = lab("demo").await;
    let head = "GET /lab/accounts HTTP/1.1\r\nHost: example.com";
    let (status, body) = http(&lab, head, "").await;
    assert_eq!(status, 403, "{body}");
}

#[tokio::test]
async fn nonsense_gets_an_answer_and_the_lab_lives() {
    let lab = lab("demo").await;
    for (head, body) in [
        ("PUT /x?y=%zz HTTP/1.1", "\u{0}"),
        (
            "POST / HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a/b",
            "",
        ),
        ("POST / HTTP/1.1\r\nAuthorization: Bearer x", "{"),
        (
            "POST /service/a/operation/b HTTP/1.1\r\nsmithy-protocol: rpc-v2-cbor",
            "\u{ff}",
        ),
    ] {
        let (status, _) = http(&lab, head, body).await;
        assert!((400..500).contains(&status), "{head}: {status}");
    }
    assert_eq!(get(&lab, "/lab/scenario").await["name"], "demo");
}
