//! The signing endpoint, attacked from where a child stands. This process plays the child.

use std::process::{Command, Stdio};
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use ecs_agent_credentials::{
    AllowedOperations, CredentialContext, EndpointLimits, SigningEndpoint, SigningEndpointError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fake_aws::FakeAws;
use super::world::{ACCOUNT, OTHER_ACCOUNT, by_label, context, given, observe, operate};

const READ: &str = "Action=DescribeSubnets&Version=2016-11-15";

struct World {
    aws: FakeAws,
    context: Arc<CredentialContext>,
    key_id: String,
    endpoint: SigningEndpoint,
}

impl World {
    async fn new() -> Self {
        Self::with(EndpointLimits::default()).await
    }

    async fn with(limits: EndpointLimits) -> Self {
        let aws = FakeAws::start();
        let context = context(&aws.url());
        let user = aws.user(ACCOUNT);
        let sources = given(&user).build();
        sources
            .fill(&context, &by_label(), observe())
            .await
            .unwrap();
        let endpoint = open(&context, limits).await;
        endpoint.bind_to(std::process::id());
        Self {
            aws,
            context,
            key_id: user.key_id,
            endpoint,
        }
    }

    /// Refills the context, as a rotation or a change of scope does.
    async fn refill(&self, account: &str, scope: ecs_agent_credentials::ScopeRequest) -> String {
        let user = self.aws.user(account);
        let sources = given(&user).build();
        sources
            .fill(&self.context, &by_label(), scope)
            .await
            .unwrap();
        user.key_id
    }

    /// How many requests of a child reached AWS.
    fn arrived(&self) -> usize {
        let seen = self.aws.seen();
        seen.iter().filter(|seen| seen.service != "sts").count()
    }

    async fn ask(&self, body: &str) -> Answer {
        let request = Signing::of(&self.endpoint).form(&self.endpoint, "ec2", body);
        send(&self.endpoint, request.as_bytes()).await
    }
}

async fn open(context: &Arc<CredentialContext>, limits: EndpointLimits) -> SigningEndpoint {
    let allowed = AllowedOperations::reads(["ec2:DescribeSubnets", "ecs:Describe*"]).unwrap();
    SigningEndpoint::start(Arc::clone(context), "peer", allowed, limits)
        .await
        .unwrap()
}

/// What a child signs with.
struct Signing {
    key_id: String,
    secret: String,
    region: String,
}

impl Signing {
    fn of(endpoint: &SigningEndpoint) -> Self {
        let variables = endpoint.environment();
        let value = |name: &str| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .unwrap()
                .1
                .clone()
        };
        Self {
            key_id: value("AWS_ACCESS_KEY_ID"),
            secret: value("AWS_SECRET_ACCESS_KEY"),
            region: value("AWS_REGION"),
        }
    }

    fn form(&self, endpoint: &SigningEndpoint, service: &str, body: &str) -> String {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.request(endpoint, service, &headers, body)
    }

    fn json(&self, endpoint: &SigningEndpoint, operation: &str, body: &str) -> String {
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
        ];
        self.request(endpoint, "ecs", &headers, body)
    }

    fn request(
        &self,
        endpoint: &SigningEndpoint,
        service: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> String {
        let host = format!("127.0.0.1:{}", endpoint.port());
        let identity = Credentials::new(&self.key_id, &self.secret, None, None, "test").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(std::time::SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let signable = SignableRequest::new(
            "POST",
            format!("http://{host}/"),
            headers.iter().copied(),
            SignableBody::Bytes(body.as_bytes()),
        )
        .unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        let mut text = format!("POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        for (name, value) in headers.iter().copied().chain(instructions.headers()) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        text
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    text: String,
}

impl Answer {
    /// Asserts that the request was refused here, and why.
    fn refused(&self, why: &str) {
        let said = self.text.contains("ECS Deep Agent: ") && self.text.contains(why);
        assert!(self.status >= 400 && said, "{why}: {self:?}");
    }
}

async fn send(endpoint: &SigningEndpoint, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", endpoint.port()))
        .await
        .unwrap();
    // The server may answer and close before it has read everything.
    let _early_end = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let _reset = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or_default(),
        text,
    }
}

#[tokio::test]
async fn a_read_is_signed_again_and_its_answer_comes_back_as_it_was() {
    let world = World::new().await;
    let answer = world.ask(READ).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer
            .text
            .ends_with("<DescribeSubnetsResponse><subnetSet/></DescribeSubnetsResponse>")
    );
    assert!(answer.text.contains("x-amzn-requestid: "));
    let seen = world.aws.seen().pop().unwrap();
    assert!(seen.signature_ok);
    assert_eq!(seen.key_id, world.key_id);
    assert_eq!(seen.action(), "DescribeSubnets");
    let record = world.context.calls().pop().unwrap();
    assert_eq!(record.via.as_deref(), Some("peer"));
    assert_eq!(record.operation, "DescribeSubnets");
    assert_eq!(world.endpoint.refused(), Vec::new());
}

#[tokio::test]
async fn a_write_never_reaches_aws() {
    let world = World::new().await;
    let signing = Signing::of(&world.endpoint);
    let forms = [
        "Action=DeleteSubnet&SubnetId=subnet-1",
        "Action=RunInstances",
    ];
    for body in forms {
        world.ask(body).await.refused("is not among the operations");
    }
    for operation in [
        "UpdateService",
        "DeleteService",
        "RunTask",
        "ExecuteCommand",
    ] {
        let request = signing.json(&world.endpoint, operation, "{}");
        let answer = send(&world.endpoint, request.as_bytes()).await;
        answer.refused("is not among the operations");
        assert!(
            answer.text.contains("\"AccessDeniedException\""),
            "{answer:?}"
        );
    }
    assert_eq!(world.arrived(), 0);
    assert_eq!(world.endpoint.refused().len(), 6);
    assert_eq!(
        world.ask(READ).await.status,
        200,
        "and the count would have shown it"
    );
    assert_eq!(world.arrived(), 1);
}

#[tokio::test]
async fn new_credentials_sign_the_next_request_and_none_after_the_end() {
    let world = World::new().await;
    assert_eq!(world.ask(READ).await.status, 200);
    let rotated = world.refill(ACCOUNT, observe()).await;
    assert_eq!(world.ask(READ).await.status, 200);
    let signed_by: Vec<String> = world
        .aws
        .seen()
        .into_iter()
        .filter(|seen| seen.service == "ec2")
        .map(|seen| seen.key_id)
        .collect();
    assert_eq!(signed_by, [world.key_id.clone(), rotated]);

    world.context.clear();
    world.ask(READ).await.refused("the invocation is over");
    assert_eq!(world.arrived(), 2);
}

#[tokio::test]
async fn a_context_that_acts_or_has_another_account_serves_no_child() {
    let world = World::new().await;
    world.refill(ACCOUNT, operate("hash")).await;
    world
        .ask(READ)
        .await
        .refused("carrying out an approved plan");
    world.refill(OTHER_ACCOUNT, observe()).await;
    world.ask(READ).await.refused("another account");
    assert_eq!(world.arrived(), 0);
    world.refill(ACCOUNT, observe()).await;
    assert_eq!(world.ask(READ).await.status, 200);
}

#[tokio::test]
async fn another_process_that_knows_the_placeholder_is_refused() {
    let world = World::new().await;
    let foreign = open(&world.context, EndpointLimits::default()).await;
    let request = Signing::of(&foreign).form(&foreign, "ec2", READ);
    // Before anybody is bound, and while somebody else is: this process knows the keys, and is not
    // the child.
    send(&foreign, request.as_bytes())
        .await
        .refused("does not belong to the child");
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    foreign.bind_to(child.id());
    send(&foreign, request.as_bytes())
        .await
        .refused("does not belong to the child");
    // Whoever comes second cannot take the endpoint over.
    foreign.bind_to(std::process::id());
    send(&foreign, request.as_bytes())
        .await
        .refused("does not belong to the child");
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(world.arrived(), 0);
}

#[tokio::test]
async fn one_childs_placeholder_opens_nothing_at_anothers_endpoint() {
    let world = World::new().await;
    let other = open(&world.context, EndpointLimits::default()).await;
    other.bind_to(std::process::id());
    let request = Signing::of(&other).form(&world.endpoint, "ec2", READ);
    send(&world.endpoint, request.as_bytes())
        .await
        .refused("not signed with this child's");
    // Nor does it at AWS.
    assert_eq!(world.arrived(), 0);
    let request = Signing::of(&other).form(&other, "ec2", READ);
    assert_eq!(send(&other, request.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn another_region_account_or_service_is_refused() {
    let world = World::new().await;
    let mut elsewhere = Signing::of(&world.endpoint);
    elsewhere.region = "us-east-1".to_owned();
    let request = elsewhere.form(&world.endpoint, "ec2", READ);
    send(&world.endpoint, request.as_bytes())
        .await
        .refused("works in `eu-west-1` only");

    let signing = Signing::of(&world.endpoint);
    let arn = format!("arn:aws:ecs:eu-west-1:{OTHER_ACCOUNT}:cluster/shop");
    let body = format!("{{\"cluster\":\"{arn}\"}}");
    let request = signing.json(&world.endpoint, "DescribeServices", &body);
    let answer = send(&world.endpoint, request.as_bytes()).await;
    answer.refused(&format!("works in `{ACCOUNT}` only"));

    for service in ["sts", "secretsmanager", "s3", "iam"] {
        let action = match service {
            "iam" => "Action=GetRole",
            _ => READ,
        };
        let request = signing.form(&world.endpoint, service, action);
        let answer = send(&world.endpoint, request.as_bytes()).await;
        answer.refused("`");
    }
    assert_eq!(world.arrived(), 0);
}

#[tokio::test]
async fn nonsense_and_floods_are_answered_or_dropped_and_the_next_is_served() {
    let world = World::with(EndpointLimits {
        request_bytes: 64 * 1024,
        ..EndpointLimits::default()
    })
    .await;
    let signing = Signing::of(&world.endpoint);
    let huge = format!("{READ}&x={}", "a".repeat(300 * 1024));
    let request = signing.form(&world.endpoint, "ec2", &huge);
    send(&world.endpoint, request.as_bytes())
        .await
        .refused("longer than 65536");

    let unsigned = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\ncontent-length: 0\r\n\r\n";
    send(&world.endpoint, unsigned.as_bytes())
        .await
        .refused("no `Authorization`");
    let many_headers: String = (0..5_000).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let endless = "a".repeat(1024 * 1024);
    for garbage in [
        "\0\0\0\0".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        format!("POST / HTTP/1.1\r\nHost: x\r\n{many_headers}\r\n"),
        format!("POST /{endless} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: {endless}\r\n\r\n"),
        "POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"
            .to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ] {
        let answer = send(&world.endpoint, garbage.as_bytes()).await;
        assert_ne!(answer.status, 200, "{garbage:.40}");
    }
    assert_eq!(world.arrived(), 0);
    assert_eq!(world.ask(READ).await.status, 200);
}

#[tokio::test]
async fn a_child_gets_so_much_and_no_more() {
    let world = World::with(EndpointLimits {
        burst: 2,
        per_second: 0,
        ..EndpointLimits::default()
    })
    .await;
    assert_eq!(world.ask(READ).await.status, 200);
    assert_eq!(world.ask(READ).await.status, 200);
    let third = world.ask(READ).await;
    third.refused("too many requests");
    assert!(
        third.text.contains("RequestLimitExceeded"),
        "what its client retries"
    );

    let world = World::with(EndpointLimits {
        response_bytes: 10,
        ..EndpointLimits::default()
    })
    .await;
    world.ask(READ).await.refused("longer than 10 bytes");
}

#[tokio::test]
async fn an_endpoint_needs_a_filled_context_and_ends_with_its_value() {
    let aws = FakeAws::start();
    let empty = context(&aws.url());
    let allowed = AllowedOperations::reads(["ecs:Describe*"]).unwrap();
    let refused = SigningEndpoint::start(empty, "peer", allowed, EndpointLimits::default()).await;
    assert!(matches!(refused, Err(SigningEndpointError::NoAccount)));

    let world = World::new().await;
    let port = world.endpoint.port();
    drop(world.endpoint);
    // The aborted task gives the port back when the runtime comes to it.
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
