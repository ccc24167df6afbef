use axum::Router;
use axum::http::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use ecs_agent_credentials::{
    CredentialContext, Endpoints, InvocationId, SecretText, Sources, StaticCredentials,
};
use tower::ServiceExt as _;
use uuid::Uuid;

use super::*;

/// AWS's documented example.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn in_pieces(pieces: [String; 3]) -> Body {
    let pieces = pieces.map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
    Body::from_stream(futures_util::stream::iter(pieces))
}

/// Answers that hold the secret, by path.
fn leaky(guard: &Arc<LeakGuard>) -> Router {
    let (head, tail) = SECRET.split_at(12);
    let events = move || {
        let pieces = [
            "event: values\r\ndata: {}\r\n\r\n".to_owned(),
            format!("event: values\r\ndata: {head}"),
            format!("{tail}\r\n\r\n"),
        ];
        (
            [(header::CONTENT_TYPE, "text/event-stream")],
            in_pieces(pieces),
        )
    };
    let document = move || {
        in_pieces([
            "\n".to_owned(),
            format!("{{\"a\":\"{head}"),
            format!("{tail}\"}}"),
        ])
    };
    Router::new()
        .route(
            "/json",
            get(|| async { Json(json!({"values": {"key": SECRET}})) }),
        )
        .route("/header", get(|| async { ([("x-key", SECRET)], "ok") }))
        .route("/events", get(move || async move { events() }))
        .route("/document", get(move || async move { document() }))
        .route("/well", get(|| async { Json(json!({"ok": true})) }))
        .layer(from_fn_with_state(Arc::clone(guard), inspect))
}

async fn ask(router: &Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), format!("{:?}", response.headers()));
    let bytes = body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    (status, headers + std::str::from_utf8(&bytes).unwrap())
}

#[tokio::test]
async fn a_response_that_holds_a_secret_is_withheld() {
    for (path, status) in [
        ("/json", StatusCode::INTERNAL_SERVER_ERROR),
        ("/header", StatusCode::INTERNAL_SERVER_ERROR),
        // The head of a stream is out before its secret comes.
        ("/events", StatusCode::OK),
        ("/document", StatusCode::OK),
    ] {
        let guard = LeakGuard::new();
        let router = leaky(&guard);
        let (_, text) = ask(&router, path).await;
        assert!(text.contains(SECRET), "{path}: nobody knows it yet");

        let invocation = InvocationId::new(Uuid::now_v7());
        let context =
            CredentialContext::guarded(invocation, None, Endpoints::Aws, Arc::clone(&guard));
        let secret = SecretText::from(SECRET.to_owned());
        let keys = StaticCredentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None).unwrap();
        let sources = Sources::builder().with_static("given", keys).build();
        let sources = sources.watched_by(&context);
        let (got, text) = ask(&router, path).await;
        assert_eq!(got, status, "{path}");
        assert!(text.contains(LeakBlocked::NOTICE), "{path}: {text}");
        assert!(!text.contains(&SECRET[12..]), "{path}: {text}");
        assert_eq!(guard.hits_at(Sink::HttpResponse), 1, "{path}");
        assert!(context.is_cleared(), "{path}");
        let (got, text) = ask(&router, "/well").await;
        assert!(got == StatusCode::OK && text.contains("true"));
        drop(sources);
    }
}
